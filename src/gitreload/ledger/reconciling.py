"""What reconciling saw of remotes, kept on their checkouts; and pushes that nobody announced.

All take a connection inside a transaction; `Ledger` opens those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from gitreload.ledger.tables import checkouts, deliveries, job_deliveries, jobs
from gitreload.visible import quoted, visible

DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Missed:
    """So many pushes of a checkout came without a delivery, one after the other.

    `last_delivery` is when the last one before them came (epoch seconds); None where none is known
    any more.
    """

    directory: str
    pushes: int
    last_delivery: float | None

    def alarm(self, now: float) -> str:
        """The sentence that tells of them."""
        pushes = "a push" if self.pushes == 1 else f"{self.pushes} pushes"
        if self.last_delivery is None:
            last = "and none is known that ever did"
        else:
            days = int((now - self.last_delivery) / DAY_SECONDS)
            ago = "today" if days < 1 else "yesterday" if days == 1 else f"{days} days ago"
            last = f"the last delivery was {ago}"
        name = visible(self.directory)
        return (
            f"the webhook of {name} seems broken: {pushes} came that no delivery announced, {last}."
            " Look at its deliveries at the forge, and try the way from here with: "
            f"gitreload send {quoted(self.directory)}"
        )


def note(connection: Connection, seen: Sequence[tuple[int, str | None, str | None]]) -> None:
    """Keep of each checkout (its id) the tip of its branch, or why that cannot be told."""
    rows = [{"seen": checkout_id, "at": tip, "why": trouble} for checkout_id, tip, trouble in seen]
    if rows:
        connection.execute(
            update(checkouts)
            .where(checkouts.c.id == bindparam("seen"))
            .values(tip=bindparam("at"), trouble=bindparam("why")),
            rows,
        )


def count_missed(connection: Connection, checkout_id: int, now: float) -> None:
    """Another push was found that no delivery announced; after a delivery it is the first."""
    row = connection.execute(select(checkouts).where(checkouts.c.id == checkout_id)).one()
    before = missed(connection, row)
    connection.execute(
        update(checkouts)
        .where(checkouts.c.id == checkout_id)
        .values(missed=before.pushes + 1 if before else 1, missed_at=now)
    )


def missed(connection: Connection, checkout: Row[Any]) -> Missed | None:
    """What a row of `checkouts` tells of pushes that nobody has announced up to now."""
    if not checkout.missed:
        return None
    last = _last_delivery(connection, checkout.id)
    if last is not None and last > checkout.missed_at:
        return None
    return Missed(checkout.directory, checkout.missed, last)


def _last_delivery(connection: Connection, checkout_id: int) -> float | None:
    newest = (
        select(func.max(deliveries.c.received_at))
        .join(job_deliveries, job_deliveries.c.delivery_id == deliveries.c.id)
        .join(jobs, jobs.c.id == job_deliveries.c.job_id)
        .where(jobs.c.checkout_id == checkout_id)
    )
    found: float | None = connection.execute(newest).scalar()
    return found
