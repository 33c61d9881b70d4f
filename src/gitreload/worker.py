"""A job from claim to report: its attempt is run, and the ledger told how that ended."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

from gitreload.attempt import Ending, Run, Tools
from gitreload.ledger import BY_HAND, Claimed, Ledger, LedgerUnavailable
from gitreload.ledger.logs import AttemptLog
from gitreload.model import GitreloadError, Interrupted, Job, PermanentError

logger = logging.getLogger(__name__)

# A transient failure is tried again after 5, 10, 20 and 40 s, then every 5 minutes for ever.
FIRST_RETRY_SECONDS = 5.0
FAST_TRIES = 5
SLOW_RETRY_SECONDS = 300.0
# How soon a ledger that cannot be written is tried again.
LEDGER_RETRY_SECONDS = 2.0


class Stops:
    """The stop events of the attempts that run in this process, by job."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: dict[int, threading.Event] = {}
        self._all = threading.Event()

    @property
    def stopping(self) -> bool:
        return self._all.is_set()

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond the moment when all have to stop."""
        self._all.wait(seconds)

    def enter(self, job_id: int) -> threading.Event:
        with self._lock:
            event = self._events[job_id] = threading.Event()
            if self.stopping:
                event.set()
            return event

    def leave(self, job_id: int) -> None:
        with self._lock:
            del self._events[job_id]

    def stop(self, job_id: int) -> None:
        with self._lock:
            event = self._events.get(job_id)
        if event is not None:
            event.set()

    def stop_all(self) -> None:
        with self._lock:
            self._all.set()
            for event in self._events.values():
                event.set()


class Worker:
    """Runs claimed jobs, one at a time. `tools` is asked for each job anew."""

    def __init__(
        self,
        ledger: Ledger,
        tools: Callable[[], Tools],
        stops: Stops,
        jitter: Callable[[], float] = lambda: random.uniform(0.8, 1.2),  # noqa: S311 - no secret
    ) -> None:
        self._ledger = ledger
        self._tools = tools
        self._stops = stops
        self._jitter = jitter

    def run(self, claimed: Claimed) -> None:
        """One attempt, from the claimed job to what the ledger is told."""
        job = claimed.job
        stop = self._stops.enter(job.id)
        log = self._ledger.logs.open(claimed.attempt.id)
        run = Run(self._ledger, self._tools(), claimed, log, stop)
        try:
            ending = self._ending(run)
            log.write(ending.line)
            _report(job, ending)
            self._tell(ending, log)
        finally:
            self._stops.leave(job.id)
            claimed.lock.release()

    def _tell(self, ending: Ending, log: AttemptLog) -> None:
        """Write the ending, however long the ledger is away; when we stop, recovery does it."""
        while not self._stops.stopping:
            try:
                self._ledger.logs.close(log)
                ending.tell()
            except LedgerUnavailable as error:
                logger.error("the end of an attempt cannot be recorded yet: %s", error)
                self._stops.wait(LEDGER_RETRY_SECONDS)
            except Exception:
                # A defect of ours: as long as it is not told, the job counts as running here.
                logger.exception("the end of an attempt could not be recorded")
                self._stops.wait(LEDGER_RETRY_SECONDS)
            else:
                return
        self._ledger.logs.close(log)
        ending.tell()

    def _ending(self, run: Run) -> Ending:
        try:
            return run.act()
        except Interrupted as error:
            # Single jobs are stopped by hand only.
            return run.interrupted(str(error) if self._stops.stopping else BY_HAND)
        except PermanentError as error:
            return run.failed(error)
        except GitreloadError as error:
            # It may pass by itself: the remote, the machine, or the ledger's disk.
            return self._again(run, str(error))
        except Exception as error:
            # A defect of ours must not lose the job: it stays, and the log has the traceback.
            logger.exception("job %d met an error that should not be", run.job.id)
            return self._again(run, f"internal error, please report it: {error!r}")

    def _again(self, run: Run, error: str) -> Ending:
        tries = run.job.tries + 1
        failing = tries >= FAST_TRIES
        base = SLOW_RETRY_SECONDS if failing else FIRST_RETRY_SECONDS * 2 ** (tries - 1)
        # Reported once, when the fast retries are used up; after that it is no news.
        level = logging.ERROR if tries == FAST_TRIES else logging.WARNING
        return run.again(error, base * self._jitter(), tries, failing=failing, level=level)


def _report(job: Job, ending: Ending) -> None:
    logger.log(
        ending.level, "job %d (%s of %s): %s", job.id, job.action, job.directory, ending.line
    )
