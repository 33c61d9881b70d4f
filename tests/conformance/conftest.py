from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from .kinds import KINDS, Kind

TESTS = Path(__file__).parent.parent


class Host:
    """A process with an engine of its own. See `conformance.host` for its commands."""

    def __init__(self, kind: str, place: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "conformance.host", kind, place, str(folder)],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.worker_id = ""

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.strip())

    def start(self) -> Host:
        self.worker_id = self.do("start")
        # A thread's first wait may end at once: something may have come before it.
        self.do("wait 0")
        return self

    def begin(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def finish(self, seconds: float = 30) -> str:
        """The answer to what was begun."""
        return self._lines.get(timeout=seconds)

    def busy(self, seconds: float = 0.1) -> bool:
        """Whether what was begun still goes on after that time."""
        try:
            self._lines.put(self._lines.get(timeout=seconds))
        except queue.Empty:
            return True
        return False

    def do(self, command: str) -> str:
        self.begin(command)
        return self.finish()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue


class Stage:
    """Hosts that meet at one place, and the directory that stands for their ledger."""

    def __init__(self, name: str, folder: Path) -> None:
        self.kind: Kind = KINDS[name]
        self._name = name
        self._folder = folder
        for part in ("running", "stubborn", "place"):
            (folder / part).mkdir()
        self.place = self.kind.place(folder / "place")
        self._hosts: list[Host] = []
        self._children: list[int] = []

    def hosts(self, count: int) -> list[Host]:
        """That many processes, started."""
        # They load at the same time, and only then start.
        made = [Host(self._name, self.place, self._folder) for _ in range(count)]
        self._hosts += made
        return [host.start() for host in made]

    def forked_child_of(self, host: Host) -> int:
        child = int(host.do("fork"))
        self._children.append(child)
        return child

    def runs(self, host: Host) -> None:
        """An attempt of that host's is running, as far as the ledger knows."""
        (self._folder / "running" / host.worker_id).touch()

    def cannot_be_recovered(self, host: Host) -> Path:
        """Make it so, until the returned file is deleted."""
        stubborn = self._folder / "stubborn" / host.worker_id
        stubborn.touch()
        return stubborn

    def notes(self) -> list[str]:
        """What became of dead workers, in order: `recovered`, `refused` or `overlap`, and whose."""
        path = self._folder / "notes"
        return path.read_text().splitlines() if path.exists() else []

    def end(self) -> None:
        for child in self._children:  # first, as they hold the pipes of their parents
            os.kill(child, signal.SIGKILL)
        for host in self._hosts:
            host.end()


@pytest.fixture(params=KINDS)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(request.param, tmp_path)
    yield stage
    stage.end()
