"""A ledger with one process that reports, by a clock which the test moves."""

from __future__ import annotations

import threading

from gitreload.ledger import Done, Ledger, Report, Revisions
from gitreload.model import Mark
from gitreload.reporters import News, Reporter
from gitreload.reporting import Reporting
from helpers import wait_until
from ledger.builders import Clock, Desk


class Board:
    """A reporter that keeps what it is told; `trouble` is what comes instead."""

    name = "board"

    def __init__(self) -> None:
        self.told: list[News] = []
        self.again: list[bool] = []
        self.trouble: Exception | None = None
        self.hanging: threading.Event | None = None
        self.tries = 0

    def wants(self, news: News) -> bool:
        return news.revision is not None

    def place(self, news: News) -> str:
        return news.directory

    def deliver(self, news: News, *, again: bool) -> None:
        self.tries += 1
        if self.hanging is not None and news.directory == "hanging":
            self.hanging.wait()
        if self.trouble is not None:
            raise self.trouble
        self.told.append(news)
        self.again.append(again)

    @property
    def marks(self) -> list[tuple[str | None, Mark]]:
        return [(news.revision, news.mark) for news in self.told]


class Room:
    """A ledger, one process that reports, and the board."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self.ledger = ledger
        self.desk = Desk(ledger, clock)
        self.clock = clock
        self.board = Board()
        self.reporters: list[Reporter] = [self.board]
        self.reporting = self.start()

    def start(self) -> Reporting:
        """A process begins to report, after the last one was killed."""
        made = Reporting(
            self.ledger, lambda: self.reporters, lambda: "https://x.example/", threading.Event()
        )
        made._inherited = self.ledger.newest_report()
        return made

    def restart(self) -> None:
        """The process is killed, after what it has begun to tell was told and before it is noted.

        Nobody can tell that from one which was killed before it began.
        """
        old = self.reporting
        wait_until(lambda: old._told.qsize() == len(old._busy))
        self.reporting = self.start()

    def look(self) -> None:
        """Look once, and wait until what is begun is noted."""
        self.reporting.attend()
        wait_until(self.settled)

    def settled(self) -> bool:
        self.reporting.note()
        return not self.reporting._busy

    def reports(self, job: int) -> list[Report]:
        return self.ledger.reports(job)

    def end(self, after: str, done: Done | None = None) -> int:
        claimed = self.desk.claim()
        self.ledger.succeed(claimed, Revisions(None, after), done or Done())
        claimed.lock.release()
        return claimed.job.id
