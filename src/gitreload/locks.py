"""Locks that die with their holder: flock(2) on a file, opened in the process that holds it.

The kernel drops such a lock when the last process that has the open file goes away, however it
goes. A child that inherits the descriptor keeps the lock, which is what a checkout's lock wants.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from gitreload import forks

_held: set[Lock] = set()


class Lock:
    """A held lock. `fd` may be passed on to children; `release` ends our own hold of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A fork between opening and noting it: the child could not tell it is a lock's.
        with forks.whole:
            self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _held.add(self)

    @classmethod
    def take(cls, path: Path, *, wait: bool = False) -> Self | None:
        """The lock on `path`, or None where somebody else has it. Raises OSError of the file."""
        while True:
            lock = cls(path)
            try:
                fcntl.flock(lock.fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                # Its holder may have deleted the file before letting go: a lock on what no name
                # leads to any more keeps nobody out.
                current = lock._is_current()
            except BlockingIOError:
                lock.release()
                return None
            except BaseException:
                lock.release()
                raise
            if current:
                return lock
            lock.release()

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self.fd), self.path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Close our descriptor; the lock is free once no child holds it either."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            _held.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _forget_inherited() -> None:
    # A forked copy of the descriptor would keep the lock when our parent dies.
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_forget_inherited)


def checkout_lock_path(state_dir: Path, checkout_path: str) -> Path:
    """Where the lock of the checkout at this resolved path lies: named by digest, as paths nest."""
    digest = hashlib.sha256(os.fsencode(checkout_path)).hexdigest()[:32]
    return state_dir / "locks" / f"{digest}.lock"


def slot_path(state_dir: Path, number: int) -> Path:
    """Where the lock of a worker slot lies: whichever process holds it works."""
    return state_dir / "slots" / f"{number}.lock"


def somebody_works(state_dir: Path) -> bool:
    """Whether any process holds a worker slot. Raises OSError of the files."""
    for path in (state_dir / "slots").glob("*.lock"):
        slot = Lock.take(path)
        if slot is None:
            return True
        slot.release()
    return False


class ForkGate:
    """Lets many pass, and closes while this process forks.

    A thread that is inside SQLite at the moment of a fork leaves the child with a mutex that
    nobody will ever release. So every use of the database passes this gate, and a fork waits
    until all are out (gunicorn's `--preload` and uWSGI fork a process in which workers run).
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextmanager
    def passing(self) -> Iterator[None]:
        with self._changed:
            while self._closed:
                self._changed.wait()
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Keep newcomers out and wait until everybody left."""
        with self._changed:
            self._closed = True
            while self._inside:
                self._changed.wait()

    def open(self) -> None:
        with self._changed:
            self._closed = False
            self._changed.notify_all()
