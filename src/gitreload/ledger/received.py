"""Deliveries as they were recorded: to list them, to look into one, and to take one up again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from gitreload.ledger.bodies import unpack
from gitreload.ledger.tables import bodies, checkouts, deliveries, job_deliveries, jobs
from gitreload.model import Action, Outcome, State


@dataclass(frozen=True, slots=True)
class Received:
    """A delivery: who sent what by which route, and what became of it, with the reason.

    `body_size` is in bytes, as it came. Texts of the payload are as the sender wrote them.
    """

    id: int
    received_at: float
    forge: str
    event: str
    delivery_id: str | None
    hook: str | None
    repository: str | None
    action: Action
    outcome: Outcome
    detail: str
    peer: str | None
    body_size: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a delivery's request. `body` may be cut; None where none is kept at all."""

    headers: tuple[tuple[str, str], ...]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A job that a delivery has asked for, of which checkout, and what the delivery announced."""

    job: int
    state: State
    action: Action
    directory: str
    origin: str | None
    ref: str
    before: str | None
    after: str | None
    pusher: str | None


def find(
    connection: Connection,
    *,
    forges: Collection[str] = (),
    repositories: Collection[str] = (),
    outcomes: Collection[Outcome] = (),
    since: float | None = None,
    limit: int = 50,
) -> list[Received]:
    """Deliveries, newest first, narrowed by what is given; `since` is in epoch seconds."""
    query = select(deliveries).order_by(deliveries.c.id.desc()).limit(limit)
    if forges:
        query = query.where(deliveries.c.forge.in_(forges))
    if repositories:
        query = query.where(deliveries.c.repository.in_(repositories))
    if outcomes:
        query = query.where(deliveries.c.outcome.in_([outcome.value for outcome in outcomes]))
    if since is not None:
        query = query.where(deliveries.c.received_at >= since)
    return [_received(row) for row in connection.execute(query)]


def get(connection: Connection, number: int) -> Received | None:
    row = connection.execute(select(deliveries).where(deliveries.c.id == number)).one_or_none()
    return None if row is None else _received(row)


def kept(connection: Connection, number: int) -> Kept:
    """What is kept of the request of a delivery that there is."""
    row = connection.execute(
        select(deliveries.c.headers, deliveries.c.body_start, deliveries.c.body_size, bodies.c.data)
        .join(bodies, bodies.c.id == deliveries.c.body_id, isouter=True)
        .where(deliveries.c.id == number)
    ).one()
    headers = msgspec.json.decode(row.headers, type=tuple[tuple[str, str], ...])
    body = None if row.data is None else unpack(row.data, row.body_start, row.body_size)
    return Kept(headers, body)


def asked_for(connection: Connection, number: int) -> list[AskedFor]:
    """The jobs that a delivery has asked for, oldest first."""
    rows = connection.execute(
        select(
            jobs.c.id,
            jobs.c.state,
            jobs.c.action,
            checkouts.c.directory,
            checkouts.c.origin,
            job_deliveries.c.ref,
            job_deliveries.c.before,
            job_deliveries.c.after,
            job_deliveries.c.pusher,
        )
        .join(jobs, jobs.c.id == job_deliveries.c.job_id)
        .join(checkouts, checkouts.c.id == jobs.c.checkout_id)
        .where(job_deliveries.c.delivery_id == number)
        .order_by(jobs.c.id)
    )
    return [AskedFor(row[0], State(row[1]), Action(row[2]), *tuple(row)[3:]) for row in rows]


def _received(row: Row[Any]) -> Received:
    return Received(
        id=row.id,
        received_at=row.received_at,
        forge=row.forge,
        event=row.event,
        delivery_id=row.delivery_id,
        hook=row.hook,
        repository=row.repository,
        action=Action(row.action),
        outcome=Outcome(row.outcome),
        detail=row.detail,
        peer=row.peer,
        body_size=row.body_size,
    )
