"""The Pythons of this machine, for what runs inside the platform's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")


@cache
def interpreter(version: str) -> str | None:
    """A Python of that version that works here, from PATH or pyenv."""
    if version == "ours":
        return sys.executable
    found = [shutil.which(f"python{version}")]
    found += sorted(map(str, PYENV.glob(f"versions/{version}.*/bin/python")))
    for python in filter(None, found):
        if subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            return python
    return None
