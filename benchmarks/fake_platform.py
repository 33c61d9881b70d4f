"""A stand-in for Open edX whose imports take a given time, and leave a line each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

MANAGE = """\
import os, subprocess, sys, time

directory = sys.argv[sys.argv.index("--directory_path") + 1]
head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=directory, text=True)
with open(os.environ["BENCH_IMPORTS"], "a") as imports:
    imports.write(head)
time.sleep(float(os.environ["BENCH_SECONDS"]))
"""


class Platform:
    """Below `folder`; `settings` are the keys that make gitreload import into it."""

    def __init__(self, folder: Path, seconds: float) -> None:
        folder.mkdir(parents=True)
        (folder / "manage.py").write_text(MANAGE)
        self._imports = folder / "imports"
        self._imports.touch()
        self.settings: dict[str, Any] = {
            "edx_platform": str(folder),
            "virtual_env": sys.prefix,
            # It proves nothing, it only takes time.
            "evidence": "exit",
            "importer_env": {"BENCH_IMPORTS": str(self._imports), "BENCH_SECONDS": str(seconds)},
        }

    def imports(self) -> list[str]:
        """The revision of each import that was begun, in order."""
        return self._imports.read_text().split()
