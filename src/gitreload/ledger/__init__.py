"""The ledger: every delivery and job, on disk before anybody is told so.

`Ledger` is the only door, and `Questions` the half of it that reads; the modules behind it hold
one part of its SQL each.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from gitreload.ledger import (
    after,
    alarms,
    claiming,
    courses,
    history,
    logs,
    migrate,
    presence,
    queue,
    received,
    reconciling,
    reports,
    statedir,
    views,
)
from gitreload.ledger.after import LastAfter
from gitreload.ledger.alarms import Alarm
from gitreload.ledger.claiming import Claimed
from gitreload.ledger.courses import KnownCourse
from gitreload.ledger.database import Database, LedgerUnavailable, check_sqlite, unavailable
from gitreload.ledger.heard import Heard
from gitreload.ledger.questions import Questions
from gitreload.ledger.queue import BY_HAND, NO_MORE, Done, Revisions
from gitreload.ledger.received import AskedFor, Kept, Received
from gitreload.ledger.reconciling import Missed, Trouble
from gitreload.ledger.record import Arrival, Entry, Recorded, Recorder, Target
from gitreload.ledger.reports import Decide, Draft, Owed, Report, Told
from gitreload.ledger.statements import Statements
from gitreload.ledger.views import CheckoutRecord, LinkedDelivery
from gitreload.locks import Lock, checkout_lock_path
from gitreload.model import (
    Action,
    Attempt,
    Checkout,
    GitreloadError,
    Group,
    Imported,
    Job,
    Outcome,
    Reason,
)

__all__ = [
    "BY_HAND",
    "Alarm",
    "Arrival",
    "AskedFor",
    "CheckoutRecord",
    "Claimed",
    "Done",
    "Draft",
    "Entry",
    "Heard",
    "Kept",
    "KnownCourse",
    "LastAfter",
    "Ledger",
    "LedgerUnavailable",
    "LinkedDelivery",
    "Missed",
    "Owed",
    "Received",
    "Recorded",
    "Report",
    "Revisions",
    "Target",
    "Told",
    "Trouble",
]


class Ledger(Questions):
    """Open with `Ledger.open`; every method is one transaction. Raises LedgerUnavailable."""

    def __init__(self, state_dir: Path, pool: str, clock: Callable[[], float] = time.time) -> None:
        super().__init__(Database(state_dir), pool, clock)
        self.state_dir = state_dir
        self.logs = logs.LogWriter(self.database)
        self._statements: Statements | None = None

    @classmethod
    def open(
        cls, state_dir: Path, pool: str | None = None, clock: Callable[[], float] = time.time
    ) -> Ledger:
        """Check `state_dir`, make or upgrade the tables.

        Raises PermanentError (too old SQLite, network file system, newer ledger, another owner),
        TransientError or LedgerUnavailable (full, read-only).
        """
        check_sqlite()
        statedir.prepare(state_dir)
        ledger = cls(state_dir, pool or socket.gethostname(), clock)
        migrate.migrate(ledger.database, state_dir)
        return ledger

    def close(self) -> None:
        self.logs.stop()
        self.database.close()

    # What comes in.

    def record(self, entries: Sequence[Entry]) -> list[Recorded]:
        """Write deliveries and the jobs they ask for: all in one durable commit, or none."""
        with self._recorder() as recorder:
            return recorder.record(entries)

    def enqueue(
        self, checkouts: Sequence[Checkout], action: Action, reason: Reason, *, force: bool = False
    ) -> list[tuple[int, Outcome]]:
        """Queue jobs by hand; each checkout's job, and whether it is new or joins a queued one."""
        now = self.clock()
        with self._recorder() as recorder:
            queued = [
                recorder.queue(
                    recorder.checkout_id(checkout), action, reason, now, None, force=force
                )
                for checkout in checkouts
            ]
        return [(job, outcome) for job, outcome, _ in queued]

    def retry(self, job: Job) -> int:
        """Queue a finished job's action again, with its deliveries; make a waiting one due."""
        now = self.clock()
        with self._recorder() as recorder:
            if job.only_after:
                return after.queue(recorder.connection, job.checkout_id, job.action, now, now)
            new, _, _ = recorder.queue(
                job.checkout_id, job.action, Reason.RETRY, now, job.wanted, force=job.force
            )
            recorder.flush()
            if new != job.id:
                queue.link_deliveries(recorder.connection, job.id, new)
        return new

    def approve(self, job: Job) -> int:
        """Let the next import lose what the job was refused for, and queue that; its id."""
        with self.database.write() as connection:
            courses.approve(connection, job)
        return self.retry(job)

    def replay(self, delivery: Received, targets: Sequence[Target]) -> list[tuple[int, Outcome]]:
        """Queue its action for these checkouts, whatever it brought about before; as `enqueue`."""
        return self._ask_more(delivery.id, delivery.action, Reason.REPLAY, targets)

    def reach(self, delivery: int, action: Action, targets: Sequence[Target]) -> None:
        """Queue jobs for further checkouts that a recorded delivery turned out to reach."""
        self._ask_more(delivery, action, Reason.PUSH, targets)

    def _ask_more(
        self, delivery: int, action: Action, reason: Reason, targets: Sequence[Target]
    ) -> list[tuple[int, Outcome]]:
        now = self.clock()
        with self._recorder() as recorder:
            before = {each.job for each in received.asked_for(recorder.connection, delivery)}
            queued = [
                recorder.queue(
                    recorder.checkout_id(target.checkout), action, reason, now, target.push.after
                )
                for target in targets
            ]
            recorder.link(
                (job, delivery, target.push)
                for (job, _, _), target in zip(queued, targets, strict=True)
                if job not in before
            )
        return [(job, outcome) for job, outcome, _ in queued]

    def catch_up(
        self,
        checkout: Checkout,
        tip: str,
        decide: Callable[[CheckoutRecord], Action | None],
        *,
        missed: bool,
    ) -> int | None:
        """Queue what `decide` says, in the transaction that reads the record it decides by.

        The job, or None. `missed`: had there been a delivery of it, we would know.
        """
        now = self.clock()
        with self._recorder() as recorder:
            checkout_id = recorder.checkout_id(checkout)
            record = views.record(recorder.connection, checkout_id)
            action = decide(record)
            if action is None:
                return None
            job, _, _ = recorder.queue(checkout_id, action, Reason.RECONCILE, now, tip)
            tried_before = record.last_job is not None and record.last_job.wanted == tip
            if missed and not tried_before:
                reconciling.count_missed(recorder.connection, checkout_id, now)
        return job

    def note_tips(self, seen: Sequence[tuple[Checkout, str | None, GitreloadError | None]]) -> None:
        """Keep of each checkout the tip of its branch, or why that cannot be told."""
        now = self.clock()
        with self._recorder() as recorder:
            reconciling.note(
                recorder.connection,
                [(recorder.checkout_id(checkout), tip, why) for checkout, tip, why in seen],
                now,
            )

    @contextmanager
    def _recorder(self) -> Iterator[Recorder]:
        with self.database.write() as connection:
            if self._statements is None:
                self._statements = Statements(connection.dialect)
            recorder = Recorder(connection, self._statements, self.pool)
            yield recorder
            recorder.flush()

    def hold(self, checkout: Checkout) -> None:
        """Let the jobs of the checkout, those to come too, wait until it is released."""
        with self._recorder() as recorder:
            self._set_held(recorder, checkout, held=True)

    def owe_after_rollback(self, checkout: Checkout, seconds: float) -> int:
        """Queue a job that runs AFTER alone, in `seconds`, also while the checkout is held."""
        now = self.clock()
        with self._recorder() as recorder:
            checkout_id = recorder.checkout_id(checkout)
            asked = views.record(recorder.connection, checkout_id).action or Action.UPDATE
            return after.queue(recorder.connection, checkout_id, asked, now, now + seconds)

    def release(self, checkout: Checkout) -> Job | None:
        """Let its jobs run again; the one that waits for that, if any."""
        with self._recorder() as recorder:
            checkout_id = self._set_held(recorder, checkout, held=False)
            return views.waiting(recorder.connection, checkout_id)

    def _set_held(self, recorder: Recorder, checkout: Checkout, *, held: bool) -> int:
        checkout_id = recorder.checkout_id(checkout)
        queue.set_held(recorder.connection, checkout_id, held=held)
        return checkout_id

    # A job's life.

    def claim(self, worker: str) -> Claimed | None:
        """The next job for `worker`, with its checkout's lock taken; None where nothing is due."""
        taken: list[Lock] = []

        def lock(path: str) -> Lock | None:
            held = self.lock_checkout(path)
            if held is not None:
                taken.append(held)
            return held

        try:
            with self.database.write(durable=False) as connection:
                return claiming.claim(
                    connection, worker, self.clock(), lock, self.pool, self.held_by_configuration
                )
        except BaseException:
            # Nothing was claimed: a lock that nobody knows of would keep the checkout for ever.
            for held in taken:
                held.release()
            raise

    def lock_checkout(self, path: str) -> Lock | None:
        """The checkout's lock, None where somebody holds it."""
        lock_path = checkout_lock_path(self.state_dir, path)
        try:
            return Lock.take(lock_path)
        except OSError as error:
            raise unavailable(f"the lock {lock_path}", error) from error

    def take_exclusion(self, job: Job, key: str) -> bool:
        with self.database.write(durable=False) as connection:
            return claiming.take_exclusion(connection, job, key)

    def keep_course(self, job: Job, course: KnownCourse) -> None:
        """Note that the job has imported it, whatever becomes of the rest."""
        with self.database.write() as connection:
            courses.keep(connection, job.checkout_id, course)

    def keep_only_courses(self, job: Job, keys: Collection[str]) -> None:
        """Note that the job's checkout has these courses only; what was approved is spent."""
        with self.database.write() as connection:
            courses.keep_only(connection, job.checkout_id, keys)

    def owe_after(self, job: Job, revision: str, imported: Imported | None) -> None:
        """Note that all of the job but AFTER is done, `imported` too, for `revision`."""
        with self.database.write() as connection:
            after.owe(connection, job, revision, imported)

    def note_group(self, attempt: Attempt, group: Group) -> None:
        with self.database.write(durable=False) as connection:
            queue.note_group(connection, attempt.id, group)

    def succeed(self, claimed: Claimed, revisions: Revisions, done: Done = NO_MORE) -> None:
        with self._ending(claimed, "succeeded", None, revisions) as connection:
            queue.succeed(connection, claimed.job, self.clock(), revisions, done)

    def fail(
        self,
        claimed: Claimed,
        error: str,
        revisions: Revisions | None,
        guarded: Collection[str] = (),
    ) -> None:
        with self._ending(claimed, "failed", error, revisions) as connection:
            queue.fail(connection, claimed.job, self.clock(), error, revisions, guarded)

    def try_again(
        self, claimed: Claimed, error: str, delay: float, tries: int, *, failing: bool
    ) -> int:
        """Queue the job again in `delay` seconds, after a transient failure."""
        now = self.clock()
        with self._ending(claimed, "failed", error, None) as connection:
            return queue.requeue(
                connection, claimed.job, now, now + delay, tries=tries, failing=failing, error=error
            )

    def postpone(self, claimed: Claimed, why: str, delay: float, lags: int) -> int:
        """Queue the job again in `delay` seconds; it costs no try."""
        now = self.clock()
        with self._ending(claimed, "postponed", why, None) as connection:
            return queue.requeue(connection, claimed.job, now, now + delay, lags=lags)

    def interrupted(self, job: Job, attempt: Attempt, why: str) -> int:
        """Queue the job again at once: its attempt was ended from outside, or its worker died."""
        now = self.clock()
        with self.database.write() as connection:
            return queue.interrupt(connection, job, attempt, now, why)

    @contextmanager
    def _ending(
        self, claimed: Claimed, result: str, error: str | None, revisions: Revisions | None
    ) -> Iterator[Connection]:
        with self.database.write() as connection:
            queue.close_attempt(
                connection, claimed.attempt.id, result, self.clock(), error, revisions
            )
            yield connection

    def cancel(self, job: Job) -> Job:
        with self.database.write() as connection:
            return queue.ask_cancel(connection, job, self.clock())

    # What reporters owe.

    def report(self, job_ids: Sequence[int], decide: Decide) -> None:
        """Note what `decide` wants to be told of these jobs, in the transaction that reads them."""
        now = self.clock()
        with self.database.write(durable=False) as connection:
            for job_id in job_ids:
                job = queue.get(connection, job_id)
                if job is not None:
                    reports.report(connection, self._with_hold(job), decide, now)

    def forget_news(self) -> None:
        """Nobody is to be told of what has become of jobs so far."""
        with self.database.write(durable=False) as connection:
            reports.forget(connection)

    def end_report(self, report: Report, result: str, error: str | None = None) -> None:
        """Note that a report was `delivered`, `refused` or is `outdated`."""
        with self.database.write(durable=False) as connection:
            reports.end(connection, report, result, self.clock(), error)

    def try_report_again(self, report: Report, delay: float, error: str) -> None:
        """Deliver a report, and all else that is owed to its place, in `delay` seconds."""
        with self.database.write(durable=False) as connection:
            reports.try_again(connection, report, self.clock() + delay, error)

    def note_alarms(
        self, standing: Mapping[str, Alarm], decide: Callable[[Alarm, bool, Heard], Iterable[Draft]]
    ) -> None:
        """Keep which alarms stand, and note what `decide` wants to be told of those that changed.

        It is given each, whether it is over, and what was told of alarms before.
        """
        now = self.clock()
        with self.database.write() as connection:
            raised, over = alarms.changed(connection, self.pool, standing, now)
            heard = Heard(connection, None)
            for alarm in (*raised, *over):
                for draft in decide(alarm, alarm.subject not in standing, heard):
                    reports.add(connection, draft, now, None)

    # Workers.

    def enter_worker(self, worker: str) -> None:
        now = self.clock()
        with self.database.write(durable=False) as connection:
            presence.enter(connection, worker, self.pool, now)

    def leave_worker(self, worker: str) -> None:
        with self.database.write(durable=False) as connection:
            presence.leave(connection, worker)

    def check_writable(self, worker: str) -> None:
        """Commit something durably: what `/readyz` promises. Raises LedgerUnavailable."""
        with self.database.write() as connection:
            presence.see(connection, worker, self.clock())

    # Upkeep.

    def prune(self, days: int, mebibytes: int) -> int:
        return history.prune(self.database, self.clock(), days, mebibytes)

    def backup(self, target: Path) -> None:
        self.database.backup(target)
