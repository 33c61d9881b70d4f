"""Checkouts tidied while they are idle, one at a time; whoever waits for one comes first."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from gitreload.attempt import Tools
from gitreload.complaints import Complaints
from gitreload.git.tidying import tidy, untidy
from gitreload.ledger import CheckoutRecord, Ledger
from gitreload.locks import Lock
from gitreload.model import Checkout, GitreloadError, Interrupted
from gitreload.process import Runner, end_run
from gitreload.visible import visible

logger = logging.getLogger(__name__)

# A checkout is idle when its last job ended so long ago and none is owed to it.
IDLE_SECONDS = 300.0
# How often all are looked at, and how often it is seen whether somebody waits for the one at hand.
LOOK_SECONDS = 600.0
TICK_SECONDS = 0.2
# How soon another process takes over from one that died.
LEAD_SECONDS = 1.0
# So long one is left alone that could not be tidied: mostly a person has to mend it.
PAUSE_SECONDS = 86_400.0
# Of all processes on the machine, these have the least to say.
NICENESS = 19

_DUTY = "tidy checkouts"


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
        self._lock: Lock | None = None
        self._complaints = Complaints(logger)
        # When those were tried last that are left alone for now.
        self._vain: dict[str, float] = {}

    def run(self) -> None:
        """Look for what is to be done, again and again."""
        looked = time.monotonic()
        while not self._stopping.is_set():
            with self._complaints.duty(_DUTY):
                if self._leads() and time.monotonic() >= looked + LOOK_SECONDS:
                    looked = time.monotonic()
                    self.attend()
                    self._complaints.over(_DUTY)
            self._stopping.wait(LEAD_SECONDS)
        if self._lock is not None:
            self._lock.release()

    def _leads(self) -> bool:
        """Whether we are the process that tidies.

        A git of the one before us, which was killed, holds its checkout's lock: it is ended first.
        """
        if self._lock is None:
            lock = Lock.take(self._ledger.state_dir / "housekeeping.lock")
            if lock is None:
                return False
            try:
                end_run(None, self._marker)
            except BaseException:
                lock.release()
                raise
            self._lock = lock
            self._wake()
        return True

    @property
    def _marker(self) -> str:
        """What the children of all processes carry that tidy with this ledger, one at a time."""
        return f"housekeeping {self._ledger.state_dir.resolve()}"

    def attend(self) -> None:
        """Tidy each idle checkout that needs it. Raises LedgerUnavailable and OSError."""
        now = self._ledger.clock()
        records = self._ledger.last_results()
        for checkout in self._tools().checkouts.all():
            if self._stopping.is_set():
                return
            record = records.get(checkout.path)
            if record is None or not _idle_since(record, now - IDLE_SECONDS):
                continue
            vain = self._vain.get(checkout.path)
            # A clock that was set back must not make it wait for years.
            if (vain is None or not vain <= now < vain + PAUSE_SECONDS) and _untidy(checkout, now):
                self._tidy(checkout, now)

    def _tidy(self, checkout: Checkout, now: float) -> None:
        lock = self._ledger.lock_checkout(checkout.path)
        if lock is None:
            return
        wanted = threading.Event()
        with lock, ThreadPoolExecutor(1, "housekeeping", _be_nice) as pool:
            done = pool.submit(self._tidied, checkout, now, lock, wanted)
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

    def _tidied(self, checkout: Checkout, now: float, lock: Lock, stop: threading.Event) -> None:
        name = visible(checkout.directory)
        runner = Runner(log=logger.debug, inherit=(lock.fd,), marker=self._marker, stop=stop)
        timeout = self._tools().settings.git_timeout_seconds
        try:
            tidy(
                *(checkout, runner),
                timeout=timeout,
                now=now,
                tell=lambda note: logger.info("tidied %s: %s", name, note),
            )
        except Interrupted:
            logger.info("%s is left as it is for now: it is wanted", name)
            return
        except GitreloadError as error:
            if self._complaints.new(checkout.path, str(error)):
                logger.warning("%s cannot be tidied, and is tried once a day: %s", name, error)
            self._vain[checkout.path] = now
            return
        self._complaints.over(checkout.path)
        # Packs that differ much in size are not joined, however many there are.
        if _untidy(checkout, now):
            self._vain[checkout.path] = now

    def _is_wanted(self, checkout: Checkout) -> bool:
        return bool(self._ledger.unfinished(checkout.path))


def _idle_since(record: CheckoutRecord, moment: float) -> bool:
    job = record.last_job
    return job is None or (job.finished_at is not None and job.finished_at < moment)


def _untidy(checkout: Checkout, now: float) -> bool:
    try:
        return checkout.problem is None and untidy(checkout, now)
    except OSError as error:
        # Its next job tells it, with the cure.
        logger.debug("%s cannot be looked at: %s", visible(checkout.directory), error)
        return False


def _be_nice() -> None:
    # On Linux a thread has a niceness of its own, which its children inherit.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
