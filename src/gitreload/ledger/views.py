"""What people ask the ledger: the queue, jobs, attempts, the last result of a checkout."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from gitreload.ledger import courses, reconciling
from gitreload.ledger.queue import attempt_of, get, job_of, job_query
from gitreload.ledger.reconciling import Missed, Trouble
from gitreload.ledger.tables import (
    attempts,
    checkouts,
    deliveries,
    in_pool,
    in_state,
    job_deliveries,
    jobs,
)
from gitreload.model import Action, Attempt, Job, State


@dataclass(frozen=True, slots=True)
class LinkedDelivery:
    """A delivery that asked for a job, and what it announced."""

    id: int
    received_at: float
    forge: str
    delivery_id: str | None
    event: str
    repository: str | None
    ref: str
    before: str | None
    after: str | None
    pusher: str | None


@dataclass(frozen=True, slots=True)
class CheckoutRecord:
    """What the ledger knows of a checkout: its revision, and how its last job ended.

    `held`: its jobs wait until it is released. `action` is what was asked for it last, None where
    nothing ever was. `course_keys` are of the courses that were imported from it last. `tip` is
    that of its remote's branch when it was looked at since the last job, `trouble` why that cannot
    be told. `missed` are pushes that no delivery announced.
    """

    path: str
    directory: str
    revision: str | None
    course_keys: tuple[str, ...]
    last_job: Job | None
    held: bool = False
    action: Action | None = None
    tip: str | None = None
    trouble: Trouble | None = None
    missed: Missed | None = None


def unfinished(connection: Connection, pool: str, path: str | None = None) -> list[Job]:
    """Running jobs first, then the queued in the order in which they will run.

    With the `path` of a checkout, those of that one.
    """
    in_path = and_(checkouts.c.pool == pool, checkouts.c.path == path)
    where = in_pool(pool) if path is None else in_path
    # One query for each state, so that each has an index that holds nothing else.
    return [
        job_of(row)
        for state in (State.RUNNING, State.QUEUED)
        for row in connection.execute(
            job_query().where(in_state(state), where).order_by(jobs.c.due_at, jobs.c.id)
        )
    ]


def find_jobs(
    connection: Connection,
    *,
    states: Collection[State] = (),
    actions: Collection[Action] = (),
    directories: Collection[str] = (),
    limit: int = 50,
) -> list[Job]:
    """Jobs, newest first, narrowed by what is given."""
    query = job_query().order_by(jobs.c.id.desc()).limit(limit)
    if states:
        query = query.where(jobs.c.state.in_([state.value for state in states]))
    if actions:
        query = query.where(jobs.c.action.in_([action.value for action in actions]))
    if directories:
        query = query.where(checkouts.c.directory.in_(directories))
    return [job_of(row) for row in connection.execute(query)]


def follow(connection: Connection, job_id: int) -> Job | None:
    """The job that now stands for `job_id`: itself, or the one at the end of its supersessions."""
    job = get(connection, job_id)
    while job is not None and job.superseded_by is not None:
        job = get(connection, job.superseded_by)
    return job


def attempts_of(connection: Connection, job_id: int) -> list[Attempt]:
    """A job's attempts, with those of the jobs that it superseded, oldest first."""
    wanted = [job_id]
    for found in wanted:
        wanted += connection.execute(
            select(jobs.c.id).where(jobs.c.superseded_by == found)
        ).scalars()
    rows = connection.execute(
        select(attempts).where(attempts.c.job_id.in_(wanted)).order_by(attempts.c.id)
    )
    return [attempt_of(row) for row in rows]


def deliveries_of(connection: Connection, job_id: int) -> list[LinkedDelivery]:
    rows = connection.execute(
        select(
            deliveries.c.id,
            deliveries.c.received_at,
            deliveries.c.forge,
            deliveries.c.delivery_id,
            deliveries.c.event,
            deliveries.c.repository,
            job_deliveries.c.ref,
            job_deliveries.c.before,
            job_deliveries.c.after,
            job_deliveries.c.pusher,
        )
        .join(job_deliveries, job_deliveries.c.delivery_id == deliveries.c.id)
        .where(job_deliveries.c.job_id == job_id)
        .order_by(deliveries.c.id)
    )
    return [LinkedDelivery(*tuple(row)) for row in rows]


def last_results(connection: Connection, pool: str) -> dict[str, CheckoutRecord]:
    """What is known of every checkout of the pool, by its resolved path."""
    last = (
        select(func.max(jobs.c.id).label("id"))
        .where(jobs.c.state != State.SUPERSEDED.value)
        .group_by(jobs.c.checkout_id)
        .subquery()
    )
    newest = {
        row.checkout_id: job_of(row)
        for row in connection.execute(job_query().join(last, last.c.id == jobs.c.id))
    }
    rows = connection.execute(select(checkouts).where(checkouts.c.pool == pool)).all()
    imported = courses.keys(connection, pool)
    return {
        row.path: _record(
            row, newest.get(row.id), reconciling.missed(connection, row), imported.get(row.id, ())
        )
        for row in rows
    }


def record(connection: Connection, checkout_id: int) -> CheckoutRecord:
    """What is known of one checkout that there is."""
    newest = connection.execute(
        job_query()
        .where(jobs.c.checkout_id == checkout_id, jobs.c.state != State.SUPERSEDED.value)
        .order_by(jobs.c.id.desc())
        .limit(1)
    ).one_or_none()
    row = connection.execute(select(checkouts).where(checkouts.c.id == checkout_id)).one()
    missed = reconciling.missed(connection, row)
    imported = tuple(sorted(courses.known(connection, checkout_id)))
    return _record(row, None if newest is None else job_of(newest), missed, imported)


def imported(connection: Connection, checkout_id: int) -> tuple[str | None, str | None]:
    """The revision and importer settings of the checkout's last successful import."""
    row = connection.execute(
        select(checkouts.c.imported_revision, checkouts.c.imported_settings).where(
            checkouts.c.id == checkout_id
        )
    ).one()
    return row.imported_revision, row.imported_settings


def settled(connection: Connection, checkout_id: int) -> str | None:
    """The revision of the checkout's last import that came to its end, or was left out."""
    found = select(checkouts.c.settled).where(checkouts.c.id == checkout_id)
    revision: str | None = connection.execute(found).scalar_one()
    return revision


def held(connection: Connection, checkout_id: int) -> bool:
    """Whether the jobs of the checkout have to wait for its release."""
    found = select(checkouts.c.held).where(checkouts.c.id == checkout_id)
    return bool(connection.execute(found).scalar_one())


def held_paths(connection: Connection, pool: str) -> set[str]:
    """The checkouts of the pool that are held."""
    found = select(checkouts.c.path).where(checkouts.c.pool == pool, checkouts.c.held)
    return set(connection.execute(found).scalars())


def waiting(connection: Connection, checkout_id: int) -> Job | None:
    """The job of the checkout that is queued, held or not; not one that runs AFTER alone."""
    query = job_query().where(
        in_state(State.QUEUED), jobs.c.checkout_id == checkout_id, ~jobs.c.only_after
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else job_of(row)


def _record(
    row: Row[Any], last_job: Job | None, missed: Missed | None, course_keys: tuple[str, ...]
) -> CheckoutRecord:
    # Jobs are pruned; what the last finished one did is kept on the checkout.
    finished = None if row.action is None else Action(row.action)
    return CheckoutRecord(
        path=row.path,
        directory=row.directory,
        revision=row.revision,
        course_keys=course_keys,
        last_job=last_job,
        held=row.held,
        action=finished if last_job is None else last_job.action,
        tip=row.tip,
        trouble=reconciling.trouble(row),
        missed=missed,
    )
