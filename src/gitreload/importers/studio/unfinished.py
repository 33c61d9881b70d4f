"""Imports that Studio was given, and whose end nobody has seen yet.

Two imports of one course break each other there, as they share a directory
(https://github.com/openedx/openedx-platform/pull/39109). One goes on whatever becomes of us, so its
task is noted on disk until its end was seen, and an attempt after a crash waits for it first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gitreload.importers.studio.api import Task


class Unfinished:
    """The note of one course of one Studio; all attempts at it follow each other."""

    def __init__(self, folder: Path, url: str, key: str) -> None:
        name = hashlib.sha256(f"{url} {key}".encode()).hexdigest()[:32]
        self._path = folder / f"{name}.json"

    def read(self) -> Task | None:
        """The task that was noted last; None also for half a note, which a power cut may leave."""
        try:
            noted = json.loads(self._path.read_text())
            return Task(noted["id"], noted["filename"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def note(self, task: Task, log: Callable[[str], None]) -> None:
        """Where that fails it is told in the log alone, as the import goes on all the same."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            half = self._path.with_suffix(".new")
            half.write_text(json.dumps({"id": task.id, "filename": task.filename}))
            half.replace(self._path)
        except OSError as error:
            log(
                f"{self._path} cannot be written: {error.strerror}; should gitreload be stopped "
                "before this import ends, the next one will not wait for it"
            )

    def forget(self) -> None:
        # What stays leads to a task that has ended, so the next attempt does not wait for long.
        with suppress(OSError):
            self._path.unlink()
