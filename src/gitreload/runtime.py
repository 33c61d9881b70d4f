"""What one process needs to keep every promise: ledger, receiver, engine and workers.

A runtime belongs to one process id. It is never taken along by a fork: threads do not survive
one, and SQLite must not be used across one. The child gets its own.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from gitreload import config, logs, worker
from gitreload.checkouts import Checkouts
from gitreload.engines import Engine
from gitreload.engines.embedded import EmbeddedEngine
from gitreload.importers.git_add_course import GitAddCourse
from gitreload.ledger import Ledger, LedgerUnavailable
from gitreload.locks import Lock, slot_path
from gitreload.model import GitreloadError, PermanentError
from gitreload.receiver import Receiver
from gitreload.tokens import read_token
from gitreload.worker import Stops, Tools, Worker

logger = logging.getLogger(__name__)

# How often slots, dead workers and requests to cancel are looked at.
TICK_SECONDS = 1.0
PRUNE_SECONDS = 3600.0
START_RETRY_SECONDS = 5.0
# After a fork, servers still drop privileges and change directory: files made before that would
# belong to the wrong user.
FORK_SECONDS = 1.0


class Runtime:
    """Built from a configuration; `start` once, `stop` once."""

    def __init__(self, loaded: config.Config, *, serving: bool = True) -> None:
        self.config = loaded
        self._serving = serving
        self._tools = make_tools(loaded.settings)
        self._stops = Stops()
        self._stopping = threading.Event()
        self._beginning = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._slots: dict[int, threading.Thread] = {}
        self._pruned_at = 0.0
        self.ledger: Ledger | None = None
        self.receiver: Receiver | None = None
        self._engine: Engine | None = None

    def start(self) -> None:
        """Open the ledger, then receive and work. Where `stop` came first, nothing stays begun.

        Raises PermanentError where that can never be; TransientError or LedgerUnavailable where
        it cannot be now, and then `start` may be called again.
        """
        settings = self.config.settings
        with ExitStack() as undo:
            ledger = Ledger.open(settings.state_dir)
            undo.callback(ledger.close)
            engine = EmbeddedEngine(settings.state_dir)
            engine.start()
            undo.callback(engine.stop)
            ledger.enter_worker(engine.worker_id)
            undo.callback(_leave, ledger, engine)
            if self._serving:
                _make_token(settings.state_dir)
            with self._beginning:
                if not self._stopping.is_set():
                    undo.pop_all()
                    self._begin(ledger, engine)

    def start_patiently(self) -> None:
        """Start now, or in the background as soon as the cause is gone. Raises PermanentError."""
        try:
            self.start()
        except PermanentError:
            raise
        except GitreloadError as error:
            logger.error("not started yet: %s; trying every %g s", error, START_RETRY_SECONDS)
            self._spawn(self._start_later, "starter")

    def stop(self, grace: float) -> None:
        """Claim no more, let attempts end for `grace` seconds, then end them: they stay queued."""
        with self._beginning:  # a start in another thread is done, or undoes itself when it is
            self._stopping.set()
        if self.receiver is not None:
            self.receiver.stop()
        if self._engine is None or self.ledger is None:
            return
        self._engine.wake()
        deadline = time.monotonic() + grace
        self._join(deadline)
        self._stops.stop_all()
        self._join(time.monotonic() + 30)
        _leave(self.ledger, self._engine)
        self._engine.stop()
        self.ledger.close()

    def hurry(self) -> None:
        """End the attempts that a `stop` in another thread still waits for."""
        self._stops.stop_all()

    def reload(self, loaded: config.Config) -> None:
        """Work with another configuration from the next request and job on."""
        self.config = loaded
        self._tools = make_tools(loaded.settings)
        if self._engine is not None:
            self._engine.wake()

    def ready(self) -> None:
        """Whether pushes are taken and worked on. Raises GitreloadError saying what is missing."""
        if self.ledger is None or self._engine is None:
            raise LedgerUnavailable("the ledger is not open yet; the log says why")
        self.ledger.check_writable(self._engine.worker_id)
        dead = [thread.name for thread in self._threads if not thread.is_alive()]
        if dead:
            raise PermanentError(f"threads ended unexpectedly: {', '.join(dead)}; restart")

    @property
    def tools(self) -> Tools:
        return self._tools

    def _begin(self, ledger: Ledger, engine: Engine) -> None:
        self.ledger, self._engine = ledger, engine
        if self._serving:
            self.receiver = Receiver(ledger, lambda: self._tools.checkouts, engine.wake)
            self.receiver.start()
        self._spawn(self._keep, "keeper")

    def _spawn(self, target: Callable[[], None], name: str) -> threading.Thread:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _join(self, deadline: float) -> None:
        for thread in [*self._threads, *self._slots.values()]:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start_later(self) -> None:
        while not self._stopping.wait(START_RETRY_SECONDS):
            try:
                self.start()
            except PermanentError as error:
                logger.critical("cannot start: %s", error)
                return
            except GitreloadError as error:
                logger.error("not started yet: %s", error)
            else:
                if self.ledger is not None:
                    logger.warning("started: the cause is gone")
                self._threads.remove(threading.current_thread())
                return

    def _keep(self) -> None:
        """Look after slots, dead workers, requests to cancel and old history, for ever."""
        engine, ledger = self._engine, self.ledger
        assert engine is not None, "started"
        assert ledger is not None, "started"
        while not self._stopping.is_set():
            try:
                engine.reap(ledger.running_workers(), lambda dead: worker.recover(ledger, dead))
                for job_id in ledger.cancelling():
                    self._stops.stop(job_id)
                self._prune(ledger)
            except GitreloadError as error:
                logger.error("cannot look after the queue now: %s", error)
            except Exception:
                logger.exception("an error that should not be, while looking after the queue")
            try:
                self._fill_slots(ledger, engine)
            except OSError as error:
                logger.error("no worker slot can be taken now: %s", error)
            self._stopping.wait(TICK_SECONDS)

    def _prune(self, ledger: Ledger) -> None:
        if time.monotonic() - self._pruned_at < PRUNE_SECONDS and self._pruned_at:
            return
        settings = self.config.settings
        ledger.prune(settings.history_days, settings.history_mb)
        self._pruned_at = time.monotonic()

    def _fill_slots(self, ledger: Ledger, engine: Engine) -> None:
        """A slot is a lock: whichever process holds it works. So NUM_THREADS counts per host."""
        settings = self.config.settings
        for number in range(settings.num_threads):
            thread = self._slots.get(number)
            if thread is not None and thread.is_alive():
                continue
            slot = Lock.take(slot_path(settings.state_dir, number))
            if slot is None:
                continue
            thread = threading.Thread(
                target=self._work, args=(number, slot, ledger, engine), daemon=True,
                name=f"worker {number}",
            )  # fmt: skip
            self._slots[number] = thread
            thread.start()

    def _work(self, number: int, slot: Lock, ledger: Ledger, engine: Engine) -> None:
        runner = Worker(ledger, lambda: self._tools, self._stops)
        with slot:
            while not self._stopping.is_set() and number < self.config.settings.num_threads:
                try:
                    claimed = ledger.claim(engine.worker_id)
                    if claimed is None:
                        engine.wait(_until(ledger.next_due(), ledger.clock()))
                    else:
                        runner.run(claimed)
                except LedgerUnavailable as error:
                    logger.error("cannot work now: %s", error)
                    self._stopping.wait(TICK_SECONDS)


def _leave(ledger: Ledger, engine: Engine) -> None:
    try:
        ledger.leave_worker(engine.worker_id)
    except LedgerUnavailable as error:
        logger.warning("this worker stays listed until the next start: %s", error)


def _make_token(state_dir: Path) -> None:
    """Now, so that the operator finds it before the first reader needs it."""
    try:
        read_token(state_dir)
    except OSError as error:
        logger.error("there is no token for readers from elsewhere: %s", error)


def _until(due: float | None, now: float) -> float:
    # At most a tick: a job may also wait for a lock that a dying process holds.
    return TICK_SECONDS if due is None else min(max(due - now, 0.01), TICK_SECONDS)


def make_tools(settings: config.Settings) -> Tools:
    """What receivers and workers need of the configuration."""
    return Tools(settings, Checkouts.of(settings), GitAddCourse(settings))


class _Current:
    """The runtime of this process, made on first access, made anew after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runtime: Runtime | None = None
        # Runtimes of our parents. Kept, never closed: closing their connections here would
        # drop locks, and their threads do not exist in this process.
        self._inherited: list[Runtime] = []

    def get(self) -> Runtime:
        with self._lock:
            if self._runtime is None:
                loaded = config.load()
                logs.configure(loaded.settings)
                runtime = Runtime(loaded)
                runtime.start_patiently()
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
            logger.critical("process %d cannot start: %s", os.getpid(), error)


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


def stop_current() -> None:
    """Stop this process's runtime, as its exit would: running attempts get their grace."""
    _current.stop()
