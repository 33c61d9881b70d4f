"""A copy of a request makes nothing, whoever sends it, and whenever."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gitreload.ledger import Ledger
from gitreload.ledger.record import Recorder
from gitreload.model import Action, Outcome

from .builders import Clock, Desk, a_checkout, an_entry, database_file

DAY = 86_400


def remembered(state_dir: Path) -> int:
    with sqlite3.connect(database_file(state_dir)) as connection:
        count: int = connection.execute("SELECT count(*) FROM nonces").fetchone()[0]
    connection.close()
    return count


def test_a_copy_is_recorded_and_makes_nothing(desk: Desk, ledger: Ledger) -> None:
    first = desk.push(nonces=("n",), body=b"{}")
    desk.fail(desk.claim())
    copy = desk.push(nonces=("n",), body=b"{}")
    assert (first.outcome, first.copied) == (Outcome.QUEUED, False)
    assert (copy.outcome, copy.jobs, copy.wake, copy.copied) == (Outcome.DUPLICATE, (), False, True)
    told = ledger.delivery(copy.delivery)
    assert told is not None
    assert (told.outcome, told.detail) == (
        Outcome.DUPLICATE,
        "a copy of a request that came before",
    )
    assert ledger.kept(told).body is None
    assert len(ledger.find_jobs()) == 1


def test_what_failed_is_taken_up_again_with_a_new_nonce(desk: Desk) -> None:
    desk.push(delivery_id="one", nonces=("n",))
    desk.fail(desk.claim())
    again = desk.push(delivery_id="one", nonces=("m",))
    assert (again.outcome, again.copied) == (Outcome.QUEUED, False)


def test_one_known_nonce_of_several_makes_a_copy(desk: Desk) -> None:
    desk.push(nonces=("a", "b"))
    for nonces in (("a",), ("b",), ("new", "b"), ("a", "newer")):
        assert desk.push(nonces=nonces).copied


def test_a_copy_of_what_was_ignored_is_one_too(desk: Desk, ledger: Ledger) -> None:
    ledger.record([an_entry(at=desk.clock(), nonces=("n",))])
    assert desk.push(nonces=("n",)).outcome is Outcome.DUPLICATE
    assert ledger.unfinished() == []


def test_what_was_refused_may_be_tried_again(desk: Desk, ledger: Ledger) -> None:
    refused = an_entry(at=desk.clock(), nonces=("n",), outcome=Outcome.REFUSED)
    assert [one.outcome for one in ledger.record([refused, refused])] == [Outcome.REFUSED] * 2
    assert desk.push(nonces=("n",)).outcome is Outcome.QUEUED


def test_hooks_for_several_routes_may_be_sent_the_same(desk: Desk) -> None:
    desk.push(nonces=("n",))
    other = desk.push(nonces=("n",), action=Action.UPDATE)
    assert (other.outcome, other.copied) == (Outcome.COALESCED, False)


def test_it_is_known_in_the_same_batch_and_after_a_restart(
    ledger: Ledger, desk: Desk, state_dir: Path
) -> None:
    entries = [
        an_entry(a_checkout(), at=desk.clock(), nonces=(nonce,)) for nonce in ("n", "n", "m", "n")
    ]
    assert [one.copied for one in ledger.record(entries)] == [False, True, False, True]
    ledger.close()
    later = Ledger.open(state_dir, "pool", desk.clock)
    assert Desk(later, desk.clock).push(nonces=("m",)).copied
    later.close()


def test_of_many_at_once_one_passes(state_dir: Path, clock: Clock) -> None:
    def deliver(_number: int) -> bool:
        other = Ledger.open(state_dir, "pool", clock)
        try:
            return Desk(other, clock).push(nonces=("n",)).copied
        finally:
            other.close()

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(deliver, range(8))) == [False] + [True] * 7


def test_where_nothing_was_recorded_the_next_try_is_no_copy(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "flush", lambda _self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            desk.push(nonces=("n",))
    assert desk.push(nonces=("n",)).outcome is Outcome.QUEUED


def test_it_is_forgotten_once_the_time_in_it_stops_a_copy(
    desk: Desk, ledger: Ledger, state_dir: Path
) -> None:
    desk.push(nonces=("short",), fresh_until=desk.clock() + 600)
    desk.push(nonces=("long",))
    ledger.prune(days=30, mebibytes=1024)
    assert remembered(state_dir) == 2
    desk.clock.advance(601)
    ledger.prune(days=30, mebibytes=1024)
    assert remembered(state_dir) == 1
    assert desk.push(nonces=("long",)).copied
    desk.clock.advance(29 * DAY)
    ledger.prune(days=30, mebibytes=1024)
    assert desk.push(nonces=("long",)).copied
    desk.clock.advance(2 * DAY)
    ledger.prune(days=30, mebibytes=1024)
    assert remembered(state_dir) == 0


def test_a_full_history_does_not_forget_it(desk: Desk, ledger: Ledger, state_dir: Path) -> None:
    desk.push(nonces=("n",))
    desk.succeed(desk.claim())
    desk.clock.advance(1)
    ledger.prune(days=30, mebibytes=0)
    assert ledger.find_deliveries() == []
    assert remembered(state_dir) == 1
