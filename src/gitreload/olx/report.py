"""What an examination of a directory with OLX finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "advice"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong in one file, with what to do about it.

    `file` is relative to the examined directory. `line` and `column` count from 1; None where no
    place in the file can be named. Only errors keep a course from being imported.
    """

    file: str
    message: str
    line: int | None = None
    column: int | None = None
    level: Level = "error"

    def __str__(self) -> str:
        """As compilers and editors write it: `file:line:column: message`."""
        place = [self.file, *(str(part) for part in (self.line, self.column) if part is not None)]
        return f"{':'.join(place)}: {self.message}"


@dataclass(frozen=True, slots=True)
class Course:
    """A course in OLX.

    `root` is the directory of its course.xml, relative to the examined one; "." where that is it.
    `key` is "org/course/run". `identifiers` names all its blocks as "category/url_name": learners'
    state hangs on them.
    """

    root: str
    key: str
    identifiers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Report:
    """The courses that were found, in the order of their roots, and what is wrong with them."""

    courses: tuple[Course, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What keeps the courses from being imported."""
        return tuple(finding for finding in self.findings if finding.level == "error")
