"""The databases, as files: a JSON file per course, and a journal of everything that ran.

All of it lies in the directory that the setting MODULESTORE names.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from edxapp.management import settings


def folder() -> Path:
    return Path(settings()["MODULESTORE"])


def find(key: str) -> str | None:
    """The key of the course with that key, or one that differs only by case."""
    for file in sorted(folder().glob("*.json")):
        known: str = json.loads(file.read_text())["key"]
        if known.lower() == key.lower():
            return known
    return None


def save(course: dict[str, Any]) -> None:
    file = folder() / f"{course['key'].replace('/', '+')}.json"
    new = file.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps(course, indent=1))
    new.replace(file)


def note(event: str, **facts: Any) -> None:
    """Append to the journal, in one write so that no two runs mix."""
    line = json.dumps({"event": event, "pid": os.getpid(), "time": time.time(), **facts})
    file = os.open(folder() / "journal.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, line.encode() + b"\n")
    os.close(file)


@contextmanager
def run(path: str) -> Iterator[dict[str, Any]]:
    """Journal one run for the checkout at `path`; yields what is told at its end."""
    notes: dict[str, Any] = {"directory": os.path.basename(path)}  # noqa: PTH119
    with alone(os.path.realpath(path)):
        note("start", environment=dict(os.environ), **notes)
        try:
            yield notes
        except BaseException as error:
            note("end", error=repr(error), **notes)
            raise
        note("end", **notes)


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Journal an overlap where another live process is in here for the same `what`.

    The platform has no such lock: it lets both go on, and so does this.
    """
    name = sha256(what.encode()).hexdigest()[:16]
    file = os.open(folder() / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        note("overlap", what=what)
    try:
        yield
    finally:
        os.close(file)
