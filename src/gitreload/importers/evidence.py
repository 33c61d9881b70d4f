"""Tells from the platform's own log records whether a course was imported, and which.

The exit code hides it: the platform ends with 0 after it skipped a course, or lost its policy or
a static file. The records come from `launcher.py`. Their texts are those of the platform's
xmodule/modulestore/xml.py and xml_importer.py, and of git_import.py beside the command, in all
the forms they took over the years. They are matched from their start on: further on they hold
names that an author chose.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter

from gitreload.importers.failures import shown
from gitreload.model import PermanentError
from gitreload.olx import normal_key

_IMPORTING = re.compile(r"=+> IMPORTING course(?:like)? (\S+)")
_WORKED_IN = re.compile(r"Command was: .*Working directory was: u?['\"]?(.+?)['\"]?$", re.DOTALL)
_SAW_REVISION = re.compile(r"Command output was: [bu]?['\"]([0-9a-f]{40}|[0-9a-f]{64})\\n['\"]$")
_GIT_FAILED = re.compile(r"Error running git pull: (.+)", re.DOTALL)

# What is lost though the command ends with 0, the gravest first, and what to say of it.
_LOSSES = {
    r"Skipping import of course with id,? (\S+?), since it collides": "the platform skipped the "
    "course: {} collides with one that exists; give it another key in course.xml, or delete the "
    "other course",
    r"(?:Course import \S+: )?ERROR: Failed to load course(?:like)? (.+)": "the platform could not "
    "load the course {}",
    r"ERROR: loading course(?:like)? policy from (.+)": "the platform dropped the course's policy, "
    "which it could not read: {}",
    r"(?:Course import \S+: )?Error importing (.+), error=(.*)": "the platform could not save the "
    "static file {}: {}",
}


class Evidence:
    """Collects what proves or refutes an import while it runs. `add` takes the launcher's lines."""

    def __init__(self) -> None:
        self.git_error: str | None = None
        self._keys: set[str] = set()
        self._directories: set[str] = set()
        self._revisions: set[str] = set()
        self._losses: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def add(self, line: str) -> None:
        """Take one record; what is no record (cut short by a crash, say) proves nothing."""
        try:
            message = str(json.loads(line)["message"])
        except (ValueError, TypeError, KeyError):
            return
        if found := _IMPORTING.match(message):
            self._keys.add(normal_key(found[1]))
        elif found := _WORKED_IN.match(message):
            self._directories.add(os.path.realpath(found[1]))
        elif found := _SAW_REVISION.match(message):
            self._revisions.add(found[1])
        elif found := _GIT_FAILED.match(message):
            self.git_error = found[1]
        for pattern, sentence in _LOSSES.items():
            if found := re.match(pattern, message, re.DOTALL):
                self._losses.setdefault(pattern, sentence.format(*map(shown, found.groups())))
                self._counts[pattern] += 1

    def prove(self, expected: str) -> None:
        """Raise `PermanentError` unless the course `expected` was imported, and whole."""
        for pattern in _LOSSES:
            if pattern in self._losses:
                others = self._counts[pattern] - 1
                more = f" (and {others} more)" if others else ""
                raise PermanentError(f"{self._losses[pattern]}{more}")
        if not self._keys:
            raise PermanentError(
                f"the command ended with exit code 0, but nothing proves that {expected} was "
                'imported: the platform logged no "IMPORTING courselike". With EVIDENCE "exit" the '
                "exit code alone would count"
            )
        if self._keys != {expected}:
            found = shown(" and ".join(sorted(self._keys)))
            raise PermanentError(
                f"the platform imported {found}, but course.xml names {expected}; "
                "the log of this job shows from where it read the course"
            )

    def prove_source(self, path: str, revision: str) -> None:
        """Raise `PermanentError` where git_add_course says that it imported something else.

        `path` is the checkout's resolved path, `revision` what is checked out there.
        """
        if elsewhere := self._directories - {path}:
            raise PermanentError(
                f"the platform imported what lies in {shown(min(elsewhere))}, not in {path}; its "
                "setting GIT_REPO_DIR must name the same directory as REPODIR"
            )
        if others := self._revisions - {revision}:
            raise PermanentError(
                f"the platform imported the revision {min(others)}, not {revision}: something "
                "else moved the checkout meanwhile; push again or run `gitreload sync`"
            )
