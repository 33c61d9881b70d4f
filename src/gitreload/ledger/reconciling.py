"""What reconciling saw of remotes, kept on their checkouts; and pushes that nobody announced.

All take a connection inside a transaction; `Ledger` opens those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Float, Row, bindparam, case, func, select, update

from gitreload.ledger.tables import checkouts, deliveries, job_deliveries, jobs
from gitreload.model import GitreloadError, PermanentError
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


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a remote's word cannot be had, and since when (epoch seconds).

    `lasts`: it does not pass by itself, a person has to mend it.
    """

    text: str
    since: float
    lasts: bool

    def __str__(self) -> str:
        return self.text


# What is kept of a remote that nobody has looked at.
UNSEEN = {"tip": None, "trouble": None, "trouble_since": None, "trouble_lasts": False}


def note(
    connection: Connection,
    seen: Sequence[tuple[int, str | None, GitreloadError | None]],
    now: float,
) -> None:
    """Keep of each checkout (its id) the tip of its branch, or why that cannot be told."""
    rows = [
        {
            "seen": checkout_id,
            "at": tip,
            "why": None if error is None else str(error),
            "now": None if error is None else now,
            "lasts": isinstance(error, PermanentError),
        }
        for checkout_id, tip, error in seen
    ]
    if rows:
        since = case(
            (bindparam("now", type_=Float).is_(None), None),
            else_=func.coalesce(checkouts.c.trouble_since, bindparam("now", type_=Float)),
        )
        connection.execute(
            update(checkouts)
            .where(checkouts.c.id == bindparam("seen"))
            .values(
                tip=bindparam("at"),
                trouble=bindparam("why"),
                trouble_since=since,
                trouble_lasts=bindparam("lasts"),
            ),
            rows,
        )


def trouble(checkout: Row[Any]) -> Trouble | None:
    """What a row of `checkouts` tells of its remote."""
    if checkout.trouble is None:
        return None
    return Trouble(checkout.trouble, checkout.trouble_since, checkout.trouble_lasts)


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
