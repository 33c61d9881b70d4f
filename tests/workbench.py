"""A worker at its bench: with a ledger, a checkout and an importer, but no server."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gitreload import config
from gitreload.attempt import Tools
from gitreload.checkouts import Checkouts
from gitreload.importers import Importer, Source
from gitreload.importers.choice import Importers
from gitreload.ledger import Arrival, Claimed, Entry, Ledger, Target
from gitreload.model import Action, Attempt, Checkout, Delivery, Imported, Job, Push, Reason
from gitreload.process import Runner
from gitreload.worker import Stops, Worker
from helpers import Remote

KEY = "Org/course/run"
COURSE = '<course org="Org" course="course" url_name="run" display_name="Course"/>\n'


@dataclass
class FakeImporter:
    """Runs `action` as the import; `settings` is its digest."""

    action: Callable[[Runner], None] = lambda _runner: None
    settings: str = "digest"
    key: str | None = KEY
    imported: list[str] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    name: str = "fake"
    needs_course: bool = False

    def check(self) -> None:
        """It is always there."""

    def settings_digest(self, checkout: Checkout) -> str:
        return self.settings

    def accept(self, source: Source) -> None:
        """Takes everything."""

    def run(self, source: Source, runner: Runner) -> Imported:
        self.action(runner)
        self.imported.append(source.revision)
        self.sources.append(source)
        return Imported(source.course.key if source.course else self.key, self.settings)


class OneImporter(Importers):
    """Whatever is configured, `importer` imports everything."""

    def __init__(self, importer: Importer) -> None:
        self._one = importer

    @property
    def default(self) -> Importer:
        return self._one

    def of(self, checkout: Checkout) -> Importer:
        return self._one


class Bench:
    """A ledger on a clock that stands still, a checkout `course`, and a worker without jitter."""

    def __init__(self, folder: Path, empty: Path, remote: Remote) -> None:
        self.remote = remote
        self.repodir = folder / "repos"
        self.now = time.time()
        state_dir = folder / "state"
        state_dir.mkdir()
        shutil.copy(empty, state_dir)
        self.ledger = Ledger.open(state_dir, "pool", lambda: self.now)
        self.importer = FakeImporter()
        self.checkouts = Checkouts(self.repodir, {})
        self.folder = folder
        self.tools = self.configured()
        self.stops = Stops()
        self.worker = Worker(self.ledger, lambda: self.tools, self.stops, lambda: 1.0)
        self.clone("course")

    def configured(self, **repo: object) -> Tools:
        """With these settings for `course`; they count from the next job on."""
        file = self.folder / "gr.env.json"
        places = {"REPODIR": str(self.repodir), "STATE_DIR": str(self.ledger.state_dir)}
        file.write_text(json.dumps({**places, "REPOS": {"course": repo} if repo else {}}))
        loaded = config.load({"GITRELOAD_CONFIG": str(file), "HOME": str(self.folder)}, self.folder)
        self.tools = Tools(loaded.settings, self.checkouts, OneImporter(self.importer))
        return self.tools

    def clone(self, name: str) -> Path:
        return self.remote.clone(self.repodir / name)

    def checkout(self, name: str = "course") -> Checkout:
        found = self.checkouts.get(name)
        assert found is not None
        return found

    def sync(
        self, name: str = "course", action: Action = Action.IMPORT, *, force: bool = False
    ) -> int:
        checkouts = [self.checkout(name)]
        [(job, _)] = self.ledger.enqueue(checkouts, action, Reason.SYNC, force=force)
        return job

    def push(
        self,
        after: str,
        *,
        before: str | None = None,
        pusher: str | None = None,
        action: Action = Action.UPDATE,
    ) -> int:
        push = Push(
            "refs/heads/main", (self.remote.url,), before=before, after=after, pusher=pusher
        )
        delivery = Delivery("github", "push", pushes=(push,))
        arrival = Arrival(delivery, action, self.now, None, (), b"{}")
        [recorded] = self.ledger.record([Entry(arrival, (Target(self.checkout(), push),))])
        return recorded.jobs[0]

    def claim(self) -> Claimed:
        claimed = self.ledger.claim("worker")
        assert claimed is not None, "a job is due"
        return claimed

    def run(self) -> Job:
        """Run the job that is due; what it is now."""
        claimed = self.claim()
        self.worker.run(claimed)
        return self.job(claimed.job.id)

    def run_when_due(self) -> tuple[Job, int]:
        """Let the time pass until the next job is due, and run it; and the seconds waited."""
        due = self.ledger.next_due()
        assert due is not None
        waited, self.now = due - self.now, due
        return self.run(), round(waited)

    def start(self) -> threading.Thread:
        """Run the job that is due in a thread."""
        thread = threading.Thread(target=self.worker.run, args=(self.claim(),))
        thread.start()
        return thread

    def job(self, job_id: int) -> Job:
        job = self.ledger.job(job_id)
        assert job is not None
        return job

    def last(self, job_id: int) -> Attempt:
        return self.ledger.attempts(job_id)[-1]

    def log(self, job_id: int) -> str:
        attempts = self.ledger.attempts(job_id)
        return "".join(text for each in attempts for _, text in self.ledger.log(each.id))
