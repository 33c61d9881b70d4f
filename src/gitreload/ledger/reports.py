"""What reporters owe: made from what became of jobs, kept until it is told.

All take a connection inside a transaction; `Ledger` opens those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, insert, or_, select, update

from gitreload.ledger.heard import Heard, origin
from gitreload.ledger.queue import job_of, job_query
from gitreload.ledger.tables import (
    NEWS,
    OWED,
    checkouts,
    deliveries,
    in_pool,
    in_state,
    job_deliveries,
    jobs,
    reports,
)
from gitreload.model import Job, Mark, State


@dataclass(frozen=True, slots=True)
class Draft:
    """What one reporter is to tell of a job. What goes to one place waits together.

    Who tells events has these in `event`, as text. Then what is owed of the same `subject` goes,
    and not what is owed of the same revision; and it is not due before `due_at` (epoch seconds).
    """

    reporter: str
    place: str
    revision: str | None
    mark: Mark
    sentence: str
    subject: str | None = None
    event: str | None = None
    due_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """A draft, and what has become of it.

    `result` is `owed`, `delivered`, `refused` (for good: `error` says why) or `outdated` (a newer
    one of the same commit or subject took its place, or its reporter is gone). `tries` counts
    deliveries that failed for a transient cause, `error` is the last of these.
    """

    id: int
    job_id: int | None
    reporter: str
    place: str
    revision: str | None
    mark: Mark
    sentence: str
    made_at: float
    due_at: float
    tries: int = 0
    result: str = "owed"
    error: str | None = None
    told_at: float | None = None
    subject: str | None = None
    event: str | None = None


@dataclass(frozen=True, slots=True)
class Owed:
    """A report to deliver, its job, and the forge that last sent a push for its checkout.

    One of an alarm has no job.
    """

    report: Report
    job: Job | None
    forge: str | None


class Told:
    """What was told of a job and its commits so far, or is to be."""

    def __init__(self, connection: Connection, job: Job) -> None:
        self._connection = connection
        self._job = job
        self.forge = forge_of(connection, job)
        self._of_job = of_job(connection, job.id)
        self.heard = Heard(connection, job.checkout_id)

    def origin(self) -> tuple[str | None, str | None]:
        """What the job's checkout follows, and who pushed last for the job, if that is known."""
        return origin(self._connection, self._job)

    def revisions(self, reporter: str) -> list[str]:
        """The revisions that `reporter` told something of for this job, in that order."""
        told = (each.revision for each in self._of_job if each.reporter == reporter)
        return list(dict.fromkeys(filter(None, told)))

    def failed(self, reporter: str, revision: str | None) -> bool:
        """Whether `reporter` told of this job that it fails, at `revision`."""
        return any(
            (each.reporter, each.revision, each.mark) == (reporter, revision, Mark.FAILURE)
            for each in self._of_job
        )

    def last(self, reporter: str, revision: str | None) -> Report | None:
        """What `reporter` was to tell last of a revision in the job's checkout."""
        query = (
            select(reports)
            .where(
                reports.c.checkout_id == self._job.checkout_id,
                _at(revision),
                reports.c.reporter == reporter,
            )
            .order_by(reports.c.id.desc())
            .limit(1)
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _report(row)


Decide = Callable[[Job, Told], Iterable[Draft]]


def untold(connection: Connection, pool: str) -> Sequence[int]:
    """The jobs that there is news of, in the order in which they were queued."""
    query = (
        select(jobs.c.id)
        .join(checkouts, checkouts.c.id == jobs.c.checkout_id)
        .where(NEWS, in_pool(pool))
        .order_by(jobs.c.id)
    )
    return connection.execute(query).scalars().all()


def announced(connection: Connection, pool: str) -> dict[int, str]:
    """The unfinished jobs, and the revision that was announced to each."""
    found: dict[int, str] = {}
    # One query for each state, so that each has an index that holds nothing else.
    for state in (State.RUNNING, State.QUEUED):
        query = (
            select(jobs.c.id, jobs.c.wanted)
            .join(checkouts, checkouts.c.id == jobs.c.checkout_id)
            .where(in_state(state), in_pool(pool), ~jobs.c.only_after, jobs.c.wanted.is_not(None))
        )
        found |= {row.id: row.wanted for row in connection.execute(query)}
    return found


def report(connection: Connection, job: Job, decide: Decide, now: float) -> None:
    """Note what `decide` wants to be told of a job. What older is owed of the same commit goes.

    What a job that was superseded had told of goes on with the one that stands for it.
    """
    if job.state is State.SUPERSEDED:
        if job.superseded_by is not None:
            moved = update(reports).where(reports.c.job_id == job.id)
            connection.execute(moved.values(job_id=job.superseded_by))
    else:
        for draft in decide(job, Told(connection, job)):
            add(connection, draft, now, job)
    connection.execute(update(jobs).where(jobs.c.id == job.id, NEWS).values(news=False))


def forget(connection: Connection) -> None:
    """There was nobody to be asked about the news of jobs."""
    connection.execute(update(jobs).where(NEWS).values(news=False))


def add(connection: Connection, draft: Draft, now: float, job: Job | None) -> None:
    """Note what is owed of a job, or of an alarm."""
    checkout_id = None if job is None else job.checkout_id
    older = update(reports).where(
        OWED,
        reports.c.checkout_id.is_not_distinct_from(checkout_id),
        reports.c.reporter == draft.reporter,
        reports.c.subject.is_not_distinct_from(draft.subject),
        *([_at(draft.revision)] if draft.subject is None else []),
    )
    connection.execute(older.values(result="outdated"))
    connection.execute(
        insert(reports).values(
            job_id=None if job is None else job.id,
            checkout_id=checkout_id,
            reporter=draft.reporter,
            place=draft.place,
            revision=draft.revision,
            subject=draft.subject,
            event=draft.event,
            mark=draft.mark.value,
            sentence=draft.sentence,
            made_at=now,
            due_at=max(now, draft.due_at),
            result="owed",
        )
    )


def due(connection: Connection, pool: str, now: float, longest: float) -> list[Owed]:
    """What is to be delivered now: of each place one, at first what was tried least.

    What waits for more than `longest` seconds does so because the clock was set back.
    """
    order = (reports.c.tries, reports.c.id)
    turn = func.row_number().over(
        partition_by=(reports.c.reporter, reports.c.place), order_by=order
    )
    waiting = (
        select(reports.c.id, turn.label("turn"))
        .join(checkouts, checkouts.c.id == reports.c.checkout_id, isouter=True)
        .where(
            OWED,
            or_(reports.c.checkout_id.is_(None), in_pool(pool)),
            or_(reports.c.due_at <= now, reports.c.due_at > now + longest),
        )
        .subquery()
    )
    first = select(waiting.c.id).where(waiting.c.turn == 1)
    query = select(reports).where(reports.c.id.in_(first)).order_by(*order)
    return [_owed(connection, _report(row)) for row in connection.execute(query).all()]


def _owed(connection: Connection, found: Report) -> Owed:
    if found.job_id is None:
        return Owed(found, None, None)
    row = connection.execute(job_query().where(jobs.c.id == found.job_id)).one()
    job = job_of(row)
    return Owed(found, job, forge_of(connection, job))


def end(
    connection: Connection, ended: Report, result: str, now: float, error: str | None = None
) -> None:
    """Note what became of a report for good. One that was outdated meanwhile may be delivered."""
    values: dict[str, Any] = {"result": result, "told_at": now, "error": error}
    connection.execute(update(reports).where(reports.c.id == ended.id).values(values))


def try_again(connection: Connection, failed: Report, due_at: float, error: str) -> None:
    """Let a report, and all that is owed to the same place, wait until `due_at`."""
    connection.execute(
        update(reports)
        .where(reports.c.id == failed.id)
        .values(tries=reports.c.tries + 1, error=error)
    )
    same = (reports.c.reporter == failed.reporter, reports.c.place == failed.place)
    # What is to wait for longer by itself still does.
    later = case((reports.c.due_at > due_at, reports.c.due_at), else_=due_at)
    connection.execute(update(reports).where(OWED, *same).values(due_at=later))


def newest(connection: Connection) -> int:
    """The id of the report that was made last; 0 where none was."""
    return connection.execute(select(func.max(reports.c.id))).scalar() or 0


def of_job(connection: Connection, job_id: int) -> list[Report]:
    """What was told of a job, or is to be, oldest first."""
    query = select(reports).where(reports.c.job_id == job_id).order_by(reports.c.id)
    return [_report(row) for row in connection.execute(query)]


def refused(connection: Connection, pool: str) -> dict[str, list[Report]]:
    """By the paths of checkouts: what each reporter told last of one, where that was refused."""
    last = (
        select(func.max(reports.c.id))
        .where(reports.c.result.in_(("delivered", "refused")))
        .group_by(reports.c.checkout_id, reports.c.reporter)
    )
    query = (
        select(reports, checkouts.c.path)
        .join(checkouts, checkouts.c.id == reports.c.checkout_id)
        .where(reports.c.id.in_(last), reports.c.result == "refused", in_pool(pool))
    )
    found: dict[str, list[Report]] = {}
    for row in connection.execute(query):
        found.setdefault(row.path, []).append(_report(row))
    return found


def forge_of(connection: Connection, job: Job) -> str | None:
    """The forge whose delivery asked last for a job of the job's checkout, if it is known."""
    query = (
        select(deliveries.c.forge)
        .join(job_deliveries, job_deliveries.c.delivery_id == deliveries.c.id)
        .join(jobs, jobs.c.id == job_deliveries.c.job_id)
        .where(jobs.c.checkout_id == job.checkout_id)
        .order_by(jobs.c.id.desc(), deliveries.c.id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar()


def _at(revision: str | None) -> ColumnElement[bool]:
    return reports.c.revision.is_not_distinct_from(revision)


def _report(row: Row[Any]) -> Report:
    return Report(
        id=row.id,
        job_id=row.job_id,
        reporter=row.reporter,
        place=row.place,
        revision=row.revision,
        mark=Mark(row.mark),
        sentence=row.sentence,
        made_at=row.made_at,
        due_at=row.due_at,
        tries=row.tries,
        result=row.result,
        error=row.error,
        told_at=row.told_at,
        subject=row.subject,
        event=row.event,
    )
