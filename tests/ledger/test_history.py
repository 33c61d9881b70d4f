"""What leaves the ledger after a while, and what never does."""

from __future__ import annotations

import sqlite3
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from gitreload.ledger import Ledger, history
from gitreload.ledger.logs import CHUNK_CHARACTERS
from gitreload.model import Group
from helpers import counts

from .builders import Desk, a_checkout, an_entry, database_file

PLENTY = 1_000_000
TABLES = ("bodies", "deliveries", "jobs", "job_deliveries", "attempts", "log_chunks")


def held(state_dir: Path) -> dict[str, int]:
    with sqlite3.connect(database_file(state_dir)) as connection:
        found = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in TABLES
        }
    connection.close()
    return found


def run_one(desk: Desk, directory: str = "course", log: str = "a line") -> int:
    """Push and finish one job; its id."""
    job_id = desk.push(directory).jobs[0]
    claimed = desk.claim()
    attempt_log = desk.ledger.logs.open(claimed.attempt.id)
    attempt_log.write(log)
    desk.ledger.logs.close(attempt_log)
    desk.succeed(claimed)
    return job_id


def test_after_its_days_a_job_leaves_with_all_that_belongs_to_it(
    desk: Desk, state_dir: Path
) -> None:
    old = run_one(desk)
    desk.clock.advance(2 * 86_400)
    young = run_one(desk)
    desk.clock.advance(29 * 86_400)

    assert desk.ledger.prune(days=30, mebibytes=PLENTY) == 2  # a job and a delivery

    assert desk.ledger.job(old) is None
    assert desk.ledger.job(young) is not None
    assert held(state_dir) == dict.fromkeys(TABLES, 1)
    assert desk.ledger.prune(days=30, mebibytes=PLENTY) == 0


def test_a_body_stays_while_another_delivery_lies_with_it(
    ledger: Ledger, desk: Desk, state_dir: Path
) -> None:
    first, second = a_checkout("first"), a_checkout("second")
    ledger.record([an_entry(first, at=desk.clock()), an_entry(second, at=desk.clock())])
    desk.succeed(desk.claim())
    desk.clock.advance(31 * 86_400)
    ledger.prune(days=30, mebibytes=PLENTY)
    assert (held(state_dir)["deliveries"], held(state_dir)["bodies"]) == (1, 1)
    desk.succeed(desk.claim())
    desk.clock.advance(31 * 86_400)
    ledger.prune(days=30, mebibytes=PLENTY)
    assert (held(state_dir)["deliveries"], held(state_dir)["bodies"]) == (0, 0)


def test_deliveries_without_a_job_leave_too(desk: Desk, state_dir: Path) -> None:
    desk.ledger.record([an_entry(at=desk.clock())])
    desk.clock.advance(31 * 86_400)
    desk.ledger.record([an_entry(at=desk.clock())])
    desk.ledger.prune(days=30, mebibytes=PLENTY)
    assert held(state_dir)["deliveries"] == 1


def test_nothing_unfinished_leaves_however_old_or_large(desk: Desk, state_dir: Path) -> None:
    first = desk.push("superseded")
    superseded = desk.claim()
    standing = desk.push("superseded").jobs[0]
    desk.crash(superseded)
    running = desk.push("running").jobs[0]
    waiting = desk.push("waiting").jobs[0]
    claimed = [desk.claim() for _ in range(3)]
    desk.try_again(claimed[0], delay=10)  # the one that superseded
    desk.try_again(claimed[2], delay=10)
    desk.clock.advance(1000 * 86_400)

    desk.ledger.prune(days=1, mebibytes=0)

    left = {job.id for job in desk.ledger.unfinished()}
    assert left == {standing, running, waiting}
    assert first.delivery in desk.delivery_ids(standing), "it is still owed"
    assert held(state_dir)["attempts"] == 3, "those of unfinished jobs"
    desk.clock.advance(10)
    for job in (claimed[1], desk.claim(), desk.claim()):
        desk.succeed(job)
    assert desk.ledger.unfinished() == []


def test_the_oldest_leave_first_until_the_rest_fits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "BATCH", 2)
    jobs = []
    for _ in range(12):
        # Each holds about 256 KiB of log.
        jobs.append(run_one(desk, log="x" * CHUNK_CHARACTERS * 16))
        desk.clock.advance(1)
    assert desk.ledger.prune(days=30, mebibytes=PLENTY) == 0
    assert desk.ledger.prune(days=30, mebibytes=2) > 0
    left = [job.id for job in desk.ledger.find_jobs()]
    assert 0 < len(left) <= 8, "12 times 256 KiB are 3 MiB"
    assert sorted(left) == jobs[-len(left) :]
    assert desk.ledger.prune(days=30, mebibytes=2) == 0


def test_however_much_leaves_others_write_meanwhile(
    desk: Desk, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("BATCH", 5), ("CHUNKS", 3), ("BODY_BYTES", 100)):
        monkeypatch.setattr(history, name, value)
    for number in range(4):
        run_one(desk, f"c{number}", log="x" * CHUNK_CHARACTERS * 8)
    desk.clock.advance(31 * 86_400)
    desk.push("other")
    claimed = desk.claim()
    left = [sum(held(state_dir).values())]

    def rest(_seconds: float) -> None:
        desk.ledger.note_group(claimed.attempt, Group(1, 1))  # the writer is free
        left.append(sum(held(state_dir).values()))

    monkeypatch.setattr(history, "time", SimpleNamespace(sleep=rest))
    desk.ledger.prune(days=30, mebibytes=PLENTY)
    claimed.lock.release()
    gone = [before - after for before, after in pairwise(left)]
    assert max(gone) <= 2 * 5, "deliveries with a body each"
    assert left[-1] == 5, "those of what is running"


def test_large_bodies_leave_one_by_one(
    desk: Desk, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "BODY_BYTES", 100)
    desk.ledger.record([an_entry(at=desk.clock(), body=b"x" * 80) for _ in range(3)])
    desk.clock.advance(31 * 86_400)
    left: list[int] = []

    def rest(_seconds: float) -> None:
        left.append(held(state_dir)["deliveries"])

    monkeypatch.setattr(history, "time", SimpleNamespace(sleep=rest))
    desk.ledger.prune(days=30, mebibytes=PLENTY)
    assert sorted(set(left), reverse=True) == [3, 2, 1, 0]


def test_a_delivery_stays_as_long_as_one_of_its_jobs(desk: Desk) -> None:
    recorded = desk.push("a", "b")
    desk.succeed(desk.claim())
    desk.clock.advance(31 * 86_400)
    desk.ledger.prune(days=30, mebibytes=PLENTY)
    assert [job.directory for job in desk.ledger.unfinished()] == ["b"]
    assert desk.delivery_ids(recorded.jobs[1]) == [recorded.delivery]


def test_ids_are_never_given_out_again(desk: Desk) -> None:
    job_id = run_one(desk)
    delivery = desk.ledger.deliveries(job_id)[0].id
    desk.clock.advance(31 * 86_400)
    desk.ledger.prune(days=30, mebibytes=PLENTY)
    assert counts(desk.ledger) == (0, 0)
    again = desk.push()
    assert again.jobs[0] > job_id
    assert again.delivery > delivery
