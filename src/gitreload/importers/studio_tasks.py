"""Imports that Studio was given, and whose end nobody has seen yet.

Two imports of one course break each other there, as they share a directory
(https://github.com/openedx/openedx-platform/pull/39109). One goes on whatever becomes of us, so its
task is noted on disk until its end was seen, and an attempt after a crash waits for it first.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from gitreload.importers.studio_api import Task
from gitreload.model import TransientError


class Unfinished:
    """The note of one course of one Studio; all attempts at it follow each other."""

    def __init__(self, folder: Path, url: str, key: str) -> None:
        name = hashlib.sha256(f"{url} {key}".encode()).hexdigest()[:32]
        self._path = folder / f"{name}.json"

    def read(self) -> Task | None:
        """The task that was noted last."""
        try:
            noted = json.loads(self._path.read_text())
            return Task(noted["id"], noted["filename"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError):
            # A machine that lost power may leave half of it; no import outlives that for long.
            self.forget()
            return None

    def note(self, task: Task) -> None:
        """Raises `TransientError` where it cannot be written."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            half = self._path.with_suffix(".new")
            half.write_text(json.dumps({"id": task.id, "filename": task.filename}))
            half.replace(self._path)
        except OSError as error:
            raise TransientError(
                f"{self._path} cannot be written: {error.strerror}; the import goes on in Studio, "
                "but its end is not waited for"
            ) from error

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)
