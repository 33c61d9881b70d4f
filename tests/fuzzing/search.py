"""Search for inputs that break one target's promise, led by the code that they reach.

`python -m fuzzing.search TARGET DIRECTORY... [-option=value ...]`, as libFuzzer takes them:
https://llvm.org/docs/LibFuzzer.html#options
"""

from __future__ import annotations

import logging
import sys

import atheris

with atheris.instrument_imports(include=["gitreload"]):
    from fuzzing.targets import TARGETS


def main() -> None:
    logging.disable()  # what is refused is told, a million times
    program, name, *options = sys.argv
    atheris.Setup([program, *options], TARGETS[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
