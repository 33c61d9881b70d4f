"""Deliveries into the ledger, each with the jobs it asks for: the path that every push takes.

It runs for each delivery of a batch inside one transaction, thousands of times a second, so its
statements are compiled once and go to the driver directly.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, bindparam, func, insert, or_, select, update
from sqlalchemy.sql import ClauseElement

from gitreload.ledger.database import raw_cursor
from gitreload.ledger.tables import checkouts, deliveries, in_state, job_deliveries, jobs
from gitreload.model import Action, Checkout, Delivery, Outcome, Push, Reason, State
from gitreload.remotes import mask

# What a stored body may take, compressed. GitHub sends up to 25 MiB; the repository, the branch
# and the revisions stand at its beginning and are kept in columns anyway.
BODY_LIMIT = 256 * 1024
_STRENGTH = {outcome: place for place, outcome in enumerate(Outcome)}
_encode = json.JSONEncoder(check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery as it came in: when, by which route, from whom, and the request itself."""

    delivery: Delivery
    action: Action
    received_at: float
    peer: str | None
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """A checkout that a push of the delivery reaches."""

    checkout: Checkout
    push: Push


@dataclass(frozen=True, slots=True)
class Entry:
    """One delivery to record. `outcome` and `detail` stand where `targets` is empty."""

    arrival: Arrival
    targets: tuple[Target, ...] = ()
    outcome: Outcome = Outcome.IGNORED
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written: our delivery id, the strongest outcome, the jobs that carry it."""

    delivery: int
    outcome: Outcome
    jobs: tuple[int, ...]
    wake: bool


class _Prepared:
    """A statement compiled once for a dialect, run on the driver's cursor."""

    def __init__(self, statement: ClauseElement, dialect: Dialect, columns: Sequence[str] = ()):
        compiled = statement.compile(dialect=dialect, column_keys=list(columns) or None)
        self.sql = str(compiled)
        self.constants: dict[str, Any] = {
            name: value for name, value in compiled.params.items() if value is not None
        }

    def run(self, cursor: Any, values: dict[str, Any]) -> Any:
        return cursor.execute(self.sql, {**self.constants, **values})

    def run_many(self, cursor: Any, rows: Sequence[dict[str, Any]]) -> None:
        cursor.executemany(self.sql, [{**self.constants, **row} for row in rows])


class Statements:
    """All that recording needs, for one database."""

    def __init__(self, dialect: Dialect) -> None:
        self.checkout = _Prepared(
            select(
                checkouts.c.id, checkouts.c.directory, checkouts.c.origin, checkouts.c.follows
            ).where(
                checkouts.c.pool == bindparam("pool"),
                checkouts.c.path == bindparam("path"),
            ),
            dialect,
        )
        self.new_checkout = _Prepared(
            insert(checkouts).returning(checkouts.c.id),
            dialect,
            ("pool", "path", "directory", "origin", "follows"),
        )
        self.change_checkout = _Prepared(
            update(checkouts).where(checkouts.c.id == bindparam("checkout_id")),
            dialect,
            ("directory", "origin", "follows"),
        )
        self.queued = _Prepared(
            select(jobs.c.id, jobs.c.action, jobs.c.due_at).where(
                jobs.c.checkout_id == bindparam("checkout_id"), in_state(State.QUEUED)
            ),
            dialect,
        )
        self.new_job = _Prepared(
            insert(jobs).returning(jobs.c.id),
            dialect,
            ["checkout_id", "action", "state", "reason", "queued_at", "due_at", "force", "wanted"],
        )
        self.join_job = _Prepared(
            update(jobs)
            .where(jobs.c.id == bindparam("job_id"))
            .values(
                action=bindparam("new_action"),
                due_at=bindparam("new_due"),
                wanted=func.coalesce(bindparam("new_wanted"), jobs.c.wanted),
                force=or_(jobs.c.force, bindparam("new_force")),
                tries=0,
                lags=0,
                failing=False,
            ),
            dialect,
        )
        self.new_delivery = _Prepared(
            insert(deliveries).returning(deliveries.c.id),
            dialect,
            [column.name for column in deliveries.columns if column.name != "id"],
        )
        self.link = _Prepared(
            insert(job_deliveries),
            dialect,
            [column.name for column in job_deliveries.columns],
        )
        self.done = _Prepared(
            select(jobs.c.checkout_id, jobs.c.action)
            .join(job_deliveries, job_deliveries.c.job_id == jobs.c.id)
            .join(deliveries, deliveries.c.id == job_deliveries.c.delivery_id)
            .where(
                deliveries.c.forge == bindparam("forge"),
                deliveries.c.delivery_id == bindparam("delivery"),
                in_state(State.SUCCEEDED),
            ),
            dialect,
        )


@dataclass(slots=True)
class _Queued:
    job: int
    action: Action
    due_at: float
    wanted: str | None = None
    force: bool = False
    joined: bool = False


class Recorder:
    """Records entries in one transaction. Call `flush` before it commits."""

    def __init__(self, connection: Connection, statements: Statements, pool: str) -> None:
        self.connection = connection
        self._cursor = raw_cursor(connection)
        self._sql = statements
        self._pool = pool
        self._checkouts: dict[str, int] = {}
        self._queued: dict[int, _Queued] = {}
        self._links: list[dict[str, Any]] = []

    def record(self, entry: Entry) -> Recorded:
        """Write one delivery and queue, or join, the jobs of its targets."""
        arrival = entry.arrival
        done = self._done(arrival.delivery) if entry.targets else frozenset()
        outcomes: list[Outcome] = []
        reached: list[tuple[int, Push]] = []
        wake = False
        for target in entry.targets:
            checkout = self.checkout_id(target.checkout)
            if _covered(checkout, arrival.action, done):
                outcomes.append(Outcome.DUPLICATE)
                continue
            job, outcome, due = self.queue(
                checkout, arrival.action, Reason.PUSH, arrival.received_at, target.push.after
            )
            outcomes.append(outcome)
            reached.append((job, target.push))
            wake = wake or due
        outcome = min(outcomes, key=_STRENGTH.__getitem__) if outcomes else entry.outcome
        delivery = self._insert(arrival, outcome, entry.detail, bool(entry.targets))
        self._links += [_link(job, delivery, push) for job, push in reached]
        return Recorded(delivery, outcome, tuple(job for job, _ in reached), wake)

    def queue(
        self,
        checkout_id: int,
        action: Action,
        reason: Reason,
        now: float,
        wanted: str | None = None,
        force: bool = False,
    ) -> tuple[int, Outcome, bool]:
        """Insert a job, or join the queued one: (its id, what happened, whether to wake workers).

        A queued import covers an update; an import turns a queued update into an import.
        """
        queued = self._queued.get(checkout_id) or self._find_queued(checkout_id)
        if queued is None:
            row = {
                "checkout_id": checkout_id,
                "action": action.value,
                "state": State.QUEUED.value,
                "reason": reason.value,
                "queued_at": now,
                "due_at": now,
                "force": force,
                "wanted": wanted,
            }
            job = self._sql.new_job.run(self._cursor, row).fetchone()[0]
            self._queued[checkout_id] = _Queued(job, action, now)
            return job, Outcome.QUEUED, True
        wake = queued.due_at > now
        queued.action = Action.IMPORT if Action.IMPORT in (action, queued.action) else action
        queued.due_at = min(queued.due_at, now)
        queued.wanted = wanted or queued.wanted
        queued.force = queued.force or force
        queued.joined = True
        return queued.job, Outcome.COALESCED, wake

    def checkout_id(self, checkout: Checkout) -> int:
        """The row of a checkout, made or brought up to date."""
        known = self._checkouts.get(checkout.path)
        if known is not None:
            return known
        facts = {
            "directory": checkout.directory,
            "origin": mask(checkout.origin) if checkout.origin else None,
            "follows": checkout.follows,
        }
        where = {"pool": self._pool, "path": checkout.path}
        row = self._sql.checkout.run(self._cursor, where).fetchone()
        if row is None:
            made = self._sql.new_checkout.run(self._cursor, {**where, **facts})
            checkout_id: int = made.fetchone()[0]
        else:
            checkout_id = row[0]
            if tuple(row[1:]) != tuple(facts.values()):
                self._sql.change_checkout.run(self._cursor, {"checkout_id": checkout_id, **facts})
        self._checkouts[checkout.path] = checkout_id
        return checkout_id

    def flush(self) -> None:
        """Write what was gathered over the batch."""
        joined = [
            {
                "job_id": queued.job,
                "new_action": queued.action.value,
                "new_due": queued.due_at,
                "new_wanted": queued.wanted,
                "new_force": queued.force,
            }
            for queued in self._queued.values()
            if queued.joined
        ]
        if joined:
            self._sql.join_job.run_many(self._cursor, joined)
        if self._links:
            self._sql.link.run_many(self._cursor, self._links)

    def _find_queued(self, checkout_id: int) -> _Queued | None:
        row = self._sql.queued.run(self._cursor, {"checkout_id": checkout_id}).fetchone()
        if row is None:
            return None
        queued = _Queued(row[0], Action(row[1]), row[2])
        self._queued[checkout_id] = queued
        return queued

    def _done(self, delivery: Delivery) -> frozenset[tuple[int, str]]:
        """The (checkout, action) pairs that this very delivery has already brought to success."""
        if delivery.delivery_id is None:
            return frozenset()
        key = {"forge": delivery.forge, "delivery": delivery.delivery_id}
        return frozenset(self._sql.done.run(self._cursor, key).fetchall())

    def _insert(self, arrival: Arrival, outcome: Outcome, detail: str, keep_body: bool) -> int:
        delivery = arrival.delivery
        body = _compressed(arrival.body) if keep_body else None
        row = {
            "received_at": arrival.received_at,
            "forge": delivery.forge,
            "delivery_id": delivery.delivery_id,
            "event": delivery.event,
            "hook": delivery.hook,
            "action": arrival.action.value,
            "outcome": outcome.value,
            "detail": detail,
            "repository": delivery.pushes[0].repository if delivery.pushes else None,
            "peer": arrival.peer,
            "headers": _encode(arrival.headers),
            "body": body,
            "body_size": len(arrival.body),
        }
        inserted: int = self._sql.new_delivery.run(self._cursor, row).fetchone()[0]
        return inserted


def _compressed(body: bytes) -> bytes:
    # Setting up zlib's default of 256 KiB costs more than packing a usual body: a smaller window
    # and smaller tables take less than half the time, and pack 7 KB just as tightly.
    packer = zlib.compressobj(1, zlib.DEFLATED, wbits=13, memLevel=6)
    return (packer.compress(body[: 4 * BODY_LIMIT]) + packer.flush())[:BODY_LIMIT]


def _covered(checkout: int, action: Action, done: frozenset[tuple[int, str]]) -> bool:
    covers = {action.value, Action.IMPORT.value}
    return any((checkout, covering) in done for covering in covers)


def _link(job: int, delivery: int, push: Push) -> dict[str, Any]:
    return {
        "job_id": job,
        "delivery_id": delivery,
        "ref": push.ref,
        "before": push.before,
        "after": push.after,
        "pusher": push.pusher,
    }
