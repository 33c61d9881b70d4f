"""Which job is next, and whose it is. Each function takes a connection inside a transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Container
from dataclasses import dataclass, replace

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    exists,
    insert,
    or_,
    select,
    update,
)

from gitreload.ledger.queue import job_of, job_query
from gitreload.ledger.tables import attempts, checkouts, in_pool, in_state, jobs
from gitreload.locks import Lock
from gitreload.model import Action, Attempt, Job, State


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that is ours to run: its attempt, and the lock of its checkout."""

    job: Job
    attempt: Attempt
    lock: Lock


# What every claim needs, built once: to put the first together takes longer than to run it.
_running = jobs.alias("running")
_taken = exists().where(
    in_state(State.RUNNING, _running),
    or_(
        _running.c.checkout_id == jobs.c.checkout_id,
        and_(
            jobs.c.action == Action.IMPORT.value,
            _running.c.exclusion == checkouts.c.course_key,
        ),
    ),
)
# What was rolled back is held, and its AFTER owed all the same.
_may_run = or_(~checkouts.c.held, jobs.c.only_after)
_DUE = (
    job_query()
    .add_columns(checkouts.c.course_key)
    .where(
        in_state(State.QUEUED),
        jobs.c.due_at <= bindparam("now"),
        in_pool(bindparam("pool")),
        _may_run,
        ~_taken,
    )
    .order_by(jobs.c.due_at, jobs.c.id)
    .execution_options(yield_per=8)
)
_START = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"))
    .values(
        state=State.RUNNING.value,
        started_at=bindparam("started_at"),
        exclusion=bindparam("exclusion"),
    )
)
_NEW_ATTEMPT = insert(attempts).values(result="running").returning(attempts.c.id)


def claim(
    connection: Connection,
    worker: str,
    now: float,
    lock: Callable[[str], Lock | None],
    pool: str,
    held_directories: Container[str] = (),
) -> Claimed | None:
    """The oldest due job of the pool whose checkout and exclusion key are free, or None.

    Those of `held_directories` wait, as those of checkouts do that the ledger has as held.

    `lock(path)` tries to take the checkout's lock: children of a dead worker may still hold it.
    """
    with connection.execute(_DUE, {"now": now, "pool": pool}) as rows:
        for row in rows:
            if row.directory in held_directories and not row.only_after:
                continue
            held = lock(row.path)
            if held is not None:
                break
        else:
            return None
    found = job_of(row)
    exclusion = row.course_key if found.action is Action.IMPORT else None
    job = replace(found, state=State.RUNNING, started_at=now, exclusion=exclusion)
    started = {"job": job.id, "started_at": now, "exclusion": exclusion}
    connection.execute(_START, started)
    marker = secrets.token_hex(8)
    attempt_id = connection.execute(
        _NEW_ATTEMPT, {"job_id": job.id, "worker": worker, "marker": marker, "started_at": now}
    ).scalar_one()
    return Claimed(job, Attempt(attempt_id, job.id, worker, marker, now), held)


_NEXT_DUE = (
    select(jobs.c.due_at)
    .join(checkouts, checkouts.c.id == jobs.c.checkout_id)
    .where(
        in_state(State.QUEUED),
        jobs.c.due_at > bindparam("now"),
        in_pool(bindparam("pool")),
        _may_run,
    )
    .order_by(jobs.c.due_at)
    .limit(1)
)


def next_due(connection: Connection, now: float, pool: str) -> float | None:
    """When the next job that now waits for its time comes due."""
    return connection.execute(_NEXT_DUE, {"now": now, "pool": pool}).scalar()


def take_exclusion(connection: Connection, job: Job, key: str) -> bool:
    """Reserve `key` for this running job; False where another running job has it."""
    taken = connection.execute(
        select(jobs.c.id).where(
            in_state(State.RUNNING), jobs.c.exclusion == key, jobs.c.id != job.id
        )
    ).first()
    # Also where it is taken: then the job is not claimed again before that run has ended.
    connection.execute(
        update(checkouts).where(checkouts.c.id == job.checkout_id).values(course_key=key)
    )
    if taken is not None:
        return False
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(exclusion=key))
    return True
