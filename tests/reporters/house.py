"""A ledger, those who are told of what it holds, and what they get."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from gitreload import config
from gitreload.ledger import Done, Ledger, Report, Revisions
from gitreload.reporters import Teller
from gitreload.reporters.apprise import Message
from gitreload.reporters.choice import tellers
from gitreload.reporters.people import Notifier, Story
from gitreload.reporting import LONGEST_SECONDS, Reporting
from gitreload.watch import Watch
from helpers import wait_until
from ledger.builders import Clock, Desk, revision

BEFORE, AFTER = revision(0xB), revision(0xA)
# Where nobody is: what is owed to it is looked at, not sent.
NOWHERE = "json://127.0.0.1:1/a"


class House:
    """One process with the `settings`; another may be made on the same ledger."""

    def __init__(self, folder: Path, clock: Clock | None = None, **settings: Any) -> None:
        self.folder = folder
        self.clock = clock or Clock()
        self.ledger = Ledger.open(folder, "pool", self.clock)
        self.desk = Desk(self.ledger, self.clock)
        text = json.dumps({"REPODIR": str(folder / "repos"), **settings})
        (folder / "gr.env.json").write_text(text)
        self.settings = config.load({"HOME": str(folder)}, folder).settings
        self.stopping = threading.Event()
        self.tellers: tuple[Teller, ...] = tellers(self.settings, self.stopping)
        self.reporting = Reporting(
            self.ledger, tuple, lambda: "https://x.example", self.stopping, lambda: self.tellers
        )
        self.watch = Watch(self.ledger, lambda: self.settings, lambda: self.tellers, self.stopping)

    def push(self, *directories: str) -> None:
        self.desk.push(*directories)

    def fail(self, error: str = "it is broken") -> None:
        self.desk.fail(self.desk.claim(), error)

    def succeed(self, done: Done | None = None) -> None:
        claimed = self.desk.claim()
        self.ledger.succeed(claimed, Revisions(BEFORE, AFTER), done or Done())
        claimed.lock.release()

    def look(self) -> None:
        """Note what is to be told, tell what is due, and wait until that is noted."""
        self.reporting.attend()
        wait_until(self.settled)

    def settled(self) -> bool:
        self.reporting.note()
        return not self.reporting._busy

    def owed(self) -> list[Report]:
        """What is due now."""
        self.reporting._decide()
        return [owed.report for owed in self.ledger.due_reports(LONGEST_SECONDS)]

    def heard(self) -> list[tuple[str, Message]]:
        """What people get now, and by which entry of the configuration: they take it all."""
        entries = {each.name: each._entry for each in self.tellers if isinstance(each, Notifier)}
        got = []
        while due := self.owed():
            for report in due:
                message = Story.load(report.event or "").message(entries[report.reporter])
                got.append((report.place, message))
                self.ledger.end_report(report, "delivered")
        return got

    def titles(self) -> list[str]:
        return [message.title for _, message in self.heard()]
