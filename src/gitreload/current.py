"""The runtime of this process, for WSGI and ASGI servers: begun on access, and after a fork."""

from __future__ import annotations

import atexit
import os
import threading
import time

from gitreload import config, logs
from gitreload.model import GitreloadError
from gitreload.runtime import Runtime, end_process

# After a fork, servers still drop privileges and change directory: files made before that would
# belong to the wrong user.
FORK_SECONDS = 1.0
# gunicorn ends when a worker exits with this, instead of starting it again and again:
# https://github.com/benoitc/gunicorn/blob/master/gunicorn/arbiter.py (WORKER_BOOT_ERROR)
BOOT_FAILED = 3


class _Current:
    """The runtime of this process, made on first access, made anew after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runtime: Runtime | None = None
        # Runtimes of our parents. Kept, never closed: closing their connections here would
        # drop locks, and their threads do not exist in this process.
        self._inherited: list[Runtime] = []

    @property
    def begun(self) -> Runtime | None:
        return self._runtime

    def get(self) -> Runtime:
        with self._lock:
            if self._runtime is None:
                loaded = config.load()
                logs.configure(loaded.settings)
                runtime = Runtime(loaded)
                runtime.start_patiently(BOOT_FAILED)
                runtime.tell(f"serves in process {os.getpid()}", alone=False)
                self._runtime = runtime
            return self._runtime

    def stop(self) -> None:
        if self._runtime is not None:
            self._runtime.stop(self._runtime.config.settings.shutdown_grace_seconds)
            self._runtime = None

    def before_fork(self) -> None:
        self._lock.acquire()
        if self._runtime is not None and self._runtime.ledger is not None:
            self._runtime.ledger.database.gate.close()

    def after_in_parent(self) -> None:
        if self._runtime is not None and self._runtime.ledger is not None:
            self._runtime.ledger.database.gate.open()
        self._lock.release()

    def after_in_child(self) -> None:
        self._lock = threading.Lock()
        if self._runtime is None:
            return
        self._inherited.append(self._runtime)
        self._runtime = None
        threading.Thread(target=self._start_soon, daemon=True, name="starter").start()

    def _start_soon(self) -> None:
        # A request that comes earlier starts it at once; without one, work must not wait.
        time.sleep(FORK_SECONDS)
        try:
            self.get()
        except GitreloadError as error:
            end_process(error, BOOT_FAILED)


_current = _Current()
os.register_at_fork(
    before=_current.before_fork,
    after_in_parent=_current.after_in_parent,
    after_in_child=_current.after_in_child,
)
atexit.register(_current.stop)


def current() -> Runtime:
    """This process's runtime for WSGI and ASGI servers, started when first asked for.

    Raises ConfigError or PermanentError, each a sentence for the operator.
    """
    return _current.get()


def begun() -> Runtime | None:
    """The runtime that `current` would give, where it has not to be started. Never waits."""
    return _current.begun


def stop_current() -> None:
    """Stop this process's runtime, as its exit would: running attempts get their grace."""
    _current.stop()
