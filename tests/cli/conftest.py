"""An operator's host for the command line: checkouts, a configuration, and the ledger behind it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from typer.testing import Result

from gitreload.checkouts import Checkouts
from gitreload.ledger import Claimed, Done, Draft, KnownCourse, Ledger, Revisions
from gitreload.locks import Lock, slot_path
from gitreload.model import Action, Imported, Mark, Reason
from helpers import Remote, run_command

COMMAND = Path(sys.executable).with_name("gitreload")
SECRET = "correct-horse-battery-staple"
OLD, NEW = "1f" * 20, "2e" * 20


@dataclass
class Host:
    """Runs commands: `run` in this process, `command` as installed."""

    folder: Path
    remote: Remote

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.repodir = self.folder / "repos"
        self.state_dir = self.folder / "state"
        self.configure()

    def configure(self, **values: Any) -> None:
        config = {
            "REPODIR": str(self.repodir),
            "STATE_DIR": str(self.state_dir),
            "WEBHOOK_SECRETS": [SECRET],
            "PORT": 0,
            "RECONCILE_MINUTES": 0,
            **self._platform(),
            **values,
        }
        (self.folder / "gr.env.json").write_text(json.dumps(config))

    def _platform(self) -> dict[str, str]:
        """What looks like one; nothing is imported."""
        places = {"EDX_PLATFORM": self.folder / "platform", "VIRTUAL_ENV": self.folder / "venv"}
        for file in places["EDX_PLATFORM"] / "manage.py", places["VIRTUAL_ENV"] / "bin/python":
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(0o755)
        return {key: str(place) for key, place in places.items()}

    def clone(self, directory: str) -> Path:
        return self.remote.clone(self.repodir / directory)

    @property
    def environment(self) -> dict[str, str]:
        # Output is buffered, as it is for operators.
        return {"GITRELOAD_CONFIG": str(self.folder / "gr.env.json"), "PYTHONUNBUFFERED": ""}

    def run(self, *args: str) -> Result:
        return run_command(*args, env=self.environment)

    def done(self, *args: str) -> str:
        """What a command that succeeds prints."""
        result = self.run(*args)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *args: str) -> Any:
        return json.loads(self.done(*args, "--json"))

    def failed(self, *args: str) -> str:
        """The complaint of a command that fails."""
        result = self.run(*args)
        assert result.exit_code == 1, result.output
        return result.stderr

    def command(
        self,
        *args: str,
        program: str | Path = COMMAND,
        env: dict[str, str] | None = None,
        stdout: int | IO[str] = subprocess.PIPE,
        stderr: int | IO[str] = subprocess.PIPE,
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(program), *args],
            cwd=self.folder,
            env=os.environ | self.environment | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )

    @contextmanager
    def working(self) -> Iterator[None]:
        """Seem to be a process that works."""
        slot = Lock.take(slot_path(self.state_dir, 0))
        assert slot is not None
        with slot:
            yield


@pytest.fixture
def host(tmp_path: Path, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> Host:
    """One checkout, `course`, and no ledger yet."""
    # For the installed command and for calls in this process alike.
    monkeypatch.chdir(tmp_path)
    host = Host(tmp_path, remote)
    host.clone("course")
    return host


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


class Book:
    """The ledger as a worker uses it."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def begin(self, *lines: str) -> Claimed:
        """Claim the next job and write these lines into its log."""
        claimed = self.ledger.claim("worker")
        assert claimed is not None
        log = self.ledger.logs.open(claimed.attempt.id)
        for line in lines:
            log.write(line)
        self.ledger.logs.close(log)
        return claimed

    def succeed(self, claimed: Claimed) -> None:
        self.ledger.keep_course(claimed.job, KnownCourse("Org/c/run", NEW, "0", frozenset()))
        self.ledger.succeed(claimed, Revisions(OLD, NEW), Done(Imported("Org/c/run", "0")))
        claimed.lock.release()

    def skip(self, claimed: Claimed, why: str) -> None:
        self.ledger.succeed(claimed, Revisions(OLD, NEW), Done(skipped=why))
        claimed.lock.release()

    def fail(self, claimed: Claimed, error: str = "course.xml is missing") -> None:
        self.ledger.fail(claimed, error, None)
        claimed.lock.release()

    def try_again(self, claimed: Claimed, *, failing: bool = False) -> None:
        self.ledger.try_again(claimed, "the remote is away", 300, 5, failing=failing)
        claimed.lock.release()

    def tell(
        self, job: int, mark: Mark, result: str | None = None, error: str | None = None
    ) -> None:
        """A reporter owes this of the job, and it became this."""
        draft = Draft("commit status", "https://forge.example", NEW, mark, "what became of it")
        self.ledger.report([job], lambda _job, _told: [draft])
        if result is not None:
            self.ledger.end_report(self.ledger.reports(job)[-1], result, error)


@pytest.fixture
def book(host: Host) -> Iterator[Book]:
    ledger = Ledger.open(host.state_dir)
    yield Book(ledger)
    ledger.close()


@pytest.fixture
def late(host: Host) -> str:
    """A job that has been waiting for four hours; what is told of it."""
    checkout = Checkouts(host.repodir, {}).get("course")
    assert checkout is not None
    ledger = Ledger.open(host.state_dir, clock=lambda: time.time() - 4 * 3600 - 60)
    ledger.enqueue([checkout], Action.IMPORT, Reason.SYNC)
    ledger.close()
    return "course has been behind for 4 hours, waiting for job 1, which no worker has taken: "
