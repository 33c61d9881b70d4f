"""Those who tell people what became of a push: marks at commits, notifications."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from gitreload.ledger import Draft, Heard, Report
from gitreload.model import Job, Mark
from gitreload.reporters.events import Event


@dataclass(frozen=True, slots=True)
class News:
    """What is told of a job.

    `revision` is the commit that it is about, None where that is not known. `sentence` is one line
    of plain text, without secrets, of any length. `url` leads to the job's page, where `PUBLIC_URL`
    is set. `forge` is the one whose delivery last asked for something to be done with the checkout.
    """

    job: Job
    mark: Mark
    revision: str | None
    sentence: str
    url: str | None = None
    forge: str | None = None

    @property
    def directory(self) -> str:
        """The checkout's name below REPODIR."""
        return self.job.directory


class Reporter(Protocol):
    """Tells news, one after the other for each place, the newest of a commit only."""

    @property
    def name(self) -> str:
        """What it is called in the ledger and in the log, the same after a restart."""

    def wants(self, news: News) -> bool:
        """Whether it is told. Asked inside a transaction, so it only looks at the configuration."""

    def place(self, news: News) -> str:
        """Where it is told, such as a host: what goes there waits together while it is away."""

    def deliver(self, news: News, *, again: bool) -> None:
        """Tell it. `again`: it may have been told before, as nobody knows how a try ended.

        Raises `TransientError` where that may work later, `PermanentError` where it never will.
        """


class Teller(Protocol):
    """Tells events, to people or programs, one after the other for each place."""

    @property
    def name(self) -> str:
        """What it is called in the ledger and in the log, the same after a restart."""

    def of_job(self, event: Event, heard: Heard) -> Iterable[Draft]:
        """What it is to tell because of an event of a job. Asked inside a transaction.

        It may be asked again about the same event, and then wants nothing more.
        """

    def of_alarm(self, event: Event, subject: str, heard: Heard) -> Iterable[Draft]:
        """What it is to tell because of an event of the alarm `subject`, as `of_job`."""

    def deliver(self, report: Report, *, again: bool) -> None:
        """Tell what it wanted to. Raises as `Reporter.deliver`, and `Interrupted` at a stop."""

    @property
    def place(self) -> str:
        """Where in the configuration it is, such as "NOTIFY[0]"."""

    def hears(self, event: Event) -> bool:
        """Whether it wants to be told of an alarm."""

    def send(self, event: Event) -> None:
        """Tell of an event at once, without the ledger. Raises GitreloadError."""


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, cut between words, and with … where it was cut."""
    if len(text) <= limit:
        return text
    cut = text[:limit]
    between = cut.rfind(" ")
    # A long path or URL at the end would take most of it away.
    end = between if between > limit * 2 // 3 else limit - 1
    return f"{cut[:end].rstrip(' ,;:')}…"
