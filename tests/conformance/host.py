"""A process with one engine that does what it is told: a command a line in, a line out when done.

It is to an engine what a server is; `recover` works on a directory that stands for the ledger:
`running/<worker>` is an attempt that the ledger believes to run.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from gitreload.engines import Engine

from .kinds import KINDS


class Recovery:
    """Notes each call, and whether two were ever at work on one worker at the same time."""

    def __init__(self, folder: Path) -> None:
        self._running = folder / "running"
        self._stubborn = folder / "stubborn"
        self._notes = folder / "notes"

    def __call__(self, worker: str) -> bool:
        mark = self._running.parent / f"at-work-{worker}"
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            self._note("overlap", worker)
            return False
        try:
            return self._recover(worker)
        finally:
            mark.unlink()

    def _recover(self, worker: str) -> bool:
        if (self._stubborn / worker).exists():
            self._note("refused", worker)
            return False
        attempt = self._running / worker
        if attempt.exists():
            time.sleep(0.01)  # as long as a real one, so that others may come in between
            attempt.unlink()
            self._note("recovered", worker)
        return True

    def _note(self, what: str, worker: str) -> None:
        with self._notes.open("a") as notes:
            notes.write(f"{what} {worker}\n")


def begin_waits(engine: Engine, seconds: float) -> None:
    """Two threads that wait; both have consumed what came before."""
    ready = threading.Barrier(3)

    def wait() -> None:
        engine.wait(0)
        ready.wait()
        engine.wait(seconds)

    for _ in range(2):
        threading.Thread(target=wait, name="waiter", daemon=True).start()
    ready.wait()


def obey(engine: Engine, recover: Recovery, folder: Path, command: str, argument: str) -> str:
    if command == "start":
        engine.start()
        return engine.worker_id
    if command == "stop":
        engine.stop()
    elif command == "wake":
        engine.wake()
    elif command == "wait":
        engine.wait(float(argument))
    elif command == "two-waiters":
        begin_waits(engine, float(argument))
    elif command == "join-waiters":
        for thread in threading.enumerate():
            if thread.name == "waiter":
                thread.join()
    elif command == "reap":
        for _ in range(int(argument)):
            engine.reap({path.name for path in (folder / "running").iterdir()}, recover)
    elif command == "fork":
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        return str(child)
    return "done"


def main() -> None:
    kind, place, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    engine = KINDS[kind].make(place)
    recover = Recovery(folder)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        print(obey(engine, recover, folder, command, argument), flush=True)


if __name__ == "__main__":
    main()
