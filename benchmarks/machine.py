"""The machine and the versions that a result belongs to, and whether the peers are there."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

# The Debian package of a peer has the name of its command.
PEERS = ("wrk", "webhook")


def missing(commands: Iterable[str]) -> list[str]:
    return [command for command in commands if shutil.which(command) is None]


def facts() -> list[tuple[str, str]]:
    """Name and value, in the order in which they are shown."""
    return [
        ("cores", str(len(os.sched_getaffinity(0)))),
        ("processor", _field(Path("/proc/cpuinfo"), "model name") or platform.machine()),
        ("memory", _memory()),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("python", platform.python_version()),
        ("git", _said("git", "--version")),
        ("sqlite", sqlite3.sqlite_version),
        ("uvicorn", version("uvicorn")),
        ("wrk", _said("wrk", "-v")),
        ("webhook", _said("webhook", "-version")),
    ]


def _field(path: Path, name: str) -> str | None:
    found = re.search(rf"^{re.escape(name)}\s*:\s*(.*)$", path.read_text(), re.MULTILINE)
    return found[1] if found else None


def _memory() -> str:
    kilobytes = (_field(Path("/proc/meminfo"), "MemTotal") or "0 kB").split()[0]
    return f"{int(kilobytes) / 1024**2:.0f} GiB"


def _said(*command: str) -> str:
    """The version in what the command prints; wrk exits 1 with it."""
    if missing(command[:1]):
        return "not installed"
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+\.\d+[\w.+-]*", said)
    return found[0] if found else said.strip()
