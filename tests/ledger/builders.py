"""Deliveries and checkouts in few words."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

from gitreload.ledger import Arrival, Claimed, Entry, Ledger, Recorded, Revisions, Target
from gitreload.model import Action, Checkout, Delivery, Job, Outcome, Push, Reason

HEADERS = (("content-type", "application/json"), ("x-github-event", "push"))
_numbers = count(1)


class Clock:
    """A clock that stands still until told."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def revision(number: int) -> str:
    return f"{number:040x}"


def a_checkout(
    directory: str = "course", origin: str | None = "https://forge.example/org/course.git"
) -> Checkout:
    return Checkout(
        directory=directory,
        path=f"/repos/{directory}",
        origin=origin,
        identities=frozenset(),
        branch="main",
        follows="main",
    )


def a_push(after: str | None = None, ref: str = "refs/heads/main") -> Push:
    return Push(
        ref=ref,
        urls=("https://forge.example/org/course.git",),
        repository="org/course",
        before=revision(0xB),
        after=after or revision(0xA),
        pusher="ada",
    )


def an_entry(
    *checkouts: Checkout,
    at: float,
    delivery_id: str | None = "",
    action: Action = Action.IMPORT,
    push: Push | None = None,
    forge: str = "github",
    body: bytes = b"{}",
    outcome: Outcome = Outcome.IGNORED,
    detail: str = "",
    nonces: tuple[str, ...] = (),
    fresh_until: float | None = None,
) -> Entry:
    """A delivery that reaches `checkouts`; with an id of its own unless one is given."""
    if delivery_id == "":
        delivery_id = f"delivery-{next(_numbers)}"
    push = push or a_push()
    delivery = Delivery(
        forge=forge,
        event="push",
        delivery_id=delivery_id,
        pushes=(push,),
        nonces=nonces,
        fresh_until=fresh_until,
    )
    arrival = Arrival(delivery, action, at, "127.0.0.1", HEADERS, body)
    targets = tuple(Target(checkout, push) for checkout in checkouts)
    return Entry(arrival, targets, outcome, detail)


class Desk:
    """A ledger, and what tests do with it over and over again."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self.ledger = ledger
        self.clock = clock

    def push(self, *directories: str, **facts: object) -> Recorded:
        """Record one push for the checkouts of these names."""
        checkouts = [a_checkout(directory) for directory in directories or ("course",)]
        entry = an_entry(*checkouts, at=self.clock(), **facts)  # type: ignore[arg-type]
        return self.ledger.record([entry])[0]

    def sync(self, directory: str = "course", action: Action = Action.IMPORT) -> int:
        [(job, _)] = self.ledger.enqueue([a_checkout(directory)], action, Reason.SYNC)
        return job

    def claim(self, worker: str = "worker") -> Claimed:
        claimed = self.ledger.claim(worker)
        assert claimed is not None, "there is a job to claim"
        return claimed

    def succeed(self, claimed: Claimed, after: str = revision(0xA)) -> None:
        self.ledger.succeed(claimed, Revisions(None, after))
        claimed.lock.release()

    def fail(self, claimed: Claimed, error: str = "it is broken") -> None:
        self.ledger.fail(claimed, error, None)
        claimed.lock.release()

    def try_again(self, claimed: Claimed, delay: float = 5, tries: int = 1) -> int:
        job = self.ledger.try_again(claimed, "no network", delay, tries, failing=tries >= 5)
        claimed.lock.release()
        return job

    def crash(self, claimed: Claimed) -> int:
        """The worker dies: the kernel frees its lock, and somebody recovers its job."""
        claimed.lock.release()
        return self.ledger.interrupted(claimed.job, claimed.attempt, "the worker died")

    def job(self, job_id: int) -> Job:
        job = self.ledger.job(job_id)
        assert job is not None, f"job {job_id} is in the ledger"
        return job

    def delivery_ids(self, job_id: int) -> list[int]:
        return [delivery.id for delivery in self.ledger.deliveries(job_id)]


def database_file(state_dir: Path) -> Path:
    return state_dir / "ledger.sqlite3"
