"""The engine that needs no other service: one host, files in `STATE_DIR`.

A living process holds the flock of `workers/<id>.lock`; the kernel frees it however the process
ends. Wake-ups go through named pipes, `wake/<id>`: a byte written there is seen at once by the
process that reads it, and a pipe that nobody reads any more says so.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from gitreload.locks import Lock
from gitreload.model import TransientError

logger = logging.getLogger(__name__)


class EmbeddedEngine:
    """See `gitreload.engines.Engine`."""

    def __init__(self, state_dir: Path) -> None:
        self.worker_id = uuid.uuid4().hex
        self._locks = state_dir / "workers"
        self._pipes = state_dir / "wake"
        self._lock: Lock | None = None
        self._pipe = -1
        self._changed = threading.Condition()
        self._wakes = 0
        self._seen = threading.local()
        self._stopping = False
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        with _explained(self._locks.parent), ExitStack() as undo:
            for folder in (self._locks, self._pipes):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Locked under another name first: whoever looks for dead workers must never find our
            # file before we hold it.
            hidden = self._locks / f".{self.worker_id}"
            lock = Lock.take(hidden)
            assert lock is not None, "nobody else knows this name"
            undo.callback(lock.release)
            undo.callback(hidden.unlink, missing_ok=True)
            shown = hidden.rename(self._lock_path(self.worker_id))
            undo.callback(shown.unlink, missing_ok=True)
            pipe = self._pipes / self.worker_id
            os.mkfifo(pipe, 0o600)
            undo.callback(pipe.unlink, missing_ok=True)
            # Read-write, so that the pipe never reaches its end when the last writer closes it.
            self._pipe = os.open(pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            self._lock = lock
            undo.pop_all()
        self._reader = threading.Thread(target=self._listen, name="wake-ups", daemon=True)
        self._reader.start()

    def stop(self) -> None:
        self._stopping = True
        self._notify()
        _write_byte(self._pipe)
        if self._reader is not None:
            self._reader.join()
        (self._pipes / self.worker_id).unlink(missing_ok=True)
        os.close(self._pipe)
        self._lock_path(self.worker_id).unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.release()

    def wake(self) -> None:
        self._notify()
        wake_all(self._pipes, except_for=self.worker_id)

    def wait(self, seconds: float) -> None:
        with self._changed:
            seen = getattr(self._seen, "wakes", -1)
            self._changed.wait_for(lambda: self._wakes != seen or self._stopping, seconds)
            self._seen.wakes = self._wakes

    def reap(self, running: Collection[str], recover: Callable[[str], bool]) -> None:
        for worker in set(running) | self._entered():
            if worker != self.worker_id:
                self._reap_one(worker, recover)

    def _entered(self) -> set[str]:
        with _explained(self._locks):
            return {path.stem for path in self._locks.glob("*.lock")}

    def _reap_one(self, worker: str, recover: Callable[[str], bool]) -> None:
        path = self._lock_path(worker)
        # Made anew where somebody deleted it: then nobody holds it, and the worker counts as dead.
        with _explained(path):
            lock = Lock.take(path)
        if lock is None:
            return
        with lock:
            if recover(worker):
                path.unlink(missing_ok=True)
                (self._pipes / worker).unlink(missing_ok=True)

    def _lock_path(self, worker: str) -> Path:
        return self._locks / f"{worker}.lock"

    def _listen(self) -> None:
        while not self._stopping:
            select.select([self._pipe], [], [])
            try:
                os.read(self._pipe, 65536)
            except BlockingIOError:
                continue
            self._notify()

    def _notify(self) -> None:
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()


def wake_all(pipes: Path, *, except_for: str | None = None) -> None:
    """Write a byte into the pipe of every process that listens below `pipes`.

    What cannot be woken is told in the log only: it looks by itself every second.
    """
    try:
        waiting = list(pipes.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        logger.warning("no process can be woken, as %s cannot be read: %s", pipes, error.strerror)
        return
    for path in waiting:
        if path.name == except_for:
            continue
        try:
            pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            # ENXIO: nobody reads it; its process died and will be reaped. ENOENT: reaped just now.
            if error.errno not in (errno.ENXIO, errno.ENOENT):
                logger.warning("a process cannot be woken through %s: %s", path, error.strerror)
            continue
        try:
            _write_byte(pipe)
        finally:
            os.close(pipe)


def _write_byte(pipe: int) -> None:
    # Full: it holds wake-ups enough. Broken: its reader died after it was opened.
    with suppress(BlockingIOError, BrokenPipeError):
        os.write(pipe, b"\0")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TransientError(
            f"{path} cannot be used ({error.strerror}): look whether the disk has room and "
            "STATE_DIR is writable for the user that runs gitreload"
        ) from error
