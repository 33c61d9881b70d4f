"""What is wrong beside single jobs: raised once, told once, and once more when it is over.

All take a connection inside a transaction; `Ledger` opens those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, exists, func, insert, select

from gitreload.ledger.tables import alarms, deliveries
from gitreload.model import Outcome

# More of them at a time tell nothing that one does not.
_MOST_REFUSED = 20


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a person has to look at. `subject` tells one from the others of its `kind`.

    `directory` is the checkout that it is about, None where it is about all of them.
    """

    kind: str
    subject: str
    sentence: str
    directory: str | None = None


def changed(
    connection: Connection, pool: str, standing: Mapping[str, Alarm], now: float
) -> tuple[list[Alarm], list[Alarm]]:
    """Keep which alarms stand, by subject; those that are new, and those that are over."""
    mine = alarms.c.pool == pool
    known = {
        row.subject: Alarm(row.kind, row.subject, row.sentence, row.directory)
        for row in connection.execute(select(alarms).where(mine))
    }
    raised = [alarm for subject, alarm in standing.items() if subject not in known]
    over = [alarm for subject, alarm in known.items() if subject not in standing]
    for alarm in raised:
        connection.execute(
            insert(alarms).values(
                pool=pool,
                subject=alarm.subject,
                kind=alarm.kind,
                directory=alarm.directory,
                sentence=alarm.sentence,
                raised_at=now,
            )
        )
    for alarm in over:
        connection.execute(delete(alarms).where(mine, alarms.c.subject == alarm.subject))
    return raised, over


def refused(connection: Connection, since: float) -> list[tuple[str, str]]:
    """The repositories of which nothing was taken since genuine deliveries were refused, and why.

    Only what came after `since` (epoch seconds) counts.
    """
    last = (
        select(func.max(deliveries.c.id).label("id"))
        .where(
            deliveries.c.received_at > since,
            deliveries.c.outcome == Outcome.REFUSED.value,
            deliveries.c.repository.is_not(None),
        )
        .group_by(deliveries.c.repository)
        .limit(_MOST_REFUSED)
        .subquery()
    )
    later = deliveries.alias("later")
    taken = exists().where(
        later.c.received_at > since,
        later.c.id > deliveries.c.id,
        later.c.repository == deliveries.c.repository,
        later.c.outcome.in_([Outcome.QUEUED.value, Outcome.COALESCED.value]),
    )
    rows = connection.execute(
        select(deliveries.c.repository, deliveries.c.detail)
        .join(last, last.c.id == deliveries.c.id)
        .where(~taken)
        .order_by(deliveries.c.repository)
    )
    return [(row.repository, row.detail) for row in rows]
