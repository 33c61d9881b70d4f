"""One attempt of a job: update the checkout, publish it, import it; and how that ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from gitreload import git, process
from gitreload.checkouts import Checkouts
from gitreload.config import Settings
from gitreload.importers import Importer
from gitreload.ledger import Claimed, Ledger, LedgerUnavailable, Revisions
from gitreload.ledger.logs import AttemptLog
from gitreload.model import Action, Checkout, Group, Imported, PermanentError, TransientError
from gitreload.publish import HeldError, Published
from gitreload.steps import Step

logger = logging.getLogger(__name__)

# A forge announces a push before all its replicas have it; after these waits its word stands.
LAG_SECONDS = (3.0, 15.0)
# How soon a job looks again whether the course key that another job imports to is free.
EXCLUSION_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Tools:
    """What a worker works with; made anew when the configuration is read again."""

    settings: Settings
    checkouts: Checkouts
    importer: Importer


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
        """Update, publish where that is configured, then import where the job is an import."""
        checkout = self._checkout()
        try:
            updated = self._update(checkout)
        except git.BranchGoneError as error:
            if self._may_lag:
                return self._lags(str(error))
            raise
        self._revisions = Revisions(updated.before, updated.after)
        for note in updated.notes:
            self._log.write(note)
        if updated.lagging and self._may_lag:
            return self._lags(f"the remote does not have {self.job.wanted} yet, as announced")
        try:
            self._publish(checkout, updated.after)
        except HeldError as error:
            return self._held(str(error))
        moved = _moved(updated.before, updated.after)
        ending = (
            self._import(checkout, updated.after, moved)
            if self.job.action is Action.IMPORT
            else self._succeeded(f"updated: {moved}", None)
        )
        self._prepare_next(checkout)
        return ending

    def _prepare_next(self, checkout: Checkout) -> None:
        """Last of all, as nobody waits for it."""
        published = Published.of(self._tools.settings, checkout.directory)
        if published is None:
            return
        try:
            published.make_ready()
        except TransientError as error:
            self._log.write(f"the next revision is not prepared for: {error}")

    @property
    def _may_lag(self) -> bool:
        return self.job.wanted is not None and self.job.lags < len(LAG_SECONDS)

    def _lags(self, why: str) -> Ending:
        return self._postponed(why, LAG_SECONDS[self.job.lags], self.job.lags + 1)

    def _update(self, checkout: Checkout) -> git.Updated:
        settings = self._tools.settings
        return git.update(
            checkout,
            self._runner,
            timeout=settings.git_timeout_seconds,
            clean_policy=settings.repo(checkout.directory).clean,
            wanted=() if self.job.wanted is None else (self.job.wanted,),
            access=self._access,
            extent=git.Extent.of(settings, checkout.directory),
        )

    def _publish(self, checkout: Checkout, revision: str) -> None:
        settings = self._tools.settings
        published = Published.of(settings, checkout.directory)
        if published is None:
            return
        validator = Step(
            "VALIDATE",
            settings.repo(checkout.directory).validator,
            checkout,
            revision,
            published.served(),
            settings.subprocess_timeout_minutes * 60,
        )
        switched = published.publish(
            revision,
            write=lambda folder, index: git.write(
                checkout,
                self._runner,
                revision,
                folder=folder,
                index=index,
                timeout=settings.git_timeout_seconds,
                access=self._access,
            ),
            validate=lambda folder: validator.run(self._runner, str(folder)),
            may_switch=lambda: not self._ledger.held(self.job),
        )
        if switched:
            self._log.write(f"published as {published.link}")

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

    def _import(self, checkout: Checkout, revision: str, moved: str) -> Ending:
        importer = self._tools.importer
        settings = importer.settings_digest(checkout)
        if not self.job.force and self._ledger.imported(self.job) == (revision, settings):
            return self._succeeded(
                f"{moved}; already imported, nothing to do "
                f"(`gitreload sync --force {checkout.directory}` imports it again)",
                None,
            )
        key = importer.course_key(checkout)
        if key is not None and not self._ledger.take_exclusion(self.job, key):
            return self._postponed(
                f"another checkout is importing the course {key} now",
                EXCLUSION_SECONDS,
                self.job.lags,
            )
        imported = importer.run(checkout, revision, self._runner)
        return self._succeeded(f"{moved}; imported {imported.course_key}", imported)

    def _succeeded(self, line: str, imported: Imported | None) -> Ending:
        revisions = self._revisions
        assert revisions is not None, "nothing succeeds without an update"
        return Ending(line, lambda: self._ledger.succeed(self._claimed, revisions, imported))

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

    def failed(self, error: str) -> Ending:
        return Ending(
            f"failed: {error}",
            lambda: self._ledger.fail(self._claimed, error, self._revisions),
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


def _moved(before: str | None, after: str) -> str:
    if before == after:
        return f"at {after[:12]}, as before"
    return f"{before[:12] if before else 'nothing'} → {after[:12]}"
