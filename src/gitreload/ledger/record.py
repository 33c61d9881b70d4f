"""Deliveries into the ledger, each with the jobs it asks for: the path that every push takes.

It runs inside one transaction for each batch of deliveries, with as few statements as it can. What
is made anew for every push is a frozen struct: like a frozen dataclass, made in an eighth of the
time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection

from gitreload.ledger.bodies import pack
from gitreload.ledger.database import raw_cursor
from gitreload.ledger.statements import Statements
from gitreload.model import Action, Checkout, Delivery, Outcome, Push, Reason, State
from gitreload.remotes import mask

# What is kept of a copy, as its reason.
COPIED = "a copy of a request that came before"
_STRENGTH = {outcome: place for place, outcome in enumerate(Outcome)}


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A delivery as it came in: when, by which route, from whom, and the request itself."""

    delivery: Delivery
    action: Action
    received_at: float
    peer: str | None
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Target(msgspec.Struct, frozen=True, gc=False):
    """A checkout that a push of the delivery reaches."""

    checkout: Checkout
    push: Push


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One delivery to record. `outcome` and `detail` stand where `targets` is empty.

    `copied`: it is known to be a copy of one that was recorded before.
    """

    arrival: Arrival
    targets: tuple[Target, ...] = ()
    outcome: Outcome = Outcome.IGNORED
    detail: str = ""
    copied: bool = False


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """What was written: our delivery id, the strongest outcome, the jobs that carry it.

    `copied`: it is a copy of a request that was recorded before, so nothing was made of it.
    """

    delivery: int
    outcome: Outcome
    jobs: tuple[int, ...]
    wake: bool
    copied: bool = False


@dataclass(slots=True)
class _Queued:
    job: int
    action: Action
    due_at: float
    wanted: str | None = None
    force: bool = False
    joined: bool = False


class _Decision(msgspec.Struct, frozen=True, gc=False):
    """What a delivery comes to: its outcome, the jobs that carry it, whether to wake workers."""

    outcome: Outcome
    reached: tuple[tuple[int, Push], ...] = ()
    wake: bool = False


# A row of `bodies`, and where in it a body begins.
_Place = tuple[int | None, int | None]
# The (checkout, action) pairs that deliveries, by forge and id, have already brought to success.
_Done = dict[tuple[str, str | None], set[tuple[int, str]]]


class Recorder:
    """Records entries in one transaction. Call `flush` before it commits."""

    def __init__(self, connection: Connection, statements: Statements, pool: str) -> None:
        self.connection = connection
        self._cursor = raw_cursor(connection)
        self._sql = statements
        self._pool = pool
        self._checkouts: dict[str, int] = {}
        self._queued: dict[int, _Queued] = {}

    def record(self, entries: Sequence[Entry]) -> list[Recorded]:
        """Write deliveries, and queue, or join, the jobs of their targets."""
        entries = [
            self._unless_copied(entry) if entry.arrival.delivery.nonces else entry
            for entry in entries
        ]
        done = self._done(entry.arrival.delivery for entry in entries if entry.targets)
        decisions = [self._decide(entry, done) for entry in entries]
        places = self._keep_bodies(entries)
        ids = self._sql.new_deliveries.run(
            self._cursor,
            [
                _row(entry, decision.outcome, place)
                for entry, decision, place in zip(entries, decisions, places, strict=True)
            ],
        )
        decided = list(zip(ids, decisions, strict=True))
        self.link(
            (job, delivery, push)
            for delivery, decision in decided
            for job, push in decision.reached
        )
        return [
            Recorded(
                delivery,
                decision.outcome,
                tuple(job for job, _ in decision.reached),
                decision.wake,
                entry.copied,
            )
            for entry, (delivery, decision) in zip(entries, decided, strict=True)
        ]

    def _unless_copied(self, entry: Entry) -> Entry:
        """The entry, or where its nonce came before what to record of a copy: nothing to do.

        Each route remembers for itself, as hooks for several may be sent the same. What is refused
        may be tried again once the configuration is mended.
        """
        if entry.outcome is Outcome.REFUSED:
            return entry
        arrival = entry.arrival
        delivery = arrival.delivery
        written = [
            self._sql.new_nonce.run(
                self._cursor,
                {
                    "action": arrival.action.value,
                    "nonce": nonce,
                    "seen_at": arrival.received_at,
                    "fresh_until": delivery.fresh_until,
                },
            ).rowcount
            for nonce in delivery.nonces
        ]
        if all(written):
            return entry
        return Entry(arrival, outcome=Outcome.DUPLICATE, detail=COPIED, copied=True)

    def link(self, asked: Iterable[tuple[int, int, Push]]) -> None:
        """Tell which job each delivery asked for, and with which push."""
        self._sql.links.run(self._cursor, [_link(*each) for each in asked])

    def _keep_bodies(self, entries: Sequence[Entry]) -> list[_Place]:
        """Where the body of each entry lies; what is ignored keeps none."""
        kept = [entry.arrival.body for entry in entries if entry.targets]
        places: list[_Place] = []
        for packed in pack(kept):
            [body] = self._sql.new_bodies.run(self._cursor, [{"data": packed.data}])
            places += [(body, start) for start in packed.starts]
        found = iter(places)
        return [next(found) if entry.targets else (None, None) for entry in entries]

    def _decide(self, entry: Entry, done: _Done) -> _Decision:
        arrival = entry.arrival
        if not entry.targets:
            return _Decision(entry.outcome)
        before = done.get((arrival.delivery.forge, arrival.delivery.delivery_id), ())
        outcomes: list[Outcome] = []
        reached: list[tuple[int, Push]] = []
        wake = False
        for target in entry.targets:
            checkout = self.checkout_id(target.checkout)
            if before and _covered(checkout, arrival.action, before):
                outcomes.append(Outcome.DUPLICATE)
                continue
            job, outcome, due = self.queue(
                checkout, arrival.action, Reason.PUSH, arrival.received_at, target.push.after
            )
            outcomes.append(outcome)
            reached.append((job, target.push))
            wake = wake or due
        return _Decision(min(outcomes, key=_STRENGTH.__getitem__), tuple(reached), wake)

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
            "follows": checkout.followed,
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

    def _find_queued(self, checkout_id: int) -> _Queued | None:
        row = self._sql.queued.run(self._cursor, {"checkout_id": checkout_id}).fetchone()
        if row is None:
            return None
        queued = _Queued(row[0], Action(row[1]), row[2])
        self._queued[checkout_id] = queued
        return queued

    def _done(self, asked: Iterable[Delivery]) -> _Done:
        ids: dict[str, list[str]] = {}
        for delivery in asked:
            if delivery.delivery_id is not None:
                ids.setdefault(delivery.forge, []).append(delivery.delivery_id)
        done: _Done = {}
        for forge, delivery_ids in ids.items():
            rows = self._sql.done.run(self._cursor, forge, delivery_ids)
            for delivery_id, checkout, action in rows:
                done.setdefault((forge, delivery_id), set()).add((checkout, action))
        return done


def _row(entry: Entry, outcome: Outcome, place: _Place) -> dict[str, Any]:
    arrival = entry.arrival
    delivery = arrival.delivery
    repository = delivery.pushes[0].repository if delivery.pushes else None
    return {
        "received_at": arrival.received_at,
        "forge": delivery.forge,
        "delivery_id": delivery.delivery_id,
        "event": delivery.event,
        "hook": delivery.hook,
        "action": arrival.action.value,
        "outcome": outcome.value,
        "detail": entry.detail,
        # A name rarely has an @. Generic senders may have their URLs taken for one.
        "repository": mask(repository) if repository and "@" in repository else repository,
        "peer": arrival.peer,
        "headers": _json(arrival.headers),
        "body_id": place[0],
        "body_start": place[1],
        "body_size": len(arrival.body),
    }


@lru_cache(maxsize=256)  # they differ little from delivery to delivery
def _json(headers: tuple[tuple[str, str], ...]) -> str:
    return msgspec.json.encode(headers).decode()


def _covered(checkout: int, action: Action, done: Collection[tuple[int, str]]) -> bool:
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
