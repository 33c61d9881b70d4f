"""Deliveries and jobs as they are written: what joins, what is new, what was done before."""

from __future__ import annotations

import random
import sqlite3
import zlib
from pathlib import Path

import pytest

from gitreload.ledger import Ledger
from gitreload.model import Action, Outcome, Reason, State
from helpers import counts

from .builders import Clock, Desk, a_checkout, a_push, an_entry, database_file, revision


def rows(state_dir: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(database_file(state_dir)) as connection:
        found = connection.execute(query).fetchall()
    connection.close()
    return found


def test_a_push_is_written_with_the_job_it_asks_for(desk: Desk, state_dir: Path) -> None:
    body = b'{"ref": "refs/heads/main"}' * 300
    recorded = desk.push(delivery_id="id-1", body=body, push=a_push(revision(7)), detail="course")

    assert recorded.outcome is Outcome.QUEUED
    assert recorded.wake
    [job_id] = recorded.jobs
    job = desk.job(job_id)
    assert (job.action, job.state, job.reason) == (Action.IMPORT, State.QUEUED, Reason.PUSH)
    assert (job.directory, job.path) == ("course", "/repos/course")
    assert (job.queued_at, job.due_at, job.wanted) == (desk.clock.now, desk.clock.now, revision(7))
    [linked] = desk.ledger.deliveries(job_id)
    assert (linked.id, linked.forge, linked.delivery_id) == (recorded.delivery, "github", "id-1")
    assert (linked.ref, linked.after, linked.pusher) == ("refs/heads/main", revision(7), "ada")
    assert linked.received_at == desk.clock.now
    [stored] = rows(
        state_dir,
        "SELECT event, action, outcome, detail, repository, peer, headers, body_start, body_size,"
        " data FROM deliveries JOIN bodies ON bodies.id = body_id",
    )
    assert stored[:6] == ("push", "import", "queued", "course", "org/course", "127.0.0.1")
    assert stored[6] == '[["content-type","application/json"],["x-github-event","push"]]'
    assert stored[7:9] == (0, len(body))
    assert isinstance(stored[9], bytes)
    assert zlib.decompress(stored[9]) == body


def test_bodies_are_kept_in_part_where_they_are_huge_and_packed_with_others(
    ledger: Ledger, desk: Desk, state_dir: Path
) -> None:
    huge = random.Random(1).randbytes(1_500_000)  # noise, which cannot be compressed
    bodies = [b"one", huge, b"two" * 9, b"", b"three"]
    ledger.record([an_entry(a_checkout(), at=desk.clock(), body=body) for body in bodies])
    stored = rows(
        state_dir,
        "SELECT data, body_start, body_size FROM deliveries JOIN bodies ON bodies.id = body_id"
        " ORDER BY deliveries.id",
    )
    for (data, start, size), body in zip(stored, bodies, strict=True):
        assert isinstance(data, bytes)
        assert isinstance(start, int)
        assert size == len(body)
        kept = body[: 1024 * 1024]
        assert zlib.decompress(data)[start : start + len(kept)] == kept
    assert rows(state_dir, "SELECT count(*) FROM bodies") == [(3,)]


def test_pushes_join_the_job_that_waits(desk: Desk) -> None:
    first = desk.push(push=a_push(revision(1)))
    desk.clock.advance(3)
    second = desk.push(push=a_push(revision(2)))

    assert (second.outcome, second.jobs, second.wake) == (Outcome.COALESCED, first.jobs, False)
    job = desk.job(first.jobs[0])
    assert (job.wanted, job.queued_at) == (revision(2), desk.clock.now - 3)
    assert desk.delivery_ids(job.id) == [first.delivery, second.delivery]


def test_a_batch_coalesces_as_single_deliveries_do(ledger: Ledger, desk: Desk) -> None:
    entries = [
        an_entry(a_checkout(), at=desk.clock(), push=a_push(revision(number)))
        for number in range(1, 4)
    ]
    recorded = ledger.record(entries)
    assert [one.outcome for one in recorded] == [Outcome.QUEUED] + [Outcome.COALESCED] * 2
    assert {one.jobs for one in recorded} == {recorded[0].jobs}
    assert desk.job(recorded[0].jobs[0]).wanted == revision(3)
    assert desk.delivery_ids(recorded[0].jobs[0]) == [one.delivery for one in recorded]


def test_each_of_a_large_batch_is_told_its_own(ledger: Ledger, desk: Desk, state_dir: Path) -> None:
    """More than one statement takes, in checkouts that take turns."""
    done = [desk.push(delivery_id=f"old-{number}").delivery for number in range(40)]
    desk.succeed(desk.claim())
    entries = [
        an_entry(a_checkout(f"c{number % 7}"), at=desk.clock(), delivery_id=f"new-{number}")
        for number in range(100)
    ]
    entries[10:10] = [
        an_entry(a_checkout(), at=desk.clock(), delivery_id=f"old-{number}") for number in range(40)
    ]
    entries.append(an_entry(a_checkout("none"), at=desk.clock(), delivery_id=None))
    recorded = ledger.record(entries)
    ids = rows(state_dir, f"SELECT id, delivery_id FROM deliveries WHERE id > {done[-1]}")
    assert [
        (one.delivery, entry.arrival.delivery.delivery_id)
        for one, entry in zip(recorded, entries, strict=True)
    ] == ids
    for one, entry in zip(recorded, entries, strict=True):
        if str(entry.arrival.delivery.delivery_id).startswith("old-"):
            assert one.outcome is Outcome.DUPLICATE
            continue
        [job] = one.jobs
        assert desk.job(job).directory == entry.targets[0].checkout.directory
        assert one.delivery in desk.delivery_ids(job)


def test_a_push_during_a_run_makes_exactly_one_more_job(desk: Desk) -> None:
    first = desk.push()
    desk.claim()
    second, third = desk.push(), desk.push()
    assert (second.outcome, third.outcome) == (Outcome.QUEUED, Outcome.COALESCED)
    assert second.jobs == third.jobs != first.jobs
    assert second.wake


def test_a_queued_import_covers_an_update(desk: Desk) -> None:
    first = desk.push(action=Action.IMPORT)
    second = desk.push(action=Action.UPDATE)
    assert (second.outcome, second.jobs) == (Outcome.COALESCED, first.jobs)
    assert desk.job(first.jobs[0]).action is Action.IMPORT


@pytest.mark.parametrize("together", [True, False])
def test_an_import_push_turns_a_queued_update_into_an_import(
    desk: Desk, ledger: Ledger, together: bool
) -> None:
    entries = [
        an_entry(a_checkout(), at=desk.clock(), action=action)
        for action in (Action.UPDATE, Action.IMPORT, Action.UPDATE)
    ]
    if together:
        recorded = ledger.record(entries)
    else:
        recorded = [ledger.record([entry])[0] for entry in entries]
    assert {one.jobs for one in recorded} == {recorded[0].jobs}
    assert desk.job(recorded[0].jobs[0]).action is Action.IMPORT


def test_joining_makes_a_waiting_job_due_and_forgets_its_failures(desk: Desk) -> None:
    desk.push()
    claimed = desk.claim()
    desk.ledger.postpone(claimed, "the remote lags", 15, 2)
    claimed.lock.release()
    desk.clock.advance(15)
    job_id = desk.try_again(desk.claim(), delay=300, tries=5)
    waiting = desk.job(job_id)
    assert (waiting.tries, waiting.lags, waiting.failing) == (5, 2, True)

    desk.clock.advance(10)
    joined = desk.push()

    assert (joined.outcome, joined.jobs, joined.wake) == (Outcome.COALESCED, (job_id,), True)
    job = desk.job(job_id)
    assert (job.tries, job.lags, job.failing, job.due_at) == (0, 0, False, desk.clock.now)
    assert desk.claim().job.id == job_id


def test_a_delivery_without_after_keeps_the_one_known(desk: Desk, ledger: Ledger) -> None:
    job_id = desk.push(push=a_push(revision(1))).jobs[0]
    desk.sync()
    assert desk.job(job_id).wanted == revision(1)


def test_by_hand_a_job_can_be_forced_and_stays_so(desk: Desk, ledger: Ledger) -> None:
    job_id = desk.push().jobs[0]
    [(joined, outcome)] = ledger.enqueue([a_checkout()], Action.UPDATE, Reason.SYNC, force=True)
    assert (joined, outcome) == (job_id, Outcome.COALESCED)
    desk.push()
    job = desk.job(job_id)
    assert (job.force, job.action, job.reason) == (True, Action.IMPORT, Reason.PUSH)
    [(fresh, outcome)] = ledger.enqueue([a_checkout("other")], Action.UPDATE, Reason.SYNC)
    assert outcome is Outcome.QUEUED
    other = desk.job(fresh)
    assert (other.force, other.action, other.reason) == (False, Action.UPDATE, Reason.SYNC)


def test_one_delivery_may_reach_several_checkouts(desk: Desk) -> None:
    desk.push("a")
    recorded = desk.push("a", "b")
    assert recorded.outcome is Outcome.QUEUED, "the strongest is reported"
    assert [desk.job(job).directory for job in recorded.jobs] == ["a", "b"]
    assert all(recorded.delivery in desk.delivery_ids(job) for job in recorded.jobs)


@pytest.mark.parametrize("outcome", [Outcome.IGNORED, Outcome.PONG, Outcome.REFUSED])
def test_what_asks_for_nothing_is_kept_without_its_body(
    ledger: Ledger, desk: Desk, state_dir: Path, outcome: Outcome
) -> None:
    entry = an_entry(at=desk.clock(), outcome=outcome, detail="a tag", body=b"x" * 100)
    [recorded] = ledger.record([entry])
    assert (recorded.outcome, recorded.jobs, recorded.wake) == (outcome, (), False)
    stored = rows(state_dir, "SELECT outcome, detail, body_id, body_size FROM deliveries")
    assert stored == [(outcome.value, "a tag", None, 100)]
    assert ledger.unfinished() == []


class TestDuplicates:
    def test_what_succeeded_is_not_done_again(self, desk: Desk) -> None:
        desk.push(delivery_id="one")
        desk.succeed(desk.claim())
        again = desk.push(delivery_id="one")
        assert (again.outcome, again.jobs, again.wake) == (Outcome.DUPLICATE, (), False)
        assert desk.push(delivery_id="two").outcome is Outcome.QUEUED

    def test_what_is_unfinished_failed_or_was_cancelled_is_taken_up(self, desk: Desk) -> None:
        first = desk.push(delivery_id="one")
        assert desk.push(delivery_id="one").outcome is Outcome.COALESCED
        claimed = desk.claim()
        assert desk.push(delivery_id="one").outcome is Outcome.QUEUED, "it only runs"
        desk.fail(claimed)
        claimed = desk.claim()
        desk.ledger.cancel(claimed.job)
        desk.try_again(claimed)
        assert desk.job(claimed.job.id).state is State.CANCELLED
        again = desk.push(delivery_id="one")
        assert again.outcome is Outcome.QUEUED
        assert again.jobs != first.jobs

    def test_what_was_ignored_is_taken_up_once_it_is_wanted(self, desk: Desk) -> None:
        desk.ledger.record([an_entry(at=desk.clock(), delivery_id="one")])
        assert desk.push(delivery_id="one").outcome is Outcome.QUEUED

    def test_success_counts_where_a_merge_carried_the_delivery(self, desk: Desk) -> None:
        desk.push(delivery_id="one")
        claimed = desk.claim()
        desk.push(delivery_id="two")
        merged = desk.try_again(claimed)
        assert merged != claimed.job.id
        desk.succeed(desk.claim())
        assert desk.push(delivery_id="one").outcome is Outcome.DUPLICATE

    def test_success_counts_where_a_retry_carried_the_delivery(self, desk: Desk) -> None:
        desk.push(delivery_id="one")
        claimed = desk.claim()
        desk.fail(claimed)
        desk.ledger.retry(desk.job(claimed.job.id))
        desk.succeed(desk.claim())
        assert desk.push(delivery_id="one").outcome is Outcome.DUPLICATE

    def test_each_checkout_counts_for_itself(self, desk: Desk) -> None:
        desk.push("a", delivery_id="one")
        desk.succeed(desk.claim())
        both = desk.push("a", "b", delivery_id="one")
        assert both.outcome is Outcome.QUEUED
        assert [desk.job(job).directory for job in both.jobs] == ["b"]

    def test_each_action_counts_for_itself_but_an_import_updates_too(self, desk: Desk) -> None:
        desk.push(delivery_id="one", action=Action.UPDATE)
        desk.succeed(desk.claim())
        assert desk.push(delivery_id="one", action=Action.UPDATE).outcome is Outcome.DUPLICATE
        assert desk.push(delivery_id="one", action=Action.IMPORT).outcome is Outcome.QUEUED
        desk.succeed(desk.claim())
        assert desk.push(delivery_id="one", action=Action.UPDATE).outcome is Outcome.DUPLICATE

    def test_each_forge_counts_for_itself(self, desk: Desk) -> None:
        desk.push(delivery_id="one")
        desk.succeed(desk.claim())
        assert desk.push(delivery_id="one", forge="gitea").outcome is Outcome.QUEUED

    def test_without_an_id_nothing_is_a_duplicate(self, desk: Desk) -> None:
        desk.push(delivery_id=None)
        desk.succeed(desk.claim())
        assert desk.push(delivery_id=None).outcome is Outcome.QUEUED


def test_a_checkout_is_one_row_that_follows_what_is_found(
    ledger: Ledger, desk: Desk, state_dir: Path
) -> None:
    desk.push()
    moved = a_checkout(origin="https://user:secret@forge.example/org/new.git")
    ledger.record([an_entry(moved, at=desk.clock())])
    query = "SELECT pool, path, directory, origin, follows FROM checkouts"
    [(pool, path, directory, origin, follows)] = rows(state_dir, query)
    assert (pool, path, directory, follows) == ("pool", "/repos/course", "course", "main")
    assert "forge.example/org/new.git" in str(origin)
    assert "secret" not in str(origin), "the ledger holds no credentials"
    ledger.record([an_entry(a_checkout(origin=None), at=desk.clock())])
    [(_, _, _, origin, _)] = rows(state_dir, query)
    assert origin is None


def test_a_batch_is_written_whole_or_not_at_all(ledger: Ledger, desk: Desk) -> None:
    good = an_entry(a_checkout("good"), at=desk.clock())
    bad = an_entry(a_checkout("bad"), at=desk.clock(), detail="\ud800")  # no database encodes it
    with pytest.raises(UnicodeEncodeError):
        ledger.record([good, bad])
    assert counts(ledger) == (0, 0)
    assert ledger.record([good])[0].outcome is Outcome.QUEUED


def test_pools_share_a_ledger_and_not_their_checkouts(state_dir: Path, clock: Clock) -> None:
    here, there = Ledger.open(state_dir, "here", clock), Ledger.open(state_dir, "there", clock)
    entry = an_entry(a_checkout(), at=clock())
    first, second = here.record([entry])[0], there.record([entry])[0]
    assert (first.outcome, second.outcome) == (Outcome.QUEUED, Outcome.QUEUED)
    assert [job.id for job in here.unfinished()] == list(first.jobs)
    claimed = there.claim("worker")
    assert claimed is not None
    assert claimed.job.id == second.jobs[0]
    assert there.claim("worker") is None
    clock.advance(-5)
    assert here.next_due() == clock.now + 5
    assert there.next_due() is None
    here.close()
    there.close()
