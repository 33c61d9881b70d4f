"""The life of a job once it is claimed: run, and ended or queued again. Each function is one step.

All take a connection inside a transaction; `Ledger` opens those.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from gitreload.ledger import after, reconciling
from gitreload.ledger.tables import (
    ATTEMPT_RUNNING,
    attempts,
    checkouts,
    in_state,
    job_deliveries,
    jobs,
)
from gitreload.model import Action, Attempt, Group, Imported, Job, Reason, State

BY_HAND = "cancelled by hand"


@dataclass(frozen=True, slots=True)
class Revisions:
    """Where the update found the checkout, and where it left it."""

    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Done:
    """What a job did after its update: what it imported, and for what served AFTER has succeeded.

    `skipped` says why it had nothing to do.
    """

    imported: Imported | None = None
    served: str | None = None
    skipped: str | None = None


NO_MORE = Done()


def job_query() -> Select[Any]:
    """Every job with what its checkout tells of it."""
    names = ("directory", "path", "origin", "held", "follows")
    of_checkout = [checkouts.c[name] for name in names]
    return select(jobs, *of_checkout).join(checkouts, checkouts.c.id == jobs.c.checkout_id)


def job_of(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        checkout_id=row.checkout_id,
        directory=row.directory,
        path=row.path,
        origin=row.origin,
        action=Action(row.action),
        state=State(row.state),
        reason=Reason(row.reason),
        queued_at=row.queued_at,
        due_at=row.due_at,
        tries=row.tries,
        failing=row.failing,
        lags=row.lags,
        force=row.force,
        wanted=row.wanted,
        error=row.error,
        exclusion=row.exclusion,
        superseded_by=row.superseded_by,
        started_at=row.started_at,
        finished_at=row.finished_at,
        from_revision=row.from_revision,
        to_revision=row.to_revision,
        held=row.held and row.state == State.QUEUED.value and not row.only_after,
        only_after=row.only_after,
        skipped=row.skipped,
        follows=row.follows,
        guarded=frozenset((row.guarded or "").split()),
    )


def attempt_of(row: Row[Any]) -> Attempt:
    return Attempt(
        id=row.id,
        job_id=row.job_id,
        worker=row.worker,
        marker=row.marker,
        started_at=row.started_at,
        finished_at=row.finished_at,
        result=row.result,
        error=row.error,
        group=None if row.pgid is None else Group(row.pgid, row.pgid_started),
        from_revision=row.from_revision,
        to_revision=row.to_revision,
    )


def get(connection: Connection, job_id: int) -> Job | None:
    row = connection.execute(job_query().where(jobs.c.id == job_id)).one_or_none()
    return None if row is None else job_of(row)


def note_group(connection: Connection, attempt_id: int, group: Group) -> None:
    connection.execute(
        update(attempts)
        .where(attempts.c.id == attempt_id)
        .values(pgid=group.pgid, pgid_started=group.started)
    )


def close_attempt(
    connection: Connection,
    attempt_id: int,
    result: str,
    now: float,
    error: str | None = None,
    revisions: Revisions | None = None,
) -> None:
    values: dict[str, Any] = {
        "result": result,
        "finished_at": now,
        "error": error,
        "pgid": None,
        "pgid_started": None,
    }
    if revisions is not None:
        values |= {"from_revision": revisions.before, "to_revision": revisions.after}
    connection.execute(update(attempts).where(attempts.c.id == attempt_id).values(values))


def succeed(
    connection: Connection,
    job: Job,
    now: float,
    revisions: Revisions,
    done: Done,
) -> None:
    """End the job well, and keep on its checkout what was reached."""
    _finish(connection, job, State.SUCCEEDED, now, None, revisions, done.skipped)
    reached = _reached(job, revisions)
    if job.action is Action.IMPORT and not job.only_after:
        reached |= {"settled": revisions.after}
    if done.imported is not None:
        reached |= after.imported(revisions.after, done.imported)
    if done.served is not None:
        reached |= {"after_served": done.served, "after_owed": False}
    _keep(connection, job, reached)


def fail(
    connection: Connection,
    job: Job,
    now: float,
    error: str,
    revisions: Revisions | None,
    guarded: Collection[str],
) -> None:
    """End the job badly; `guarded` has digests of the losses that `GUARD` refused."""
    _finish(connection, job, State.FAILED, now, error, revisions, guarded=guarded)
    _keep(connection, job, _reached(job, revisions))


def cancel(connection: Connection, job: Job, now: float) -> None:
    _finish(connection, job, State.CANCELLED, now, BY_HAND, None)


def requeue(connection: Connection, job: Job, now: float, due_at: float, **changes: Any) -> int:
    """Queue a running job again, and return the id of the job that now stands for it.

    Where a queued job of the checkout exists already (a push came during the run), they merge:
    its deliveries are linked to that one, and this one ends as superseded by it. A job that
    somebody asked to cancel meanwhile is cancelled instead. One that does not run any more was
    ended by somebody else, and is left as it is.
    """
    running = connection.execute(
        select(jobs.c.cancel, jobs.c.force).where(jobs.c.id == job.id, in_state(State.RUNNING))
    ).one_or_none()
    if running is None:
        return job.id
    if running.cancel:
        cancel(connection, job, now)
        return job.id
    queued = connection.execute(
        select(jobs.c.id, jobs.c.action).where(
            in_state(State.QUEUED),
            jobs.c.checkout_id == job.checkout_id,
            jobs.c.only_after.is_(job.only_after),
        )
    ).one_or_none()
    if queued is None:
        connection.execute(
            update(jobs)
            .where(jobs.c.id == job.id)
            .values(
                state=State.QUEUED.value,
                due_at=due_at,
                started_at=None,
                exclusion=None,
                news=bool(changes.get("failing")),
                **changes,
            )
        )
        return job.id
    importing = Action.IMPORT.value in (queued.action, job.action.value)
    connection.execute(
        update(jobs)
        .where(jobs.c.id == queued.id)
        .values(
            action=(Action.IMPORT if importing else Action.UPDATE).value,
            force=True if running.force else jobs.c.force,
            wanted=func.coalesce(jobs.c.wanted, job.wanted),
        )
    )
    link_deliveries(connection, job.id, queued.id)
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job.id)
        .values(
            state=State.SUPERSEDED.value,
            superseded_by=queued.id,
            finished_at=now,
            exclusion=None,
            error=changes.get("error"),
            news=True,
        )
    )
    return int(queued.id)


def link_deliveries(connection: Connection, source: int, target: int) -> None:
    """Link to job `target` what is linked to job `source`."""
    old = job_deliveries.alias("old")
    there = exists().where(
        job_deliveries.c.job_id == target, job_deliveries.c.delivery_id == old.c.delivery_id
    )
    columns = [column.name for column in job_deliveries.columns if column.name != "job_id"]
    moved = select(literal(target), *(old.c[name] for name in columns)).where(
        old.c.job_id == source, ~there
    )
    connection.execute(insert(job_deliveries).from_select(["job_id", *columns], moved))


def interrupt(connection: Connection, job: Job, attempt: Attempt, now: float, why: str) -> int:
    """End an attempt from outside, and queue its job again at once, or cancel it where asked."""
    standing = requeue(connection, job, now, now)
    ended = get(connection, job.id)
    cancelled = ended is not None and ended.state is State.CANCELLED
    close_attempt(connection, attempt.id, "cancelled" if cancelled else "interrupted", now, why)
    return standing


def set_held(connection: Connection, checkout_id: int, *, held: bool) -> None:
    """Let the queued jobs of a checkout wait, or not any more."""
    connection.execute(update(checkouts).where(checkouts.c.id == checkout_id).values(held=held))


def ask_cancel(connection: Connection, job: Job, now: float) -> Job:
    """Cancel a queued job at once; ask the worker of a running one to stop. What it is now."""
    # Each only if the job is still in that state: it may have been claimed since it was read.
    this = update(jobs).where(jobs.c.id == job.id)
    connection.execute(
        this.where(in_state(State.QUEUED)).values(
            state=State.CANCELLED.value, finished_at=now, error=BY_HAND, failing=False, news=True
        )
    )
    connection.execute(this.where(in_state(State.RUNNING)).values(cancel=True))
    return get(connection, job.id) or job


def cancelling(connection: Connection) -> Sequence[int]:
    """Running jobs that somebody asked to stop."""
    return (
        connection.execute(
            select(jobs.c.id).where(in_state(State.RUNNING), jobs.c.cancel.is_(True))
        )
        .scalars()
        .all()
    )


def running_workers(connection: Connection) -> set[str]:
    """The workers, dead ones too, that attempts are said to run in."""
    return set(connection.execute(select(attempts.c.worker).where(ATTEMPT_RUNNING)).scalars())


def running_attempts(connection: Connection) -> list[tuple[Job, Attempt]]:
    """What the ledger believes to be running, with the attempt of each."""
    rows = connection.execute(select(attempts).where(ATTEMPT_RUNNING)).all()
    found = []
    for row in rows:
        job = get(connection, row.job_id)
        if job is not None:
            found.append((job, attempt_of(row)))
    return found


def _reached(job: Job, revisions: Revisions | None) -> dict[str, Any]:
    """What an ended job leaves on its checkout. What was seen of the remote before is old then."""
    if job.only_after:
        return {}
    done = {"action": job.action.value}
    if revisions is None:
        return done
    return {**done, "revision": revisions.after, **reconciling.UNSEEN}


def _keep(connection: Connection, job: Job, values: dict[str, Any]) -> None:
    if values:
        of_job = checkouts.c.id == job.checkout_id
        connection.execute(update(checkouts).where(of_job).values(values))


def _finish(
    connection: Connection,
    job: Job,
    state: State,
    now: float,
    error: str | None,
    revisions: Revisions | None,
    skipped: str | None = None,
    guarded: Collection[str] = (),
) -> None:
    values: dict[str, Any] = {
        "state": state.value,
        "finished_at": now,
        "error": error,
        "skipped": skipped,
        "guarded": " ".join(sorted(guarded)) or None,
        "exclusion": None,
        "failing": False,
        "news": True,
    }
    if revisions is not None:
        values |= {"from_revision": revisions.before, "to_revision": revisions.after}
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(values))
