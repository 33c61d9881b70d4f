"""One attempt of a job: its log, its children, and how it ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from gitreload import git, process
from gitreload.checkouts import Checkouts
from gitreload.config import Settings
from gitreload.guard import GuardedError
from gitreload.importers.choice import Importers
from gitreload.ledger import Claimed, Done, Ledger, LedgerUnavailable, Revisions
from gitreload.ledger.logs import AttemptLog
from gitreload.model import Checkout, Group, PermanentError
from gitreload.publish import HeldError
from gitreload.work import Postponed, Work

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What a worker works with; made anew when the configuration is read again."""

    settings: Settings
    checkouts: Checkouts
    importers: Importers


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended: a line for its log, and how the ledger is told."""

    line: str
    tell: Callable[[], object]
    level: int = logging.INFO


class Run:
    """One run of a job."""

    def __init__(
        self,
        ledger: Ledger,
        tools: Tools,
        claimed: Claimed,
        log: AttemptLog,
        stop: threading.Event,
    ) -> None:
        self.job = claimed.job
        self._ledger = ledger
        self._tools = tools
        self._claimed = claimed
        self._log = log
        self._revisions: Revisions | None = None
        self._access = git.Access.of(tools.settings, claimed.job.directory)
        self._runner = process.Runner(
            log=log.write,
            started=self._started,
            inherit=(claimed.lock.fd,),
            marker=claimed.attempt.marker,
            stop=stop,
            secrets=self._access.secrets,
        )

    def _started(self, group: Group) -> None:
        try:
            self._ledger.note_group(self._claimed.attempt, group)
        except LedgerUnavailable as error:
            # After a crash the marker in the children's environment finds them all the same.
            logger.warning("the process group of job %d is not recorded: %s", self.job.id, error)

    def act(self) -> Ending:
        """Do what the job is for. Raises what goes wrong."""
        checkout = self._checkout()
        work = Work(
            *(self.job, checkout, self._ledger, self._tools.settings),
            self._tools.importers.of(checkout),
            *(self._runner, self._access),
        )
        try:
            if self.job.only_after:
                self._revisions, line, done = work.after_alone()
            else:
                self._revisions = work.update()
                line, done = work.finish(self._revisions)
        except Postponed as why:
            return self._postponed(str(why), why.seconds, why.lags)
        except HeldError as error:
            return self._held(str(error))
        return self._succeeded(line, self._revisions, done)

    def _checkout(self) -> Checkout:
        checkout = self._tools.checkouts.get(self.job.directory)
        if checkout is None or checkout.path != self.job.path:
            raise PermanentError(
                f"{self.job.directory} is no longer a checkout at {self.job.path}: clone it again "
                "there, then push or run `gitreload sync`"
            )
        if checkout.problem is not None:
            raise PermanentError(checkout.problem)
        return checkout

    def _succeeded(self, line: str, revisions: Revisions, done: Done) -> Ending:
        return Ending(line, lambda: self._ledger.succeed(self._claimed, revisions, done))

    def _postponed(self, why: str, delay: float, lags: int) -> Ending:
        return Ending(
            f"{why}; looking again in {delay:.0f} s",
            lambda: self._ledger.postpone(self._claimed, why, delay, lags),
        )

    def _held(self, why: str) -> Ending:
        return Ending(
            f"{why}; this job goes on once it is released",
            lambda: self._ledger.postpone(self._claimed, why, 0, self.job.lags),
        )

    def failed(self, error: PermanentError) -> Ending:
        guarded = error.digests if isinstance(error, GuardedError) else ()
        return Ending(
            f"failed: {error}",
            lambda: self._ledger.fail(self._claimed, str(error), self._revisions, guarded),
            logging.ERROR,
        )

    def again(self, error: str, delay: float, tries: int, *, failing: bool, level: int) -> Ending:
        return Ending(
            f"failed: {error}; trying again in {delay:.0f} s (try {tries})",
            lambda: self._ledger.try_again(self._claimed, error, delay, tries, failing=failing),
            level,
        )

    def interrupted(self, why: str) -> Ending:
        # The ledger tells a cancelled job from one whose worker has to stop.
        return Ending(
            f"stopped: {why}",
            lambda: self._ledger.interrupted(self.job, self._claimed.attempt, why),
        )
