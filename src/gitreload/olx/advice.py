"""Asks olxcleaner, where it is installed, what it would have otherwise in a course.

It knows more about settings than is needed to import a course, and less about installed XBlocks
than authors do: what it says is advice. It is a program of its own, under another licence, and is
only run: https://github.com/openedx/olxcleaner (`edx-cleaner --help`, olxcleaner/reporting.py).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from gitreload.model import PermanentError, TransientError
from gitreload.olx.report import Finding
from gitreload.olx.tree import below
from gitreload.process import Runner, environment
from gitreload.visible import shown, visible

TIMEOUT_SECONDS = 60.0
MOST = 100

_PROGRAM = "edx-cleaner"
# It knows no other XBlocks than the platform had years ago.
_IGNORED = "UnexpectedTag"
_LINE = re.compile(r"(?:WARNING|ERROR) (\w+) \((.+?)\): (.+)")
_FOUND_SOMETHING = 1


def advice(folder: Path, roots: Iterable[str], runner: Runner) -> tuple[Finding, ...]:
    """What olxcleaner says of the courses at `roots`; nothing where it is not installed.

    Only for courses without errors: it trusts what it reads. A crash, or that it does not end, is
    told as advice too. Raises Interrupted.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        return ()
    return tuple(each for root in roots for each in _ask(program, folder, root, runner))


def _ask(program: str, folder: Path, root: str, runner: Runner) -> list[Finding]:
    argv = [program, "--nosummary", "--course", "course.xml", "--ignore", _IGNORED]
    try:
        completed = runner.run(
            argv,
            cwd=os.path.normpath(folder / root),
            env=environment(),
            timeout=TIMEOUT_SECONDS,
            quiet=True,
        )
    except (PermanentError, TransientError) as error:
        return [_trouble(root, f"could not be run: {error}")]
    if completed.timed_out:
        return [_trouble(root, f"did not end within {TIMEOUT_SECONDS:.0f} s and was ended")]
    output = completed.output.decode("utf-8", "replace")
    found = [*dict.fromkeys(_findings(root, output))]
    if not completed.ok and not (completed.exit_code == _FOUND_SOMETHING and found):
        told = output.strip().rpartition("\n")[2]
        return [_trouble(root, f"failed: {shown(told) or 'it said nothing'}")]
    more = len(found) - MOST
    return [*found[:MOST], *([_trouble(root, f"and {more} more")] if more > 0 else ())]


def _findings(root: str, output: str) -> Iterator[Finding]:
    for line in output.splitlines():
        if found := _LINE.fullmatch(line):
            kind, file, message = map(visible, found.groups())
            yield Finding(below(root, file), f"{message} ({kind})", level="advice")


def _trouble(root: str, message: str) -> Finding:
    return Finding(below(root, "course.xml"), f"olxcleaner {message}", level="advice")
