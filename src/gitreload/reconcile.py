"""What webhooks missed: every followed branch is compared with what its checkout was brought to.

A checkout owes the action that was asked for it last, once the tip of its branch is not the
revision which the last finished action left, well or not. It owes none while a job of it is
unfinished, or where its last job was for this very tip and was cancelled, or failed for good
before it could reach it. (The latter is tried once more: the remote answers by now.) A checkout
for which nothing was ever asked is updated, unless somebody has changed it.
"""

from __future__ import annotations

import logging
import os
import random
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gitreload import tips
from gitreload.attempt import Tools
from gitreload.checkouts.revision import revision
from gitreload.complaints import Complaints
from gitreload.git import Git
from gitreload.late import late
from gitreload.ledger import CheckoutRecord, Ledger, Trouble
from gitreload.locks import Lock
from gitreload.model import Action, Checkout, GitreloadError, Interrupted, Reason, State
from gitreload.process import Runner
from gitreload.remotes import mask
from gitreload.sweep import Sweep
from gitreload.tips import Seen
from gitreload.visible import quoted, visible

logger = logging.getLogger(__name__)

# How often it is looked whether a round is due.
TICK_SECONDS = 1.0
# A process that begins to reconcile leaves the remotes so long in peace after the last round began,
# or one that is restarted again and again would ask them all the time.
PAUSE_SECONDS = 60.0
# So many troubles are named in one round; and so many checkouts are noted at a time.
NAMED = 10
BATCH = 100

_DUTY = "reconcile"


def owed(record: CheckoutRecord, tip: str) -> Action | None:
    """What a checkout owes whose branch is at `tip`; None also where nothing was ever asked."""
    job = record.last_job
    if record.revision == tip or job is None:
        return None if record.revision == tip else record.action
    if not job.state.finished and not job.only_after:
        return None
    if job.wanted == tip and (
        job.state is State.CANCELLED
        or (job.state is State.FAILED and job.reason is Reason.RECONCILE)
    ):
        return None
    return record.action


@dataclass(slots=True)
class _Round:
    """What is known when a round begins, and what comes of it."""

    known: dict[str, CheckoutRecord]
    behind: int = 0
    troubles: dict[str, Seen] = field(default_factory=dict)
    news: list[Seen] = field(default_factory=list)

    def last_asked(self, checkouts: list[Checkout]) -> bool:
        """Whether their remote goes last: it did not answer when it was asked before."""
        records = [self.known.get(each.path) for each in checkouts]
        return any(record is not None and record.trouble is not None for record in records)

    def take(self, seen: Seen) -> None:
        """Keep what is new to the ledger."""
        if seen.error is not None:
            self.troubles[seen.checkout.path] = seen
        record = self.known.get(seen.checkout.path)
        if record is None or (record.tip, _text(record.trouble)) != (
            seen.tip,
            _text(seen.error),
        ):
            self.news.append(seen)


class Reconciler:
    """`run` it in a thread, until `stopping` is set. Of all processes with this ledger one acts."""

    def __init__(
        self,
        ledger: Ledger,
        tools: Callable[[], Tools],
        wake: Callable[[], None],
        stopping: threading.Event,
        jitter: Callable[[], float] = lambda: random.uniform(0.9, 1.1),  # noqa: S311 - no secret
    ) -> None:
        self._ledger = ledger
        self._tools = tools
        self._wake = wake
        self._stopping = stopping
        self._jitter = jitter
        self._runner = Runner(log=logger.debug, stop=stopping)
        self._sweep = Sweep(stopping, ledger.clock)
        self._lock: Lock | None = None
        self._rounds = 0
        self._began = 0.0
        self._factor = 1.0
        self._complaints = Complaints(logger)
        # What was told, so that it is told once: the kind of trouble with each checkout's remote,
        # missed pushes, jobs that are late, checkouts that are left alone.
        self._troubles: dict[str, type[GitreloadError]] = {}
        self._alarmed: dict[str, int] = {}
        self._late: set[int] = set()
        self._left_alone: set[str] = set()
        # The tips at which checkouts were that nobody asked us for: to look again takes its time.
        self._found_at: dict[str, str] = {}

    def run(self) -> None:
        """Reconcile whenever that is due."""
        while not self._stopping.is_set():
            with self._complaints.duty(_DUTY):
                try:
                    self.attend()
                except Interrupted:
                    break
            self._stopping.wait(TICK_SECONDS)
        self.leave()

    def leave(self) -> None:
        """Let another process do it."""
        if self._lock is not None:
            self._lock.release()

    def attend(self) -> None:
        """Do a round if that is due, and ours to do.

        Raises GitreloadError and OSError, `Interrupted` where it has to stop.
        """
        minutes = self._tools().settings.reconcile_minutes
        if not minutes or not self._leads():
            return
        now = self._ledger.clock()
        rest = minutes * 60 * self._factor if self._rounds else PAUSE_SECONDS
        # A clock that was set back must not make it wait for years.
        if self._began <= now < self._began + rest:
            return
        self._began, self._factor = now, self._jitter()
        self._rounds += 1
        os.utime(self._lock_path, (now, now))
        self._round()
        self._complaints.over(_DUTY)

    def _leads(self) -> bool:
        """Whether we are the process that reconciles, and when the one before us last did."""
        if self._lock is None:
            with suppress(FileNotFoundError):
                self._began = self._lock_path.stat().st_mtime
            self._lock = Lock.take(self._lock_path)
        return self._lock is not None

    @property
    def _lock_path(self) -> Path:
        return self._ledger.state_dir / "reconcile.lock"

    def _round(self) -> None:
        tools = self._tools()
        so_far = _Round(self._ledger.last_results())
        self._alarm(so_far.known.values())
        self._tell_late(so_far.known.values())
        followed = [each for each in tools.checkouts.all() if each.problem is None]
        remotes = sorted(tips.by_remote(followed, tools.settings), key=so_far.last_asked)
        for answers in tips.look(remotes, tools.settings, self._runner):
            for seen in answers:
                so_far.take(seen)
                if seen.tip is not None:
                    known = so_far.known.get(seen.checkout.path)
                    so_far.behind += self._catch_up(seen.checkout, seen.tip, known)
            if len(so_far.news) >= BATCH:
                self._note(so_far.news)
        self._note(so_far.news)
        self._tell_troubles(so_far.troubles)
        logger.info(
            "reconciled %d checkouts of %d remotes: %d behind, %d without an answer",
            *(len(followed), len(remotes), so_far.behind, len(so_far.troubles)),
        )
        self._sweep.round(tools.settings, followed, so_far.known)

    def _catch_up(self, checkout: Checkout, tip: str, known: CheckoutRecord | None) -> bool:
        """Queue what is owed; whether there was something."""
        if known is None or known.action is None:
            if not self._may_update_unasked(checkout, tip):
                return False
        elif owed(known, tip) is None:
            return False
        job = self._ledger.catch_up(
            checkout,
            tip,
            lambda record: Action.UPDATE if record.action is None else owed(record, tip),
            # Deliveries from before our first round may have found nobody here.
            missed=self._rounds > 1,
        )
        if job is None:
            return False
        self._wake()
        logger.log(
            logging.WARNING if self._rounds > 1 else logging.INFO,
            "%s is behind %s, which is at %s, and no delivery said so: queued job %d",
            *(visible(checkout.directory), mask(visible(checkout.origin or "")), tip[:12], job),
        )
        return True

    def _may_update_unasked(self, checkout: Checkout, tip: str) -> bool:
        """Whether a checkout that nobody asked us for is behind, and nothing would be lost."""
        if self._found_at.get(checkout.path) == tip:
            return False
        if revision(checkout.path) == tip:
            self._found_at[checkout.path] = tip
            return False
        timeout = self._tools().settings.git_timeout_seconds
        try:
            git = Git(checkout, self._runner, timeout=timeout, reading=True)
            free = git.is_as_fetched()
        except Interrupted:
            raise
        except GitreloadError as error:
            logger.warning("%s is behind, and left alone: %s", visible(checkout.directory), error)
            return False
        if free:
            self._left_alone.discard(checkout.path)
        elif checkout.path not in self._left_alone:
            self._left_alone.add(checkout.path)
            name = visible(checkout.directory)
            logger.warning(
                "%s is behind its remote; but somebody has changed it, and nothing was ever asked "
                "for it, so it is left alone until a push, or: gitreload sync --update %s",
                *(name, quoted(checkout.directory)),
            )
        return free

    def _note(self, news: list[Seen]) -> None:
        self._ledger.note_tips([(seen.checkout, seen.tip, seen.error) for seen in news])
        news.clear()

    def _tell_troubles(self, troubles: dict[str, Seen]) -> None:
        """Tell of remotes that do not answer, or do again."""
        kinds = {path: type(seen.error) for path, seen in troubles.items() if seen.error}
        new = [path for path, kind in kinds.items() if self._troubles.get(path) is not kind]
        for path in new[:NAMED]:
            seen = troubles[path]
            name = visible(seen.checkout.directory)
            logger.warning("%s cannot be compared with its remote: %s", name, seen.error)
        if len(new) > NAMED:
            logger.warning(
                "%d more cannot be compared with their remotes; see `gitreload list`",
                len(new) - NAMED,
            )
        again = self._troubles.keys() - kinds.keys()
        if again:
            logger.warning(
                "checkouts that can be compared with their remotes again: %d", len(again)
            )
        self._troubles = kinds

    def _alarm(self, known: Iterable[CheckoutRecord]) -> None:
        """Tell of webhooks that seem broken, again at each further push."""
        missed = {record.path: record.missed for record in known if record.missed is not None}
        for path, found in missed.items():
            told = self._alarmed.get(path, 0)
            # Where there never was a delivery, there may be no webhook at all, on purpose.
            if found.pushes > told and not (told and found.last_delivery is None):
                logger.warning("%s", found.alarm(self._ledger.clock()))
        self._alarmed = {path: found.pushes for path, found in missed.items()}

    def _tell_late(self, known: Iterable[CheckoutRecord]) -> None:
        """Tell of each job that its checkout waits for too long."""
        now = self._ledger.clock()
        found = {
            record.last_job.id: told
            for record in known
            if record.last_job is not None and (told := late(record, now)) is not None
        }
        for job, told in found.items():
            if job not in self._late:
                logger.warning("%s", told)
        self._late = set(found)


def _text(why: GitreloadError | Trouble | None) -> str | None:
    return None if why is None else str(why)
