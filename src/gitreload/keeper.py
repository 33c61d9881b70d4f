"""The upkeep of a running process: worker slots, dead workers, requests to cancel, old history.

The log is told as well of refusals that were only counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from gitreload.attempt import Tools
from gitreload.complaints import Complaints
from gitreload.engines import Engine
from gitreload.ledger import Ledger, LedgerUnavailable
from gitreload.ledger.database import unavailable
from gitreload.locks import Lock, slot_path, somebody_works
from gitreload.recovery import recover
from gitreload.refusals import Refusals
from gitreload.worker import Stops, Worker

logger = logging.getLogger(__name__)

# How often all of it is looked at.
TICK_SECONDS = 1.0
PRUNE_SECONDS = 3600.0


class Keeper:
    """`run` it in a thread, until `stopping` is set; its workers end then too.

    `leads` is called again and again while this process holds the first of the worker slots, as
    only one does of those that share a STATE_DIR.
    """

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine,
        tools: Callable[[], Tools],
        stops: Stops,
        stopping: threading.Event,
        leads: Callable[[], None],
        refusals: Refusals,
    ) -> None:
        self._ledger = ledger
        self._engine = engine
        self._tools = tools
        self._stops = stops
        self._stopping = stopping
        self._leads = leads
        self._refusals = refusals
        self._slots: dict[int, threading.Thread] = {}
        self._pruned_at: float | None = None
        self._complaints = Complaints(logger)

    @property
    def workers(self) -> list[threading.Thread]:
        """The workers of this process, also those that have ended."""
        return list(self._slots.values())

    def somebody_works(self) -> bool:
        """Whether any process on this host has a worker. Raises LedgerUnavailable."""
        if any(thread.is_alive() for thread in self.workers):
            return True
        try:
            return somebody_works(self._tools().settings.state_dir)
        except OSError as error:
            raise unavailable(f"the worker slot {error.filename}", error) from error

    def run(self) -> None:
        """Do all duties, again and again."""
        while not self._stopping.is_set():
            self._attend("recover the jobs of dead workers", self._reap)
            self._attend("look for jobs to cancel", self._cancel)
            self._attend("take worker slots", self._fill_slots)
            self._attend("remove old history", self._prune)
            self._refusals.tell_more()
            if (first := self._slots.get(0)) is not None and first.is_alive():
                self._leads()
            self._stopping.wait(TICK_SECONDS)

    def _attend(self, what: str, duty: Callable[[], None]) -> None:
        """Do one duty, whatever became of the others. What lasts is logged once."""
        with self._complaints.duty(what):
            duty()
            if self._complaints.over(what):
                logger.warning("can %s again", what)

    def _reap(self) -> None:
        ledger = self._ledger
        self._engine.reap(ledger.running_workers(), lambda dead: recover(ledger, dead))

    def _cancel(self) -> None:
        for job_id in self._ledger.cancelling():
            self._stops.stop(job_id)

    def _prune(self) -> None:
        if self._pruned_at is not None and time.monotonic() < self._pruned_at + PRUNE_SECONDS:
            return
        settings = self._tools().settings
        self._ledger.prune(settings.history_days, settings.history_mb)
        self._pruned_at = time.monotonic()

    def _fill_slots(self) -> None:
        """A slot is a lock: whichever process holds it works. So NUM_THREADS counts per host."""
        settings = self._tools().settings
        for number in range(settings.num_threads):
            thread = self._slots.get(number)
            if thread is not None and thread.is_alive():
                continue
            slot = Lock.take(slot_path(settings.state_dir, number))
            if slot is None:
                continue
            thread = threading.Thread(
                target=self._work, args=(number, slot), daemon=True, name=f"worker {number}"
            )
            self._slots[number] = thread
            thread.start()

    def _work(self, number: int, slot: Lock) -> None:
        ledger, engine = self._ledger, self._engine
        runner = Worker(ledger, self._tools, self._stops)
        with slot:
            while not self._stopping.is_set() and number < self._tools().settings.num_threads:
                try:
                    claimed = ledger.claim(engine.worker_id)
                    if claimed is None:
                        engine.wait(_until(ledger.next_due(), ledger.clock()))
                    else:
                        runner.run(claimed)
                except LedgerUnavailable as error:
                    logger.error("cannot work now: %s", error)
                    self._stopping.wait(TICK_SECONDS)


def _until(due: float | None, now: float) -> float:
    # At most a tick: a job may also wait for a lock that a dying process holds.
    return TICK_SECONDS if due is None else min(max(due - now, 0.01), TICK_SECONDS)
