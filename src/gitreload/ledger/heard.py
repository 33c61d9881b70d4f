"""What the listeners to events have heard of one checkout, or are to hear: a part of `reports`.

All take a connection inside a transaction; `Ledger` opens those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, select

from gitreload.ledger.tables import checkouts, job_deliveries, reports
from gitreload.model import Job, Mark


@dataclass(frozen=True, slots=True)
class LastHeard:
    """What a listener was to hear last of a subject: of which job, good or bad, in which words."""

    job_id: int | None
    mark: Mark
    sentence: str


class Heard:
    """What was told of a checkout before; of alarms, which belong to none, where that is None."""

    def __init__(self, connection: Connection, checkout_id: int | None) -> None:
        self._connection = connection
        self._checkout_id = checkout_id

    def last(self, reporter: str, subject: str) -> LastHeard | None:
        """What `reporter` was to tell last of `subject`, told or not."""
        query = (
            select(reports.c.job_id, reports.c.mark, reports.c.sentence)
            .where(*self._of(reporter, subject))
            .order_by(reports.c.id.desc())
            .limit(1)
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else LastHeard(row.job_id, Mark(row.mark), row.sentence)

    def told_at(self, reporter: str, subject: str) -> float | None:
        """When something of it was told last, in epoch seconds."""
        query = select(func.max(reports.c.told_at)).where(
            *self._of(reporter, subject), reports.c.result == "delivered"
        )
        found: float | None = self._connection.execute(query).scalar()
        return found

    def untold(self, reporter: str, subject: str) -> int:
        """How much was to be told of it since something was; what comes next stands for all."""
        of = self._of(reporter, subject)
        told = select(func.max(reports.c.id)).where(*of, reports.c.result == "delivered")
        since = self._connection.execute(told).scalar() or 0
        query = select(func.count()).where(
            *of, reports.c.id > since, reports.c.result.in_(("owed", "outdated"))
        )
        return self._connection.execute(query).scalar_one()

    def _of(self, reporter: str, subject: str) -> tuple[ColumnElement[bool], ...]:
        return (
            reports.c.checkout_id.is_not_distinct_from(self._checkout_id),
            reports.c.reporter == reporter,
            reports.c.subject == subject,
        )


def origin(connection: Connection, job: Job) -> tuple[str | None, str | None]:
    """What the job's checkout follows, and who pushed last for the job, as far as is known."""
    follows = select(checkouts.c.follows).where(checkouts.c.id == job.checkout_id)
    pusher = (
        select(job_deliveries.c.pusher)
        .where(job_deliveries.c.job_id == job.id)
        .order_by(job_deliveries.c.delivery_id.desc())
        .limit(1)
    )
    return connection.execute(follows).scalar(), connection.execute(pusher).scalar()


def forget(connection: Connection, cutoff: float) -> int:
    """Delete what was told of alarms before `cutoff`; what is told of jobs leaves with these."""
    old: Any = delete(reports).where(
        reports.c.job_id.is_(None), reports.c.made_at < cutoff, reports.c.result != "owed"
    )
    return connection.execute(old).rowcount
