"""Imports through Studio's REST API: nothing of the platform has to be on this machine.

The course has to exist in Studio, which then overwrites it with what is uploaded, whatever key
course.xml names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from gitreload.http_client import HttpClient
from gitreload.importers import Source
from gitreload.importers.digests import digest
from gitreload.importers.studio.api import LostTaskError, StudioApi, Task
from gitreload.importers.studio.archive import Archive, packed
from gitreload.importers.studio.failures import failure
from gitreload.importers.studio.tokens import Tokens
from gitreload.importers.studio.unfinished import Unfinished
from gitreload.model import HIDDEN, Checkout, Imported, PermanentError, TransientError
from gitreload.olx.keys import course_id
from gitreload.process import Runner
from gitreload.setting_importers import StudioSettings
from gitreload.settings import Settings

# An import takes seconds or many minutes: it is asked for often at first, and then seldom.
FIRST_POLL_SECONDS = 1.0
LONGEST_POLL_SECONDS = 15.0
# For how long Studio may be away, restarted say, or not know a task that it has just begun.
PATIENCE_SECONDS = 60.0
# Between two lines that tell how much is uploaded.
_PROGRESS_SECONDS = 5.0

_CHECK_SECONDS = 5.0
_UNSET = (
    "STUDIO is not set; it needs the URL of Studio, the LMS_URL, and CLIENT_ID and CLIENT_SECRET "
    "of an application whose user may write the course"
)

_ENDS = ("Succeeded", "Failed", "Canceled")
# What it is told of itself in: its errors are known by their words.
_HEADERS = {"Accept": "application/json", "Accept-Language": "en"}


class Studio:
    """The importer `studio`."""

    name = "studio"
    needs_course = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tokens = Tokens()

    def check(self) -> None:
        """See `Importer`. Where there are several, each import tells of its own Studio."""
        configured = self._configured()
        if not configured:
            raise TransientError(_UNSET)
        if len(configured) > 1:
            return
        with _client() as client:
            for url in (configured[0].url, configured[0].lms_url):
                answer = client.ask("GET", f"{url.rstrip('/')}/heartbeat", seconds=_CHECK_SECONDS)
                if answer.status >= 500:
                    raise TransientError(f"{url} has troubles: it answers {answer.status}")

    def settings_digest(self, checkout: Checkout) -> str:
        """See `Importer`."""
        repo = self._settings.repo(checkout.directory)
        studio = self._of(checkout)
        decides = [self.name, studio and studio.url, repo.course_key]
        return digest(*decides)

    def accept(self, source: Source) -> None:
        """See `Importer`."""
        if self._of(source.checkout) is None:
            raise PermanentError(f"{source.checkout.directory} cannot be imported: {_UNSET}")

    def run(self, source: Source, runner: Runner) -> Imported:
        """See `Importer`."""
        settings, course = self._of(source.checkout), source.course
        assert settings is not None, "it was accepted"
        assert course is not None, "it needs one"
        with _client() as client:
            run = _Run(
                StudioApi(settings, client, self._tokens),
                course.key,
                runner,
                Unfinished(self._settings.state_dir / "studio", settings.url, course.key),
                self._settings.subprocess_timeout_minutes,
                monotonic(),
            )
            run.run(source, Path(self._settings.repodir) / HIDDEN)
        return Imported(course.key, self.settings_digest(source.checkout))

    def _of(self, checkout: Checkout) -> StudioSettings | None:
        return self._settings.repo(checkout.directory).studio or self._settings.studio

    def _configured(self) -> list[StudioSettings]:
        named = [self._settings.studio, *(repo.studio for repo in self._settings.repos.values())]
        return [*dict.fromkeys(studio for studio in named if studio is not None)]


def _client() -> HttpClient:
    return HttpClient("Open edX", headers=_HEADERS)


@dataclass(frozen=True, slots=True)
class _Run:
    """One import of the course `key`; `began` is by the monotonic clock."""

    api: StudioApi
    key: str
    runner: Runner
    unfinished: Unfinished
    minutes: float
    began: float

    def run(self, source: Source, spool: Path) -> None:
        with packed(source.root, source.folder, spool, self._check) as archive:
            # The same course always has the same name, so that what an earlier attempt uploaded is
            # known again.
            filename = f"course-{archive.digest[:20]}.tar.gz"
            if self._earlier() == (filename, "Succeeded"):
                self.runner.log("an earlier attempt has uploaded just this, and it is imported")
                return
            task = self._upload(archive, filename)
        self.unfinished.note(task, self.runner.log)
        try:
            state = self._wait(task)
        except LostTaskError as error:
            self.unfinished.forget()
            raise TransientError(
                f"Studio has lost the import of {self.key}, so it is uploaded again: {error}"
            ) from error
        self.unfinished.forget()
        if state != "Succeeded":
            raise failure(self.api, self.key, task, state, self.runner.log)

    def _earlier(self) -> tuple[str, str] | None:
        """The file that an earlier attempt left with Studio, and what became of it."""
        task = self.unfinished.read()
        if task is None:
            return None
        self.runner.log(f"Studio was given {task.filename} by an earlier attempt; waiting for that")
        try:
            state = self._wait(task)
        except LostTaskError:
            self.runner.log("Studio does not know it any more")
            state = "lost"
        except _TooLongError:
            # It may never end, where a worker of the platform died of it.
            self.unfinished.forget()
            raise
        self.unfinished.forget()
        return task.filename, state

    def _upload(self, archive: Archive, filename: str) -> Task:
        size = f"{archive.size / 2**20:.1f} MiB"
        self.runner.log(f"uploading {size} for {course_id(self.key)}")
        told = monotonic()

        def sent(count: int) -> None:
            nonlocal told
            self._check()
            if monotonic() >= told + _PROGRESS_SECONDS:
                told = monotonic()
                self.runner.log(f"uploaded {100 * count // archive.size} % of {size}")

        return self.api.upload(self.key, filename, archive, sent)

    def _wait(self, task: Task) -> str:
        """The state in which a task ends, each state in the log.

        Raises `LostTaskError` or another `TransientError` where Studio does not tell for too long.
        """
        shown, poll, trouble = "", FIRST_POLL_SECONDS, 0.0
        while True:
            try:
                state = self.api.state(self.key, task)
                trouble = 0.0
            except TransientError as error:
                state = shown
                if not trouble:
                    trouble = monotonic()
                    self.runner.log(f"{error}; asking again")
                elif monotonic() >= trouble + PATIENCE_SECONDS:
                    raise
            if state != shown:
                self.runner.log(f"Studio: {state}")
                shown, poll = state, FIRST_POLL_SECONDS
            if state in _ENDS:
                return state
            self._check()
            self.runner.pause(poll)
            poll = min(poll * 1.5, LONGEST_POLL_SECONDS)

    def _check(self) -> None:
        """Raise `Interrupted` or `TransientError` where there is no more time."""
        self.runner.pause()
        if monotonic() >= self.began + self.minutes * 60:
            raise _TooLongError(
                f"the import of {self.key} did not end within {self.minutes:g} minutes; what "
                "Studio has begun goes on there, and the next attempt waits for it. Raise "
                "SUBPROCESS_TIMEOUT_MINUTES if an import takes that long"
            )


class _TooLongError(TransientError):
    """The attempt has used all its time."""
