"""A host that reconciles by a clock which the test moves; its remotes are real repositories."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gitreload import config
from gitreload.attempt import Tools
from gitreload.checkouts import Checkouts
from gitreload.git import Git, fetching
from gitreload.importers import Source
from gitreload.ledger import Arrival, Entry, Ledger, Target
from gitreload.model import (
    Action,
    Checkout,
    Delivery,
    Imported,
    Job,
    PermanentError,
    Push,
    Reason,
)
from gitreload.process import Runner
from gitreload.reconcile import Reconciler
from gitreload.worker import Stops, Worker
from helpers import Remote, git
from workbench import OneImporter

MINUTES = 360.0
DAY = 86_400.0


@dataclass
class Courses:
    """An importer that takes every course, but those in `broken`."""

    broken: set[str] = field(default_factory=set)
    imported: list[tuple[str, str]] = field(default_factory=list)
    name: str = "courses"
    needs_course: bool = False

    def check(self) -> None:
        """It is always there."""

    def settings_digest(self, checkout: Checkout) -> str:
        return "digest"

    def accept(self, source: Source) -> None:
        """Takes everything."""

    def run(self, source: Source, runner: Runner) -> Imported:
        directory = source.checkout.directory
        self.imported.append((directory, source.revision))
        if directory in self.broken:
            raise PermanentError("course.xml is missing")
        return Imported(directory, "digest")


class Host:
    """A ledger, checkouts, one worker and one reconciler, all by the clock `now`."""

    def __init__(self, folder: Path, empty: Path) -> None:
        self.folder = folder
        self.repodir = folder / "repos"
        self.repodir.mkdir()
        self.now = 1_800_000_000.0
        state_dir = folder / "state"
        state_dir.mkdir()
        shutil.copy(empty, state_dir)
        self.ledger = Ledger.open(state_dir, "pool", lambda: self.now)
        self.importer = Courses()
        self.stopping = threading.Event()
        self.configure()
        self.worker = Worker(self.ledger, lambda: self.tools, Stops(), lambda: 1.0)
        self.reconciler = self.start()

    def configure(self, **values: object) -> None:
        keys = {
            "REPODIR": str(self.repodir),
            "STATE_DIR": str(self.folder / "state"),
            "RECONCILE_MINUTES": MINUTES,
            **values,
        }
        environ = {f"GITRELOAD_{key}": str(value) for key, value in keys.items()}
        settings = config.load(environ | {"HOME": str(self.folder)}, self.folder).settings
        self.tools = Tools(settings, Checkouts.of(settings), OneImporter(self.importer))

    def start(self) -> Reconciler:
        """Another process begins to reconcile, or this one again after a restart."""
        return Reconciler(
            self.ledger, lambda: self.tools, lambda: None, self.stopping, jitter=lambda: 1.0
        )

    def restart(self) -> None:
        self.reconciler.leave()
        self.reconciler = self.start()

    def round(self) -> None:
        """The next round, once it is due."""
        self.now += MINUTES * 60
        self.reconciler.attend()

    def checkout(self, name: str = "course") -> Checkout:
        found = self.tools.checkouts.get(name)
        assert found is not None
        return found

    def push(self, remote: Remote, after: str, action: Action = Action.IMPORT) -> None:
        """A delivery comes for whatever checkout follows the remote's main branch."""
        push = Push("refs/heads/main", (remote.url,), after=after)
        targets = [
            Target(each, push) for each in self.tools.checkouts.match((remote.url,), "main").found
        ]
        arrival = Arrival(
            Delivery("github", "push", pushes=(push,)), action, self.now, None, (), b"{}"
        )
        self.ledger.record([Entry(arrival, tuple(targets))])

    def sync(self, name: str = "course", action: Action = Action.IMPORT) -> None:
        self.ledger.enqueue([self.checkout(name)], action, Reason.SYNC)

    def work(self) -> list[Job]:
        """Run all jobs that are due now; how they ended."""
        ended = []
        while (claimed := self.ledger.claim("worker")) is not None:
            self.worker.run(claimed)
            job = self.ledger.job(claimed.job.id)
            assert job is not None
            ended.append(job)
        return ended

    def head(self, name: str = "course") -> str:
        return git("rev-parse", "HEAD", cwd=self.repodir / name)

    def missed(self) -> list[int]:
        """How many pushes of each checkout nobody announced."""
        records = self.ledger.last_results().values()
        return [record.missed.pushes for record in records if record.missed]

    def queued(self) -> list[tuple[str, Action, Reason]]:
        return [(job.directory, job.action, job.reason) for job in self.ledger.unfinished()]


@pytest.fixture
def host(tmp_path: Path, empty_ledger: Path, remote: Remote) -> Iterator[Host]:
    made = Host(tmp_path, empty_ledger)
    remote.clone(made.repodir / "course")
    yield made
    made.stopping.set()
    made.reconciler.leave()
    made.ledger.close()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The branches, and patterns of tags, that each call of a remote asks for."""
    made: list[set[str]] = []
    asked = fetching.ls_remote

    def counted(git: Git, branches: list[str], tags: list[str]) -> dict[str, str]:
        made.append({*branches, *tags})
        return asked(git, branches, tags)

    monkeypatch.setattr(fetching, "ls_remote", counted)
    return made
