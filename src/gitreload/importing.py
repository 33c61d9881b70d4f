"""The import of a job: precheck, guard, importer, and what the ledger keeps of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gitreload import olx
from gitreload.checkouts.revision import revision as checked_out
from gitreload.config import Settings
from gitreload.guard import GuardedError, Losses
from gitreload.importers import Importer, Source
from gitreload.importers.digests import digest
from gitreload.ledger import KnownCourse, Ledger
from gitreload.model import Checkout, Job, PermanentError, TransientError
from gitreload.olx.advice import advice
from gitreload.olx.report import Course, Report
from gitreload.process import Runner

# How soon a job looks again whether the course key that another job imports to is free.
EXCLUSION_SECONDS = 1.0


def import_digest(importer: Importer, checkout: Checkout, settings: Settings) -> str:
    """Everything besides the revision that decides the result of an import, as short hex."""
    repo = settings.repo(checkout.directory)
    build = None if repo.build is None else [repo.build.command, repo.build.output]
    return digest(importer.name, importer.settings_digest(checkout), repo.subdir, build)


class TakenError(TransientError):
    """Another job imports into the course at this moment."""

    def __init__(self, key: str) -> None:
        super().__init__(f"another checkout is importing the course {key} now")


class Import:
    """One import of what lies in `folder`; the caller holds the checkout's lock.

    `folder` is the checkout, or what `BUILD` made of its `revision`. `previous` is the revision
    that was imported last.
    """

    def __init__(
        self,
        job: Job,
        checkout: Checkout,
        ledger: Ledger,
        settings: Settings,
        importer: Importer,
        runner: Runner,
        *,
        folder: Path,
        revision: str,
        previous: str | None,
    ) -> None:
        self._job = job
        self._checkout = checkout
        self._ledger = ledger
        self._importer = importer
        self._runner = runner
        self._folder = folder
        self._revision = revision
        self._previous = previous
        self._repo = settings.repo(checkout.directory)
        self._guard = self._repo.guard or settings.guard
        self._digest = import_digest(importer, checkout, settings)

    def run(self) -> tuple[str, ...]:
        """Import all courses that are there, one after the other; their keys.

        What is imported of them already, by an attempt that ended before its end, is left alone.
        Raises `TakenError`, `PermanentError` and `TransientError`, and what the runner raises.
        """
        self._importer.check()
        courses = self._examine().courses
        sources = [self._source(course) for course in courses or (None,)]
        for source in sources:
            self._importer.accept(source)
        self._weigh_losses(courses)
        self._advise(courses)
        keys = [self._import(source) for source in sources]
        self._ledger.keep_only_courses(self._job, {course.key for course in courses})
        return tuple(key for key in keys if key is not None)

    def _source(self, course: Course | None) -> Source:
        return Source(
            *(self._job, self._checkout, self._folder, self._revision, self._previous, course)
        )

    def _examine(self) -> Report:
        """The precheck. Raises `PermanentError` for what the platform would stumble over."""
        report = olx.examine(self._folder, self._repo.subdir, self._repo.course_key)
        if not (self._importer.needs_course or report.courses or self._repo.subdir):
            return Report((), ())
        for finding in report.findings:
            self._runner.log(f"{finding.level}: {finding}")
        if errors := report.errors:
            others = len(errors) - 1
            more = f" (and {others} more in the log)" if others else ""
            raise PermanentError(f"{errors[0]}{more}")
        return report

    def _weigh_losses(self, courses: Sequence[Course]) -> None:
        if self._guard == "off":
            return
        losses = Losses.of(self._ledger.courses(self._job), courses)
        if not losses:
            return
        for line in losses.lines():
            self._runner.log(f"GUARD: {line}: learners lose their state in it")
        if self._guard == "refuse":
            if not losses.digests <= self._ledger.approved(self._job):
                raise GuardedError(self._job, losses)
            self._runner.log("GUARD: that is approved")

    def _advise(self, courses: Sequence[Course]) -> None:
        """What olxcleaner says, where it is installed: nothing that it finds keeps us from it."""
        for finding in advice(self._folder, [course.root for course in courses], self._runner):
            self._runner.log(f"{finding.level}: {finding}")

    def _import(self, source: Source) -> str | None:
        course = source.course
        if course is not None and self._is_imported(course):
            self._runner.log(f"{course.key} is imported already")
            return course.key
        if course is not None and not self._ledger.take_exclusion(self._job, course.key):
            raise TakenError(course.key)
        imported = self._importer.run(source, self._runner)
        self._check_checkout()
        if course is not None:
            self._ledger.keep_course(
                self._job,
                KnownCourse(course.key, self._revision, self._digest, course.identifiers),
            )
        return imported.course_key

    def _is_imported(self, course: Course) -> bool:
        known = self._ledger.courses(self._job).get(course.key)
        return (
            known is not None
            and not self._job.force
            and (known.revision, known.settings) == (self._revision, self._digest)
        )

    def _check_checkout(self) -> None:
        """Whatever moved the checkout meanwhile, nobody knows what was imported of it."""
        path = Path(self._checkout.path)
        if self._folder == path and (now := checked_out(self._checkout.path)) != self._revision:
            raise TransientError(
                f"{self._checkout.directory} was moved from {self._revision[:12]} to "
                f"{(now or 'nothing')[:12]} while it was imported, by something else than "
                "gitreload, so it is imported again; find out what moves it"
            )
