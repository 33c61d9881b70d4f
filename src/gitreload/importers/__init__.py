"""What an `import` job runs after the update of its checkout. One module an importer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gitreload.model import Checkout, Imported, Job
from gitreload.olx.report import Course
from gitreload.process import Runner


@dataclass(frozen=True, slots=True)
class Source:
    """What one import is of.

    `folder` holds the files of `revision`: the checkout itself, or what `BUILD` made of it.
    `previous` is the revision that was imported last from there, None for the first. `course` is
    which of the courses in `folder` is imported; None only for importers that need none.
    """

    job: Job
    checkout: Checkout
    folder: Path
    revision: str
    previous: str | None = None
    course: Course | None = None

    @property
    def root(self) -> Path:
        """The directory of the course's course.xml."""
        return self.folder if self.course is None else self.folder / self.course.root


class Importer(Protocol):
    """Brings a course into a platform, and proves that it did."""

    @property
    def name(self) -> str:
        """As in the configuration, and in messages."""
        ...

    @property
    def needs_course(self) -> bool:
        """Whether it imports OLX, and so takes nothing else."""
        ...

    def check(self) -> None:
        """Whether the platform is there; raises TransientError."""
        ...

    def settings_digest(self, checkout: Checkout) -> str:
        """Everything besides the revision that decides an import's result, as short hex."""
        ...

    def accept(self, source: Source) -> None:
        """Raise `PermanentError`, with the cure, for what it would import wrongly or not at all."""
        ...

    def run(self, source: Source, runner: Runner) -> Imported:
        """Import what it accepted; the caller holds the checkout's lock and the course's key.

        Raises `TransientError` and `PermanentError` with the cause and the cure, and what
        `runner` raises.
        """
        ...
