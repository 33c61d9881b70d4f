"""Drives a ledger through any sequence of events, beside the model of what it owes to whom."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gitreload.ledger import Ledger, Revisions
from gitreload.model import Action, Job, Outcome, Reason, State

from .builders import Clock, a_checkout, a_push, an_entry, database_file, revision
from .model import COURSES, DIRECTORIES, WORKERS, Debt, Model, Run, Waiting

# Thousands of commits that nobody needs on a disk.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class LedgerMachine(RuleBasedStateMachine):
    """Drives a real ledger and the model alike, and compares what they say."""

    empty_ledger: Path

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-", dir=MEMORY))
        shutil.copy(self.empty_ledger, database_file(self.folder))
        self.clock = Clock()
        self.ledger = self.open()
        self.model = Model()
        self.pushes = 0
        self.delivered: list[tuple[list[str], str | None]] = []

    def open(self) -> Ledger:
        return Ledger.open(self.folder, "pool", self.clock)

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            for run in self.model.runs.values():
                run.claimed.lock.release()
            self.ledger.close()
            shutil.rmtree(self.folder)

    # What comes in.

    @rule(
        directories=st.sets(st.sampled_from(DIRECTORIES), min_size=1),
        action=st.sampled_from(Action),
        known=st.booleans(),
    )
    def deliver(self, directories: set[str], action: Action, known: bool) -> None:
        """A push; without an id, nothing can tell it from others."""
        delivery_id = f"id-{self.pushes}" if known else None
        self.deliver_together([(sorted(directories), action, delivery_id)])

    @rule(data=st.data(), action=st.sampled_from(Action))
    @precondition(lambda self: self.delivered)
    def redeliver(self, data: st.DataObject, action: Action) -> None:
        """Somebody's click, or another hook of the same event; checkouts may have come and gone."""
        before, delivery_id = data.draw(st.sampled_from(self.delivered))
        directories = data.draw(st.sampled_from([before, before[:1], list(DIRECTORIES)]))
        self.deliver_together([(directories, action, delivery_id)])

    @rule(
        batch=st.lists(
            st.tuples(
                st.lists(st.sampled_from(DIRECTORIES), min_size=1, max_size=2, unique=True),
                st.sampled_from(Action),
                st.sampled_from(["common", None]),
            ),
            min_size=2,
            max_size=4,
        )
    )
    def deliver_together(self, batch: list[tuple[list[str], Action, str | None]]) -> None:
        entries = []
        for directories, action, delivery_id in batch:
            self.pushes += 1
            self.delivered.append((directories, delivery_id))
            entries.append(
                an_entry(
                    *map(a_checkout, directories),
                    at=self.clock(),
                    delivery_id=delivery_id,
                    action=action,
                    push=a_push(revision(self.pushes)),
                )
            )
        for entry, recorded in zip(entries, self.ledger.record(entries), strict=True):
            arrival = entry.arrival
            expected = []
            jobs = iter(recorded.jobs)
            for target in entry.targets:
                directory = target.checkout.directory
                delivery_id = arrival.delivery.delivery_id
                if delivery_id and self.model.succeeded(directory, delivery_id, arrival.action):
                    expected.append(Outcome.DUPLICATE)
                    continue
                debt = Debt(arrival.action, recorded.delivery, delivery_id)
                expected.append(self.owe(directory, [debt], next(jobs), target.push.after))
            assert list(jobs) == [], "no job without a reason"
            assert recorded.outcome is min(expected, key=list(Outcome).index)

    @rule(directory=st.sampled_from(DIRECTORIES), action=st.sampled_from(Action))
    def sync(self, directory: str, action: Action) -> None:
        [(job, outcome)] = self.ledger.enqueue([a_checkout(directory)], action, Reason.SYNC)
        assert outcome is self.owe(directory, [Debt(action, None, None)], job, None)

    @rule(data=st.data())
    @precondition(lambda self: self.model.finished)
    def retry(self, data: st.DataObject) -> None:
        old = data.draw(st.sampled_from(sorted(self.model.finished)))
        _, _, directory, action, debts = self.model.finished[old]
        job = self.job(old)
        again = [replace(debt, action=action) for debt in debts if debt.delivery is not None]
        new = self.ledger.retry(job)
        self.owe(directory, [*again, Debt(action, None, None)], new, job.wanted)

    def owe(self, directory: str, debts: list[Debt], job: int, wanted: str | None) -> Outcome:
        """These debts wait now, in that job says the ledger; what it should have called that."""
        waiting = self.model.waiting.get(directory)
        if waiting is None:
            assert job not in self.model.finished
            assert job not in {run.taken.job for run in self.model.runs.values()}
            self.model.waiting[directory] = Waiting(job, debts, self.clock(), wanted=wanted)
            return Outcome.QUEUED
        assert job == waiting.job, "it joins the job that waits"
        waiting.debts += debts
        waiting.due_at = min(waiting.due_at, self.clock())
        waiting.tries = waiting.lags = 0
        waiting.wanted = wanted or waiting.wanted
        return Outcome.COALESCED

    # What workers do.

    @rule(worker=st.sampled_from(WORKERS))
    def claim(self, worker: str) -> None:
        directory = self.model.next(self.clock())
        claimed = self.ledger.claim(worker)
        if directory is None:
            assert claimed is None, "nothing may run"
            return
        assert claimed is not None, f"{directory} may run"
        waiting = self.model.waiting.pop(directory)
        job = claimed.job
        assert (job.id, job.directory, job.action) == (waiting.job, directory, waiting.action)
        assert (job.tries, job.lags, job.wanted) == (waiting.tries, waiting.lags, waiting.wanted)
        course = self.model.courses.get(directory) if job.action is Action.IMPORT else None
        self.model.runs[directory] = Run(claimed, worker, waiting, course)

    @rule(worker=st.sampled_from(WORKERS))
    def claim_all(self, worker: str) -> None:
        """A server that has more workers than jobs."""
        while self.model.next(self.clock()) is not None:
            self.claim(worker)
        self.claim(worker)  # and nothing more

    @rule(worker=st.sampled_from(WORKERS), well=st.booleans())
    @precondition(lambda self: self.model.next(self.clock()))
    def work(self, worker: str, well: bool) -> None:
        """A whole run in one step: most jobs end before anything else happens."""
        directory = self.model.next(self.clock())
        assert directory is not None
        self.claim(worker)
        run = self.model.runs[directory]
        self.learn(directory)
        if well:
            self.ledger.succeed(run.claimed, Revisions(None, revision(1)))
            self.settle(directory, State.SUCCEEDED)
            return
        tries = run.taken.tries + 1
        standing = self.ledger.try_again(run.claimed, "no network", 5, tries, failing=False)
        self.again(directory, standing, 5, tries=tries)

    def some_run(self, data: st.DataObject) -> tuple[str, Run]:
        directory = data.draw(st.sampled_from(sorted(self.model.runs)))
        return directory, self.model.runs[directory]

    @rule(data=st.data())
    @precondition(lambda self: self.model.runs)
    def learn_course(self, data: st.DataObject) -> None:
        self.learn(self.some_run(data)[0])

    def learn(self, directory: str) -> None:
        """An import finds out which course its checkout holds."""
        run, course = self.model.runs[directory], COURSES[directory]
        if course is None or run.taken.action is not Action.IMPORT:
            return
        others = [other for name, other in self.model.runs.items() if name != directory]
        free = course not in {other.course for other in others}
        assert self.ledger.take_exclusion(run.claimed.job, course) is free
        # Known from now on, so that it is not claimed in vain while the other import runs.
        self.model.courses[directory] = course
        if free:
            run.course = course

    @rule(data=st.data())
    @precondition(lambda self: self.model.runs)
    def succeed(self, data: st.DataObject) -> None:
        directory, run = self.some_run(data)
        self.ledger.succeed(run.claimed, Revisions(None, revision(1)))
        self.settle(directory, State.SUCCEEDED)

    @rule(data=st.data())
    @precondition(lambda self: self.model.runs)
    def fail_for_good(self, data: st.DataObject) -> None:
        directory, run = self.some_run(data)
        self.ledger.fail(run.claimed, "the course is broken", None)
        self.settle(directory, State.FAILED)

    @rule(data=st.data(), delay=st.sampled_from([0.0, 5.0, 300.0]))
    @precondition(lambda self: self.model.runs)
    def fail_for_now(self, data: st.DataObject, delay: float) -> None:
        directory, run = self.some_run(data)
        tries = run.taken.tries + 1
        standing = self.ledger.try_again(run.claimed, "no network", delay, tries, failing=False)
        self.again(directory, standing, delay, tries=tries)

    @rule(data=st.data())
    @precondition(lambda self: self.model.runs)
    def postpone(self, data: st.DataObject) -> None:
        directory, run = self.some_run(data)
        lags = run.taken.lags + 1
        standing = self.ledger.postpone(run.claimed, "the remote lags", 3, lags)
        self.again(directory, standing, 3, lags=lags)

    @rule(worker=st.sampled_from(WORKERS))
    def crash(self, worker: str) -> None:
        """The worker's process dies with all its runs; others recover them, as `recover` does."""
        for run in self.model.runs.values():
            if run.worker == worker:
                run.claimed.lock.release()
        left = [pair for pair in self.ledger.running_attempts() if pair[1].worker == worker]
        dead = {name: run for name, run in self.model.runs.items() if run.worker == worker}
        assert {job.directory for job, _ in left} == set(dead)
        for job, attempt in left:
            lock = self.ledger.lock_checkout(job.path)
            assert lock is not None
            with lock:
                standing = self.ledger.interrupted(job, attempt, "the worker died")
            self.again(job.directory, standing, 0)

    @rule()
    def crash_of_everything(self) -> None:
        for run in self.model.runs.values():
            run.claimed.lock.release()
        self.ledger.close()
        self.ledger = self.open()
        for worker in WORKERS:
            self.crash(worker)

    def settle(self, directory: str, state: State) -> None:
        run = self.model.runs.pop(directory)
        run.claimed.lock.release()
        taken = run.taken
        self.model.finished[taken.job] = (
            self.clock(), state, directory, taken.action, taken.debts,
        )  # fmt: skip

    def again(self, directory: str, standing: int, delay: float, **changes: Any) -> None:
        """A run came to nothing; `standing` is the job that now stands for it, says the ledger."""
        run = self.model.runs[directory]
        if run.cancelled:
            self.settle(directory, State.CANCELLED)
            return
        del self.model.runs[directory]
        run.claimed.lock.release()
        waiting = self.model.waiting.get(directory)
        if waiting is None:
            assert standing == run.taken.job
            due_at = self.clock() + delay
            self.model.waiting[directory] = replace(run.taken, due_at=due_at, **changes)
            return
        assert standing == waiting.job, "they merge"
        waiting.debts = run.taken.debts + waiting.debts
        waiting.wanted = waiting.wanted or run.taken.wanted
        self.model.merged[run.taken.job] = (self.clock(), standing)

    # What people do, and time.

    @rule(data=st.data())
    @precondition(lambda self: self.model.runs or self.model.waiting)
    def cancel(self, data: st.DataObject) -> None:
        running = {run.taken.job: name for name, run in self.model.runs.items()}
        queued = {waiting.job: name for name, waiting in self.model.waiting.items()}
        job = data.draw(st.sampled_from(sorted(running | queued)))
        told = self.ledger.cancel(self.job(job))
        if job in running:
            assert told.state is State.RUNNING
            self.model.runs[running[job]].cancelled = True
            return
        assert told.state is State.CANCELLED
        waiting = self.model.waiting.pop(queued[job])
        self.model.finished[job] = (
            self.clock(), State.CANCELLED, queued[job], waiting.action, waiting.debts,
        )  # fmt: skip

    @rule(seconds=st.sampled_from([1.0, 5.0, 400.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(days=st.sampled_from([1, 30]), seconds=st.sampled_from([0.0, 86_400.0 * 2]))
    def prune(self, days: int, seconds: float) -> None:
        self.clock.advance(seconds)
        self.ledger.prune(days, 1_000_000)
        cutoff = self.clock() - days * 86_400
        model = self.model
        model.finished = {job: done for job, done in model.finished.items() if done[0] >= cutoff}
        model.merged = {job: into for job, into in model.merged.items() if into[0] >= cutoff}

    # What holds at all times.

    def job(self, job_id: int) -> Job:
        job = self.ledger.job(job_id)
        assert job is not None, f"job {job_id} is gone"
        return job

    @invariant()
    def what_is_unfinished_is_what_is_owed(self) -> None:
        unfinished = self.ledger.unfinished()
        running = [job for job in unfinished if job.state is State.RUNNING]
        queued = [job for job in unfinished if job.state is State.QUEUED]
        assert {job.directory: job.id for job in running} == {
            name: run.taken.job for name, run in self.model.runs.items()
        }
        assert {job.directory: job.id for job in queued} == {
            name: waiting.job for name, waiting in self.model.waiting.items()
        }
        assert len(unfinished) == len(self.model.runs) + len(self.model.waiting)
        for job in running:
            assert job.exclusion == self.model.runs[job.directory].course
        held = [job.exclusion for job in running if job.exclusion]
        assert len(set(held)) == len(held)
        for job in queued:
            waiting = self.model.waiting[job.directory]
            assert (job.action, job.wanted) == (waiting.action, waiting.wanted)
            assert (job.due_at, job.tries, job.lags, job.exclusion) == (
                waiting.due_at, waiting.tries, waiting.lags, None,
            )  # fmt: skip

    @invariant()
    def every_debt_is_carried_by_its_job(self) -> None:
        carried = [run.taken for run in self.model.runs.values()]
        for waiting in [*carried, *self.model.waiting.values()]:
            owed = {debt.delivery for debt in waiting.debts} - {None}
            assert {delivery.id for delivery in self.ledger.deliveries(waiting.job)} == owed

    @invariant()
    def what_ended_stays_as_it_ended(self) -> None:
        ended = {
            job.id: (job.state, job.directory, job.action)
            for job in self.ledger.find_jobs(limit=10_000)
            if job.state.finished and job.state is not State.SUPERSEDED
        }
        assert ended == {
            job_id: (state, directory, action)
            for job_id, (_, state, directory, action, _) in self.model.finished.items()
        }

    @invariant()
    def who_asks_for_a_merged_job_is_led_to_what_stands_for_it(self) -> None:
        for job_id, (_, into) in self.model.merged.items():
            assert self.job(job_id).state is State.SUPERSEDED
            successor = self.ledger.job(into)
            if successor is not None:
                expected, found = self.ledger.follow(into), self.ledger.follow(job_id)
                assert found == expected

    @invariant()
    def locks_are_held_by_runs_and_nobody_else(self) -> None:
        for directory in DIRECTORIES:
            lock = self.ledger.lock_checkout(a_checkout(directory).path)
            assert (lock is None) is (directory in self.model.runs)
            if lock is not None:
                lock.release()
