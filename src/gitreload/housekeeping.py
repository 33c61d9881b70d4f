"""Checkouts tidied while they are idle, one at a time; whoever waits for one comes first."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from gitreload.attempt import Tools
from gitreload.git.tidying import tidy, untidy
from gitreload.ledger import CheckoutRecord, Ledger
from gitreload.locks import Lock
from gitreload.model import Checkout, GitreloadError, Interrupted
from gitreload.process import Runner
from gitreload.visible import visible

logger = logging.getLogger(__name__)

# A checkout is idle when its last job ended so long ago and none is owed to it.
IDLE_SECONDS = 300.0
# How often all are looked at, and how often it is seen whether somebody waits for the one at hand.
LOOK_SECONDS = 600.0
TICK_SECONDS = 0.2
# Of all processes on the machine, these have the least to say.
NICENESS = 19


class Housekeeper:
    """`run` it in a thread, until `stopping` is set. Of all processes with this ledger one acts."""

    def __init__(
        self,
        ledger: Ledger,
        tools: Callable[[], Tools],
        wake: Callable[[], None],
        stopping: threading.Event,
    ) -> None:
        self._ledger = ledger
        self._tools = tools
        self._wake = wake
        self._stopping = stopping

    def run(self) -> None:
        """Look for what is to be done, again and again."""
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                lock = Lock.take(self._ledger.state_dir / "housekeeping.lock")
                if lock is None:
                    continue
                with lock:
                    self.attend()
            except (GitreloadError, OSError) as error:
                logger.error("cannot tidy checkouts now: %s", error)
            except Exception:
                logger.exception("cannot tidy checkouts now: an error that should not be")

    def attend(self) -> None:
        """Tidy each idle checkout that needs it. Raises LedgerUnavailable and OSError."""
        before = self._ledger.clock() - IDLE_SECONDS
        records = self._ledger.last_results()
        for checkout in self._tools().checkouts.all():
            if self._stopping.is_set():
                return
            record = records.get(checkout.path)
            if record is not None and _idle_since(record, before) and _untidy(checkout):
                self._tidy(checkout)

    def _tidy(self, checkout: Checkout) -> None:
        lock = self._ledger.lock_checkout(checkout.path)
        if lock is None:
            return
        wanted = threading.Event()
        with lock, ThreadPoolExecutor(1, "housekeeping", _be_nice) as pool:
            done = pool.submit(self._tidied, checkout, lock, wanted)
            try:
                while not done.done():
                    if self._stopping.wait(TICK_SECONDS) or self._is_wanted(checkout):
                        wanted.set()
                        break
            except BaseException:
                wanted.set()
                raise
        if wanted.is_set():
            self._wake()
        done.result()

    def _tidied(self, checkout: Checkout, lock: Lock, stop: threading.Event) -> None:
        name = visible(checkout.directory)
        runner = Runner(log=logger.debug, inherit=(lock.fd,), stop=stop)
        timeout = self._tools().settings.git_timeout_seconds
        try:
            for note in tidy(checkout, runner, timeout=timeout):
                logger.info("tidied %s: %s", name, note)
        except Interrupted:
            logger.info("%s is left as it is for now: it is wanted", name)
        except GitreloadError as error:
            logger.warning("%s cannot be tidied: %s", name, error)

    def _is_wanted(self, checkout: Checkout) -> bool:
        return any(job.path == checkout.path for job in self._ledger.unfinished())


def _idle_since(record: CheckoutRecord, moment: float) -> bool:
    job = record.last_job
    return job is None or (job.finished_at is not None and job.finished_at < moment)


def _untidy(checkout: Checkout) -> bool:
    try:
        return checkout.problem is None and untidy(checkout)
    except OSError as error:
        # Its next job tells it, with the cure.
        logger.debug("%s cannot be looked at: %s", visible(checkout.directory), error)
        return False


def _be_nice() -> None:
    # On Linux a thread has a niceness of its own, which its children inherit.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
