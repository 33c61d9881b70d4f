"""An attempt from claim to report, with real git and an importer that does what the test says."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitreload import worker
from gitreload.ledger import LedgerUnavailable
from gitreload.model import (
    Action,
    PermanentError,
    State,
    TransientError,
)
from gitreload.process import MARKER, Runner, environment, proc
from gitreload.recovery import recover
from helpers import git, wait_until
from workbench import COURSE, KEY, Bench


def raises(error: Exception) -> Callable[[Runner], None]:
    def action(_: Runner) -> None:
        raise error

    return action


class TestFailures:
    def test_transient_ones_are_tried_for_ever_and_reported_once(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        bench.importer.action = raises(TransientError("the database is away"))
        job_id = bench.sync()
        job = bench.run()
        seen = [(job.tries, job.failing)]
        delays = []
        for _ in range(6):
            job, waited = bench.run_when_due()
            delays.append(waited)
            seen.append((job.tries, job.failing))
        assert delays == [5, 10, 20, 40, 300, 300]
        assert seen == [(number, number >= 5) for number in range(1, 8)]
        assert (job.state, job.error) == (State.QUEUED, "the database is away")
        assert [each.levelno for each in caplog.records].count(logging.ERROR) == 1
        bench.importer.action = lambda _: None
        job, _ = bench.run_when_due()
        assert (job.id, job.state, job.failing) == (job_id, State.SUCCEEDED, False)

    def test_permanent_ones_are_final_at_once(self, bench: Bench) -> None:
        bench.importer.action = raises(PermanentError("course.xml is missing"))
        job_id = bench.sync()
        job = bench.run()
        assert (job.state, job.error) == (State.FAILED, "course.xml is missing")
        assert bench.ledger.next_due() is None
        assert "failed: course.xml is missing" in bench.log(job_id)

    def test_a_defect_of_ours_keeps_the_job(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        bench.importer.action = raises(ZeroDivisionError("oh"))
        job_id = bench.sync()
        assert bench.run().state is State.QUEUED
        assert "ZeroDivisionError('oh')" in bench.log(job_id)
        assert "Traceback" in caplog.text

    def test_a_ledger_that_is_away_during_an_import_is_a_transient_one(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        bench.importer.action = raises(LedgerUnavailable("the disk is full"))
        job_id = bench.sync()
        job = bench.run()
        assert (job.state, job.tries, job.error) == (State.QUEUED, 1, "the disk is full")
        assert "failed: the disk is full; trying again in 5 s (try 1)" in bench.log(job_id)
        assert "Traceback" not in caplog.text

    def test_a_checkout_that_is_gone_or_elsewhere_is_told(self, bench: Bench) -> None:
        job_id = bench.sync()
        shutil.rmtree(bench.repodir / "course")
        job = bench.run()
        assert job.state is State.FAILED
        assert "no longer a checkout" in (job.error or "")
        assert bench.last(job_id).result == "failed"


@pytest.mark.parametrize("command", [["rebase"], ["rebase", "--apply"], ["merge"], ["am"]])
def test_a_push_heals_what_was_left_in_the_middle(bench: Bench, command: list[str]) -> None:
    path = bench.repodir / "course"
    (path / "README.md").write_text("local\n")
    git("commit", "-q", "-am", "local", cwd=path)
    tip = bench.remote.commit({"README.md": "second\n"})
    git("fetch", "-q", cwd=path)
    patch = git("format-patch", "-o", str(path.parent), "HEAD~1..origin/main", cwd=path)
    source = patch if command == ["am"] else "origin/main"
    stopped = subprocess.run(["git", *command, source], cwd=path, capture_output=True, check=False)
    assert stopped.returncode != 0
    [found] = bench.checkouts.match([bench.remote.url], "main").found
    assert found.directory == "course"
    job = bench.push(tip)
    assert bench.run().state is State.SUCCEEDED
    assert "abandoned an unfinished" in bench.log(job)
    assert git("symbolic-ref", "HEAD", cwd=path) == "refs/heads/main"
    assert git("rev-parse", "HEAD", cwd=path) == tip
    assert git("status", cwd=path).startswith("On branch main\nYour branch is up to date")


class TestLag:
    def test_the_remotes_word_stands_after_two_waits(self, bench: Bench) -> None:
        job_id = bench.push("ab" * 20)
        assert bench.run().lags == 1
        waits = []
        for _ in range(2):
            job, waited = bench.run_when_due()
            waits.append(waited)
        assert waits == [3, 15]
        assert (job.id, job.state, job.tries) == (job_id, State.SUCCEEDED, 0)

    def test_what_arrives_meanwhile_is_taken(self, bench: Bench) -> None:
        later = bench.remote.commit({"a": "1\n"})
        bench.push("ab" * 20)
        assert bench.run().state is State.QUEUED
        bench.push(later)  # the newest word counts
        job = bench.run()
        assert (job.state, job.to_revision) == (State.SUCCEEDED, later)

    def test_a_branch_that_is_not_there_yet_is_waited_for_first(self, bench: Bench) -> None:
        git("update-ref", "-d", "refs/heads/main", cwd=bench.remote.bare)
        bench.push("ab" * 20)
        assert bench.run().state is State.QUEUED
        bench.run_when_due()
        job, _ = bench.run_when_due()
        assert job.state is not State.SUCCEEDED
        assert job.lags == 2

    def test_without_an_announcement_nothing_is_waited_for(self, bench: Bench) -> None:
        bench.sync(action=Action.UPDATE)
        assert bench.run().state is State.SUCCEEDED


class TestImport:
    def test_what_is_imported_already_is_not_imported_again(self, bench: Bench) -> None:
        for _ in range(2):
            job_id = bench.sync()
            assert bench.run().state is State.SUCCEEDED
        assert len(bench.importer.imported) == 1
        assert "already imported" in bench.log(job_id)

    def test_unless_forced_or_with_other_settings(self, bench: Bench) -> None:
        bench.sync()
        bench.run()
        bench.sync(force=True)
        bench.run()
        bench.importer.settings = "another"
        bench.sync()
        bench.run()
        assert len(bench.importer.imported) == 3

    def test_an_update_alone_imports_nothing(self, bench: Bench) -> None:
        bench.sync(action=Action.UPDATE)
        bench.run()
        assert bench.importer.imported == []

    def test_two_checkouts_of_one_course_take_turns(self, bench: Bench) -> None:
        bench.remote.commit({"course.xml": COURSE})
        bench.clone("copy")
        bench.sync("course")
        other = bench.sync("copy")
        first = bench.claim()
        assert bench.ledger.take_exclusion(first.job, KEY)
        job = bench.run()
        assert (job.id, job.state, job.tries) == (other, State.QUEUED, 0)
        assert bench.last(other).result == "postponed"
        bench.worker.run(first)
        job, waited = bench.run_when_due()
        assert (job.state, waited) == (State.SUCCEEDED, 1)


class TestStop:
    @pytest.fixture
    def sleeping(self, bench: Bench, tmp_path: Path) -> Iterator[tuple[int, threading.Thread]]:
        """A job whose import sleeps, in a group of its own; and the thread that runs it."""

        def sleep(runner: Runner) -> None:
            script = ["sh", "-c", "sleep 600 & wait"]
            runner.run(script, cwd=str(tmp_path), env=environment(), timeout=600)

        bench.importer.action = sleep
        job_id = bench.sync()
        thread = bench.start()
        wait_until(lambda: self.sleepers(bench, job_id))
        yield job_id, thread
        bench.stops.stop_all()
        thread.join()

    @staticmethod
    def sleepers(bench: Bench, job_id: int) -> list[str]:
        found = proc.marked(MARKER, bench.last(job_id).marker)
        return [name for name in map(str, found) if "sleep" in name]

    def test_a_cancelled_job_ends_with_all_its_processes(
        self, bench: Bench, sleeping: tuple[int, threading.Thread]
    ) -> None:
        job_id, thread = sleeping
        bench.ledger.cancel(bench.job(job_id))
        for each in bench.ledger.cancelling():
            bench.stops.stop(each)
        thread.join(timeout=30)
        assert self.sleepers(bench, job_id) == []
        assert bench.job(job_id).state is State.CANCELLED
        assert bench.last(job_id).result == "cancelled"
        assert bench.log(job_id).endswith("stopped: cancelled by hand\n")
        assert len(bench.stops._events) == 0

    def test_a_worker_that_stops_leaves_its_job_queued(
        self, bench: Bench, sleeping: tuple[int, threading.Thread]
    ) -> None:
        job_id, thread = sleeping
        bench.stops.stop_all()
        thread.join(timeout=30)
        assert self.sleepers(bench, job_id) == []
        job = bench.job(job_id)
        assert (job.state, job.tries, job.due_at) == (State.QUEUED, 0, bench.now)
        assert bench.last(job_id).result == "interrupted"

    def test_what_begins_after_the_stop_does_not_run(self, bench: Bench) -> None:
        bench.sync()
        bench.stops.stop_all()
        assert bench.run().state is State.QUEUED
        assert bench.importer.imported == []


def test_an_ending_waits_for_the_ledger(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "LEDGER_RETRY_SECONDS", 0.001)
    succeed, failures = bench.ledger.succeed, [LedgerUnavailable("the disk is full")] * 2

    def full(*facts: object) -> None:
        if failures:
            raise failures.pop()
        succeed(*facts)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.ledger, "succeed", full)
    job_id = bench.sync()
    assert bench.run().state is State.SUCCEEDED
    assert caplog.text.count("the disk is full") == 2
    assert bench.log(job_id).count("imported Org/course/run") == 1


class TestRecovery:
    @pytest.fixture
    def orphan(self, bench: Bench) -> Iterator[subprocess.Popen[bytes]]:
        """A worker died; a child of its attempt lives, with the marker and the checkout's lock."""
        self.job_id = bench.sync()
        claimed = bench.claim()
        os.set_inheritable(claimed.lock.fd, True)
        child = subprocess.Popen(
            ["sleep", "600"],
            env={**os.environ, MARKER: claimed.attempt.marker},
            pass_fds=[claimed.lock.fd],
            start_new_session=True,
        )
        claimed.lock.release()
        wait_until(lambda: proc.marked(MARKER, claimed.attempt.marker))
        yield child
        child.kill()
        child.wait()

    def test_what_a_dead_worker_ran_is_ended_and_queued_again(
        self, bench: Bench, orphan: subprocess.Popen[bytes]
    ) -> None:
        reaper = threading.Thread(target=orphan.wait)
        reaper.start()  # in place of init
        assert recover(bench.ledger, "worker")
        reaper.join()
        assert orphan.returncode == -signal.SIGTERM
        assert bench.job(self.job_id).state is State.QUEUED
        assert bench.last(self.job_id).result == "interrupted"
        assert bench.run().state is State.SUCCEEDED

    def test_a_lock_that_is_still_held_puts_recovery_off(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        job_id = bench.sync()
        claimed = bench.claim()
        assert not recover(bench.ledger, "worker")
        assert "still holds the lock of course" in caplog.text
        assert bench.job(job_id).state is State.RUNNING
        claimed.lock.release()
        assert recover(bench.ledger, "worker")
        assert bench.job(job_id).state is State.QUEUED

    def test_what_became_of_the_job_is_told(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        first = bench.sync()
        bench.claim().lock.release()
        second = bench.sync()
        recover(bench.ledger, "worker")
        bench.claim().lock.release()
        bench.ledger.cancel(bench.job(second))
        recover(bench.ledger, "worker")
        assert caplog.messages == [
            f"job {first} (course) was interrupted and is superseded by job {second}",
            f"job {second} (course) was interrupted and is cancelled, as it was told to stop",
        ]

    def test_other_workers_are_left_alone(self, bench: Bench) -> None:
        job_id = bench.sync()
        claimed = bench.claim()
        assert recover(bench.ledger, "another")
        assert bench.job(job_id).state is State.RUNNING
        claimed.lock.release()
