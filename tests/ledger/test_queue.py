"""A job's life: claimed, ended, queued again, merged, cancelled."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from gitreload.ledger import Done, Ledger, LedgerUnavailable, Revisions
from gitreload.locks import Lock
from gitreload.model import Action, Group, Imported, Reason, State

from .builders import Desk, a_checkout, a_push, database_file, revision


class TestClaim:
    def test_the_oldest_due_job_comes_first(self, desk: Desk) -> None:
        for directory in ("a", "b", "c"):
            desk.push(directory)
            desk.clock.advance(1)
        desk.push("a")  # joins: its place stays
        claimed = [desk.claim().job.directory for _ in range(3)]
        assert claimed == ["a", "b", "c"]
        assert desk.ledger.claim("worker") is None

    def test_what_is_not_due_waits(self, desk: Desk) -> None:
        desk.push("a")
        desk.try_again(desk.claim(), delay=30)
        desk.push("b")
        assert desk.ledger.next_due() == desk.clock.now + 30
        assert desk.claim().job.directory == "b"
        assert desk.ledger.claim("worker") is None
        desk.clock.advance(30)
        assert desk.ledger.next_due() is None, "nothing waits for its time any more"
        assert desk.claim().job.directory == "a"

    def test_what_is_claimed_is_written_and_locked(self, desk: Desk) -> None:
        desk.push()
        desk.clock.advance(2)
        claimed = desk.claim("worker-1")
        job = desk.job(claimed.job.id)
        assert job == claimed.job
        assert (job.state, job.started_at) == (State.RUNNING, desk.clock.now)
        assert desk.ledger.lock_checkout(job.path) is None
        assert desk.ledger.attempts(job.id) == [claimed.attempt]
        attempt = claimed.attempt
        assert (attempt.worker, attempt.result, attempt.group) == ("worker-1", "running", None)
        assert attempt.started_at == desk.clock.now
        assert desk.ledger.running_attempts() == [(job, attempt)]

    def test_markers_tell_attempts_apart(self, desk: Desk) -> None:
        desk.push("a", "b")
        assert desk.claim().attempt.marker != desk.claim().attempt.marker

    def test_a_checkout_that_runs_is_left_alone(self, desk: Desk) -> None:
        desk.push("a")
        running = desk.claim()
        desk.push("a", "b")
        assert desk.claim().job.directory == "b"
        assert desk.ledger.claim("worker") is None
        desk.succeed(running)
        assert desk.claim().job.directory == "a"

    def test_a_checkout_whose_worker_died_waits_for_its_recovery(self, desk: Desk) -> None:
        desk.push("a")
        dead = desk.claim()
        desk.push("a", "b")
        dead.lock.release()
        assert desk.claim().job.directory == "b"
        assert desk.ledger.claim("worker") is None
        desk.crash(dead)
        assert desk.claim().job.directory == "a"

    def test_a_checkout_that_is_locked_is_passed_over_at_no_cost(self, desk: Desk) -> None:
        desk.push("a")
        desk.push("b")
        # A child of a worker that died still works there.
        lock = desk.ledger.lock_checkout("/repos/a")
        assert lock is not None
        assert desk.claim().job.directory == "b"
        assert desk.ledger.claim("worker") is None
        [_, waiting] = desk.ledger.unfinished()
        assert (waiting.directory, waiting.state, waiting.tries) == ("a", State.QUEUED, 0)
        assert desk.ledger.attempts(waiting.id) == []
        lock.release()
        assert desk.claim().job.directory == "a"

    def test_no_two_imports_of_one_course_run(self, desk: Desk) -> None:
        for directory in ("a", "b"):
            desk.push(directory)
            claimed = desk.claim()
            assert desk.ledger.take_exclusion(claimed.job, "course-v1:X+Y+Z")
            desk.succeed(claimed)
        desk.push("a", "b", "c")
        first = desk.claim()
        assert (first.job.directory, first.job.exclusion) == ("a", "course-v1:X+Y+Z")
        assert desk.claim().job.directory == "c", "b imports to the key that a holds"
        assert desk.ledger.claim("worker") is None
        desk.push("d", action=Action.UPDATE)
        desk.succeed(desk.claim())
        desk.succeed(first)
        assert desk.claim().job.directory == "b"

    def test_an_update_needs_no_course(self, desk: Desk) -> None:
        for directory in ("a", "b"):
            desk.push(directory)
            claimed = desk.claim()
            assert desk.ledger.take_exclusion(claimed.job, "key")
            desk.succeed(claimed)
        desk.push("a")
        desk.claim()
        desk.push("b", action=Action.UPDATE)
        claimed = desk.claim()
        assert (claimed.job.directory, claimed.job.exclusion) == ("b", None)

    def test_a_key_that_turns_up_late_is_taken_once(self, desk: Desk) -> None:
        desk.push("a", "b")
        first, second = desk.claim(), desk.claim()
        assert desk.ledger.take_exclusion(first.job, "key")
        assert desk.ledger.take_exclusion(first.job, "key"), "it is its own already"
        assert not desk.ledger.take_exclusion(second.job, "key")
        assert desk.ledger.take_exclusion(second.job, "other")
        desk.fail(first)
        assert desk.ledger.take_exclusion(second.job, "key")

    def test_who_waits_for_a_key_is_not_claimed_meanwhile(self, desk: Desk) -> None:
        desk.push("a", "b")
        first, second = desk.claim(), desk.claim()
        assert desk.ledger.take_exclusion(first.job, "key")
        assert not desk.ledger.take_exclusion(second.job, "key")
        desk.ledger.postpone(second, "the key is taken", 1, 0)
        second.lock.release()
        desk.clock.advance(2)
        assert desk.ledger.claim("worker") is None, "the import of a goes on"
        desk.succeed(first)
        assert desk.claim().job.directory == "b"

    @pytest.mark.parametrize("ending", ["try_again", "crash", "succeed", "fail"])
    def test_every_ending_frees_the_key(self, desk: Desk, ending: str) -> None:
        desk.push("a", "b")
        first, second = desk.claim(), desk.claim()
        assert desk.ledger.take_exclusion(first.job, "key")
        getattr(desk, ending)(first)
        assert desk.job(first.job.id).exclusion is None
        assert desk.ledger.take_exclusion(second.job, "key")

    def test_a_claim_that_cannot_be_written_leaves_no_lock_behind(self, desk: Desk) -> None:
        desk.push()
        # Whatever the cause: here the attempts cannot be written.
        with sqlite3.connect(database_file(desk.ledger.state_dir)) as connection:
            connection.execute("ALTER TABLE attempts RENAME TO elsewhere")
        with pytest.raises(LedgerUnavailable):
            desk.ledger.claim("worker")
        with sqlite3.connect(database_file(desk.ledger.state_dir)) as connection:
            connection.execute("ALTER TABLE elsewhere RENAME TO attempts")
        connection.close()
        desk.succeed(desk.claim())

    def test_a_lock_that_cannot_be_made_is_told_as_such(self, desk: Desk) -> None:
        desk.push()
        locks = desk.ledger.state_dir / "locks"
        locks.write_text("a file where a directory should be")
        with pytest.raises(LedgerUnavailable, match=str(locks)):
            desk.ledger.claim("worker")
        locks.unlink()
        desk.claim()

    def test_it_looks_at_unfinished_jobs_only_not_at_all_checkouts(self, desk: Desk) -> None:
        """With 10,000 checkouts, anything else would be too slow for each claim."""
        seen: list[str] = []
        desk.push()
        desk.ledger.claim("worker")  # whatever is prepared once
        with sqlite3.connect(database_file(desk.ledger.state_dir)) as connection:
            for query in _queries(desk.ledger):
                plan = connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
                seen += [step[3] for step in plan]
        connection.close()
        assert any("jobs_due" in step for step in seen)
        whole = {"SCAN jobs", "SCAN checkouts", "SCAN attempts"}
        assert not whole & set(seen)
        assert not [step for step in seen if "checkouts" in step and "PRIMARY KEY" not in step]


def _queries(ledger: Ledger) -> list[str]:
    """The SELECTs that a worker, a keeper and `/queue` send, with their values in place."""
    found: list[str] = []
    connections = []
    for open_one in (ledger.database.write(durable=False), ledger.database.read()):
        with open_one as connection:
            raw = connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            raw.set_trace_callback(found.append)
            connections.append(raw)
    ledger.claim("worker")
    ledger.next_due()
    ledger.unfinished()
    ledger.running_attempts()
    ledger.cancelling()
    for raw in connections:
        raw.set_trace_callback(None)
    return [query for query in found if query.startswith("SELECT")]


class TestEndings:
    def test_success_is_kept_on_the_job_the_attempt_and_the_checkout(self, desk: Desk) -> None:
        desk.push()
        claimed = desk.claim()
        imported = Imported("course-v1:X+Y+Z", "digest")
        desk.clock.advance(4)
        desk.ledger.succeed(claimed, Revisions(revision(1), revision(2)), Done(imported))
        job = desk.job(claimed.job.id)
        assert (job.state, job.finished_at, job.error) == (State.SUCCEEDED, desk.clock.now, None)
        assert (job.from_revision, job.to_revision) == (revision(1), revision(2))
        [attempt] = desk.ledger.attempts(job.id)
        assert (attempt.result, attempt.finished_at) == ("succeeded", desk.clock.now)
        assert (attempt.from_revision, attempt.to_revision) == (revision(1), revision(2))
        record = desk.ledger.last_results()["/repos/course"]
        assert record.revision == revision(2)
        assert desk.ledger.imported(job) == (revision(2), "digest")

    def test_an_update_does_not_count_as_an_import(self, desk: Desk) -> None:
        desk.push()
        claimed = desk.claim()
        desk.ledger.succeed(claimed, Revisions(None, revision(1)), Done(Imported("key", "digest")))
        claimed.lock.release()
        desk.push(action=Action.UPDATE)
        desk.succeed(desk.claim(), revision(2))
        assert desk.ledger.last_results()["/repos/course"].revision == revision(2)
        assert desk.ledger.imported(claimed.job) == (revision(1), "digest")

    def test_failure_keeps_its_sentence_and_how_far_it_came(self, desk: Desk) -> None:
        desk.push()
        claimed = desk.claim()
        desk.ledger.fail(claimed, "the course is broken", Revisions(None, revision(3)))
        job = desk.job(claimed.job.id)
        assert (job.state, job.error) == (State.FAILED, "the course is broken")
        assert desk.ledger.attempts(job.id)[0].error == "the course is broken"
        assert desk.ledger.last_results()["/repos/course"].revision == revision(3)
        assert desk.ledger.imported(job) == (None, None)

    def test_a_failure_before_the_update_leaves_the_revision(self, desk: Desk) -> None:
        desk.push()
        desk.succeed(desk.claim(), revision(1))
        desk.push()
        desk.fail(desk.claim())
        assert desk.ledger.last_results()["/repos/course"].revision == revision(1)

    def test_a_sentence_may_quote_what_no_file_can_encode(self, desk: Desk) -> None:
        desk.push()
        claimed = desk.claim()
        desk.fail(claimed, "no such file: caf\udce9.xml")
        assert desk.job(claimed.job.id).error == r"no such file: caf\udce9.xml"

    def test_the_process_group_stands_while_it_runs(self, desk: Desk) -> None:
        desk.push()
        claimed = desk.claim()
        desk.ledger.note_group(claimed.attempt, Group(4_000_000, 2**40))
        [(_, attempt)] = desk.ledger.running_attempts()
        assert attempt.group == Group(4_000_000, 2**40)
        desk.succeed(claimed)
        assert desk.ledger.attempts(claimed.job.id)[0].group is None
        assert desk.ledger.running_attempts() == []


class TestAgain:
    def test_a_transient_failure_waits_and_counts(self, desk: Desk) -> None:
        desk.push()
        claimed = desk.claim()
        assert desk.try_again(claimed, delay=300, tries=5) == claimed.job.id
        job = desk.job(claimed.job.id)
        assert (job.state, job.due_at) == (State.QUEUED, desk.clock.now + 300)
        assert (job.tries, job.failing, job.error) == (5, True, "no network")
        assert (job.started_at, job.finished_at) == (None, None)
        [attempt] = desk.ledger.attempts(job.id)
        assert (attempt.result, attempt.error) == ("failed", "no network")
        desk.clock.advance(300)
        again = desk.claim()
        assert again.job.tries == 5
        desk.succeed(again)
        assert not desk.job(job.id).failing
        assert [attempt.result for attempt in desk.ledger.attempts(job.id)] == [
            "failed",
            "succeeded",
        ]

    def test_a_postponed_job_costs_no_try(self, desk: Desk) -> None:
        desk.push()
        claimed = desk.claim()
        assert desk.ledger.postpone(claimed, "the remote lags", 3, 1) == claimed.job.id
        job = desk.job(claimed.job.id)
        assert (job.due_at, job.lags, job.tries) == (desk.clock.now + 3, 1, 0)
        assert desk.ledger.attempts(job.id)[0].result == "postponed"

    def test_a_crashed_job_is_due_at_once(self, desk: Desk) -> None:
        desk.push()
        claimed = desk.claim()
        desk.clock.advance(60)
        assert desk.crash(claimed) == claimed.job.id
        job = desk.job(claimed.job.id)
        assert (job.state, job.due_at, job.tries) == (State.QUEUED, desk.clock.now, 0)
        [attempt] = desk.ledger.attempts(job.id)
        assert (attempt.result, attempt.error) == ("interrupted", "the worker died")
        assert desk.claim().job.id == job.id

    @pytest.mark.parametrize("ending", ["try_again", "crash"])
    def test_it_merges_with_what_was_queued_meanwhile(self, desk: Desk, ending: str) -> None:
        first = desk.push(push=a_push(revision(1)))
        both = desk.push(push=a_push(revision(2)))
        claimed = desk.claim()
        third = desk.push(push=a_push(revision(3)))

        standing = getattr(desk, ending)(claimed)

        assert (standing,) == third.jobs
        old, new = desk.job(claimed.job.id), desk.job(standing)
        assert (old.state, old.superseded_by) == (State.SUPERSEDED, new.id)
        assert old.finished_at == desk.clock.now
        assert (new.state, new.wanted, new.tries) == (State.QUEUED, revision(3), 0)
        assert new.due_at <= desk.clock.now
        expected = [first.delivery, both.delivery, third.delivery]
        assert desk.delivery_ids(new.id) == expected
        assert desk.delivery_ids(old.id) == expected[:2], "the history stays"
        assert desk.ledger.unfinished() == [new]

    def test_a_delivery_that_both_carry_is_linked_once(self, desk: Desk) -> None:
        first = desk.push(delivery_id="one")
        claimed = desk.claim()
        desk.fail(claimed)
        again = desk.ledger.retry(desk.job(claimed.job.id))
        running = desk.claim()
        assert desk.ledger.retry(desk.job(claimed.job.id)) != again
        standing = desk.crash(running)
        assert desk.delivery_ids(standing) == [first.delivery]

    @pytest.mark.parametrize(
        ("running", "queued", "merged"),
        [
            (Action.IMPORT, Action.UPDATE, Action.IMPORT),
            (Action.UPDATE, Action.IMPORT, Action.IMPORT),
            (Action.UPDATE, Action.UPDATE, Action.UPDATE),
        ],
    )
    def test_the_merged_job_does_all_that_was_owed(
        self, desk: Desk, running: Action, queued: Action, merged: Action
    ) -> None:
        desk.push(action=running)
        claimed = desk.claim()
        desk.push(action=queued)
        assert desk.job(desk.crash(claimed)).action is merged

    def test_the_merged_job_keeps_force_and_what_is_waited_for(self, desk: Desk) -> None:
        desk.push(push=a_push(revision(1)))
        desk.ledger.enqueue([a_checkout()], Action.IMPORT, Reason.SYNC, force=True)
        claimed = desk.claim()
        desk.sync()
        job = desk.job(desk.crash(claimed))
        assert (job.force, job.wanted) == (True, revision(1))

    def test_an_ending_told_twice_changes_nothing_more(self, desk: Desk) -> None:
        desk.push()
        claimed = desk.claim()
        desk.crash(claimed)
        before = desk.job(claimed.job.id)
        desk.crash(claimed)
        assert desk.job(claimed.job.id) == before
        desk.succeed(desk.claim())
        desk.crash(claimed)
        assert desk.job(claimed.job.id).state is State.SUCCEEDED


class TestCancel:
    def test_a_queued_job_is_cancelled_at_once(self, desk: Desk) -> None:
        job_id = desk.push().jobs[0]
        job = desk.ledger.cancel(desk.job(job_id))
        assert (job.state, job.finished_at) == (State.CANCELLED, desk.clock.now)
        assert desk.ledger.claim("worker") is None
        assert desk.push().outcome.value == "queued"

    @pytest.mark.parametrize("ending", ["try_again", "crash", "postpone"])
    def test_a_running_job_is_asked_and_then_not_queued_again(
        self, desk: Desk, ending: str
    ) -> None:
        desk.push()
        claimed = desk.claim()
        assert desk.ledger.cancel(claimed.job).state is State.RUNNING
        assert list(desk.ledger.cancelling()) == [claimed.job.id]
        newer = desk.push().jobs[0]
        if ending == "postpone":
            desk.ledger.postpone(claimed, "the remote lags", 3, 1)
        else:
            getattr(desk, ending)(claimed)
        assert desk.job(claimed.job.id).state is State.CANCELLED
        assert list(desk.ledger.cancelling()) == []
        [attempt] = desk.ledger.attempts(claimed.job.id)
        results = {"try_again": "failed", "crash": "cancelled", "postpone": "postponed"}
        assert attempt.result == results[ending]
        assert [job.id for job in desk.ledger.unfinished()] == [newer], "that was pushed later"

    def test_a_job_that_ends_well_first_stays_so(self, desk: Desk) -> None:
        desk.push()
        claimed = desk.claim()
        desk.ledger.cancel(claimed.job)
        desk.succeed(claimed)
        assert desk.job(claimed.job.id).state is State.SUCCEEDED
        assert desk.ledger.cancel(claimed.job).state is State.SUCCEEDED

    def test_a_job_claimed_since_it_was_read_is_asked(self, desk: Desk) -> None:
        read = desk.job(desk.push().jobs[0])
        claimed = desk.claim()
        assert desk.ledger.cancel(read).state is State.RUNNING
        assert list(desk.ledger.cancelling()) == [claimed.job.id]


class TestRetry:
    def test_a_failed_job_is_queued_anew_with_its_deliveries(self, desk: Desk) -> None:
        recorded = desk.push(push=a_push(revision(5)))
        claimed = desk.claim()
        desk.fail(claimed)
        failed = desk.job(claimed.job.id)
        new = desk.job(desk.ledger.retry(failed))
        assert new.id != failed.id
        assert (new.state, new.reason) == (State.QUEUED, Reason.RETRY)
        assert (new.action, new.wanted) == (Action.IMPORT, revision(5))
        assert desk.delivery_ids(new.id) == [recorded.delivery]
        assert desk.job(failed.id) == failed

    def test_a_waiting_job_becomes_due(self, desk: Desk) -> None:
        desk.push()
        waiting = desk.try_again(desk.claim(), delay=300, tries=5)
        desk.clock.advance(1)
        assert desk.ledger.retry(desk.job(waiting)) == waiting
        job = desk.job(waiting)
        assert (job.due_at, job.tries, job.failing) == (desk.clock.now, 0, False)

    def test_it_joins_what_is_queued(self, desk: Desk) -> None:
        first = desk.push()
        claimed = desk.claim()
        desk.fail(claimed)
        second = desk.push()
        assert (desk.ledger.retry(desk.job(claimed.job.id)),) == second.jobs
        assert desk.delivery_ids(second.jobs[0]) == [first.delivery, second.delivery]


class TestRules:
    """What the database itself refuses, whatever the code does."""

    @pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING])
    def test_no_second_row(self, desk: Desk, state: State) -> None:
        desk.push()
        if state is State.RUNNING:
            desk.claim()
        with (
            pytest.raises(IntegrityError),
            desk.ledger.database.write() as connection,
        ):
            connection.exec_driver_sql(
                "INSERT INTO jobs (checkout_id, action, state, reason, queued_at, due_at)"
                f" SELECT checkout_id, action, '{state}', reason, queued_at, due_at FROM jobs"
            )

    def test_only_existing_checkouts_have_jobs(self, desk: Desk) -> None:
        desk.push()
        with (
            pytest.raises(IntegrityError, match="FOREIGN KEY"),
            desk.ledger.database.write() as connection,
        ):
            connection.exec_driver_sql("UPDATE jobs SET checkout_id = 77")


def test_workers_enter_and_leave(ledger: Ledger, state_dir: Path) -> None:
    ledger.enter_worker("worker-1")
    ledger.enter_worker("worker-2")
    ledger.check_writable("worker-1")
    ledger.leave_worker("worker-1")
    with sqlite3.connect(database_file(state_dir)) as connection:
        found = connection.execute("SELECT id, pool FROM workers").fetchall()
    connection.close()
    assert found == [("worker-2", "pool")]


def test_the_lock_of_a_checkout_is_one_for_all_processes(ledger: Ledger, tmp_path: Path) -> None:
    lock = ledger.lock_checkout("/repos/course")
    assert isinstance(lock, Lock)
    assert ledger.lock_checkout("/repos/course") is None
    other = ledger.lock_checkout("/repos/course2")
    assert other is not None
    lock.release()
    other.release()
