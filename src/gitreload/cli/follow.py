"""Watching jobs while others run them: their logs, and how they end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from gitreload.cli.output import next_try, say, write
from gitreload.ledger import Ledger
from gitreload.model import GitreloadError, Job
from gitreload.telling import interruption, waits_for_next_try, when

POLL_SECONDS = 0.2


class Logs:
    """The logs of a job's attempts, from where they were last read.

    Those of attempts that ended before `since` (seconds since the epoch) are left out.
    """

    def __init__(self, ledger: Ledger, since: float = 0) -> None:
        self._ledger = ledger
        self._since = since
        self._seen: dict[int, int] = {}
        self._complete: set[int] = set()

    @property
    def empty(self) -> bool:
        """Whether there was no attempt so far."""
        return not self._seen

    def advance(self, job_id: int) -> None:
        """Print what is new, also of the jobs that this one superseded."""
        for number, attempt in enumerate(self._ledger.attempts(job_id), 1):
            if attempt.id in self._complete or (attempt.finished_at or self._since) < self._since:
                continue
            if attempt.id not in self._seen:
                self._seen[attempt.id] = 0
                say(f"--- attempt {number} of job {attempt.job_id}, {when(attempt.started_at)}")
            for seq, text in self._ledger.log(attempt.id, self._seen[attempt.id]):
                write(text)
                self._seen[attempt.id] = seq
            # An attempt's log is written before its end is told.
            if attempt.finished_at is not None:
                self._complete.add(attempt.id)
                if ending := interruption(attempt):
                    say(ending)


def follow_job(ledger: Ledger, number: int) -> Job:
    """Print a job's logs until it is finished; returns the job that then stands for it."""
    logs = Logs(ledger)
    told: set[tuple[int, int]] = set()

    def progress(job: Job) -> None:
        logs.advance(job.id)
        failure = job.id, job.tries
        if waits_for_next_try(job) and failure not in told:
            told.add(failure)
            say(f"--- {next_try(job)}; Ctrl-C stops following, not the job")

    return watch(ledger, [number], progress)[0]


def watch(
    ledger: Ledger,
    numbers: Sequence[int],
    progress: Callable[[Job], None],
    *,
    settled: Callable[[Job], bool] = lambda job: job.state.finished,
    tick: Callable[[], None] = lambda: None,
) -> list[Job]:
    """Wait until all jobs are settled; returns those that then stand for them, in order.

    A few times a second `tick` is called, then `progress` with each job that is not settled yet.
    """
    ended: dict[int, Job] = {}
    while True:
        tick()
        for number in numbers:
            if number not in ended:
                job = _standing_for(ledger, number)
                progress(job)
                if settled(job):
                    ended[number] = job
        if len(ended) == len(numbers):
            return [ended[number] for number in numbers]
        sys.stdout.flush()
        time.sleep(POLL_SECONDS)


def _standing_for(ledger: Ledger, number: int) -> Job:
    job = ledger.follow(number)
    if job is None:
        raise GitreloadError(f"job {number} has left the ledger: HISTORY_DAYS or HISTORY_MB is low")
    return job
