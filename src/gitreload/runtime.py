"""What one process needs to keep every promise: ledger, receiver, engine and workers.

A runtime belongs to one process id. It is never taken along by a fork: threads do not survive
one, and SQLite must not be used across one. The child gets its own.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from gitreload import config, summary
from gitreload.attempt import Tools
from gitreload.authority import Authority
from gitreload.checkouts import Checkouts
from gitreload.engines import Engine
from gitreload.engines.embedded import EmbeddedEngine
from gitreload.housekeeping import Housekeeper
from gitreload.importers.choice import Importers
from gitreload.keeper import Keeper
from gitreload.ledger import Ledger, LedgerUnavailable
from gitreload.model import GitreloadError, PermanentError, TransientError
from gitreload.receiver import Receiver
from gitreload.reconcile import Reconciler
from gitreload.refusals import Refusals
from gitreload.reporters.choice import reporters, tellers
from gitreload.reporting import Reporting
from gitreload.tokens import read_token
from gitreload.watch import Watch
from gitreload.worker import Stops

logger = logging.getLogger(__name__)

START_RETRY_SECONDS = 5.0
# At a stop, what was received is written in milliseconds, unless a disk hangs: then no longer.
RECEIVED_SECONDS = 5.0
# For how long `/readyz` believes that all is well: each look is a durable commit.
READY_SECONDS = 1.0


class Runtime:
    """Built from a configuration; `start` once, `stop` once."""

    def __init__(self, loaded: config.Config, *, serving: bool = True) -> None:
        self.config = loaded
        # Why it is not started yet, a sentence; None once it is.
        self.trouble: str | None = "it is starting"
        self.ledger: Ledger | None = None
        self.receiver: Receiver | None = None
        self._engine: Engine | None = None
        self._keeper: Keeper | None = None
        self._serving = serving
        self._tools = make_tools(loaded.settings)
        self._reporters = reporters(loaded.settings)
        self.authority = Authority(loaded.settings)
        self.refusals = Refusals()
        self._stops = Stops()
        self._stopping = threading.Event()
        self._tellers = tellers(loaded.settings, self._stopping)
        self._beginning = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._looking = threading.Lock()
        self._ready_until = 0.0
        self._versions = ""
        self._tell_when_leading = False

    def start(self) -> None:
        """Open the ledger, then receive and work. Where `stop` came first, nothing stays begun.

        Raises PermanentError where that can never be; TransientError or LedgerUnavailable where
        it cannot be now, and then `start` may be called again.
        """
        settings = self.config.settings
        with ExitStack() as undo:
            ledger = Ledger.open(settings.state_dir)
            ledger.held_by_configuration = settings.held
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

    def start_patiently(self, failed: int) -> None:
        """Start now, or in the background as soon as the cause is gone.

        Raises PermanentError where that can never be. Where it turns out later, the process ends
        with the exit code `failed`.
        """
        self._versions = summary.versions()
        try:
            self.start()
        except PermanentError:
            raise
        except GitreloadError as error:
            self.trouble = str(error)
            self._spawn(lambda: self._start_later(failed), "starter")

    def tell(self, doing: str, *, alone: bool = True) -> None:
        """Log the start, and what is configured.

        Of several processes that start together, not `alone`, the one that gets the first worker
        slot tells the latter.
        """
        summary.tell_start(doing, self._versions, self.trouble)
        if alone:
            summary.tell_all(self.config, self._tools)
        self._tell_when_leading = not alone

    def stop(self, grace: float) -> None:
        """Claim no more, let attempts end for `grace` seconds, then end them: they stay queued."""
        with self._beginning:  # a start in another thread is done, or undoes itself when it is
            self._stopping.set()
        deadline = time.monotonic() + grace
        if self._engine is not None:
            self._engine.wake()
        if self.receiver is not None:
            self.receiver.stop(min(grace, RECEIVED_SECONDS))
        self.refusals.tell_all()
        if self._engine is None or self.ledger is None:
            return
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
        self._tellers = tellers(loaded.settings, self._stopping)
        self._reporters = reporters(loaded.settings)
        self.authority = Authority(loaded.settings)
        if self.ledger is not None:
            self.ledger.held_by_configuration = loaded.settings.held
        if self._engine is not None:
            self._engine.wake()

    def ready(self) -> None:
        """Whether pushes are taken and worked on. Raises GitreloadError saying what is missing."""
        if self._stopping.is_set():
            raise TransientError("gitreload is stopping")
        ledger, engine, keeper = self.ledger, self._engine, self._keeper
        if ledger is None or engine is None or keeper is None:
            raise LedgerUnavailable(f"the ledger is not open yet: {self.trouble}")
        self._check_threads()
        with self._looking:
            if time.monotonic() < self._ready_until:
                return
            ledger.check_writable(engine.worker_id)
            if not keeper.somebody_works():
                raise TransientError(
                    "no process on this host holds a worker slot, so queued jobs wait: if that "
                    "lasts, the log says why none can be taken"
                )
            self._tools.checkouts.check()
            self._ready_until = time.monotonic() + READY_SECONDS

    def _check_threads(self) -> None:
        threads = self._threads + ([] if self.receiver is None else self.receiver.threads)
        dead = [thread.name for thread in threads if not thread.is_alive()]
        if dead:
            raise PermanentError(
                f"threads ended unexpectedly ({', '.join(dead)}): restart gitreload, and look in "
                "the log for what ended them"
            )

    @property
    def tools(self) -> Tools:
        return self._tools

    def _begin(self, ledger: Ledger, engine: Engine) -> None:
        self.ledger, self._engine = ledger, engine
        if self._serving:
            self.receiver = Receiver(ledger, lambda: self._tools.checkouts, engine.wake)
            self.receiver.start()
        self._keeper = Keeper(
            ledger, engine, lambda: self._tools, self._stops, self._stopping, self._lead,
            self.refusals,
        )  # fmt: skip
        self._spawn(self._keeper.run, "keeper")
        reconciler = Reconciler(ledger, lambda: self._tools, engine.wake, self._stopping)
        self._spawn(reconciler.run, "reconciler")
        housekeeper = Housekeeper(ledger, lambda: self._tools, engine.wake, self._stopping)
        self._spawn(housekeeper.run, "housekeeper")
        reporting = Reporting(
            ledger, lambda: self._reporters, lambda: self.config.settings.public_url,
            self._stopping, lambda: self._tellers,
        )  # fmt: skip
        self._spawn(reporting.run, "reporting")
        watch = Watch(ledger, lambda: self.config.settings, lambda: self._tellers, self._stopping)
        self._spawn(watch.run, "watch")
        self.trouble = None

    def _lead(self) -> None:
        if self._tell_when_leading:
            self._tell_when_leading = False
            summary.tell_all(self.config, self._tools)

    def _spawn(self, target: Callable[[], None], name: str) -> threading.Thread:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _join(self, deadline: float) -> None:
        workers = [] if self._keeper is None else self._keeper.workers
        for thread in [*self._threads, *workers]:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start_later(self, failed: int) -> None:
        while not self._stopping.wait(START_RETRY_SECONDS):
            try:
                self.start()
            except PermanentError as error:
                end_process(error, failed)
            except GitreloadError as error:
                self.trouble = str(error)
                logger.error("not started yet: %s", error)
            else:
                if self.ledger is not None:
                    logger.warning("started: the cause is gone")
                self._threads.remove(threading.current_thread())
                return


def end_process(error: GitreloadError, code: int) -> NoReturn:
    """End this process, which can never serve: nothing is begun, so nothing has to be stopped."""
    logger.critical("cannot start: %s", error)
    logging.shutdown()
    # We are in a thread, whose exceptions nobody hears.
    os._exit(code)


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


def make_tools(settings: config.Settings) -> Tools:
    """What receivers and workers need of the configuration."""
    return Tools(settings, Checkouts.of(settings), Importers(settings))
