"""What a dead worker left running: ended, and queued again."""

from __future__ import annotations

import logging

from gitreload import process
from gitreload.ledger import Ledger
from gitreload.model import Attempt, GitreloadError, Job, State

logger = logging.getLogger(__name__)


def recover(ledger: Ledger, worker: str) -> bool:
    """Queue again what a dead worker left running, once none of its children lives any more.

    False where something of it cannot be ended now; then nothing was changed for that job.
    """
    left = [pair for pair in ledger.running_attempts() if pair[1].worker == worker]
    done = [_recover_attempt(ledger, job, attempt) for job, attempt in left]
    if all(done):
        ledger.leave_worker(worker)
    return all(done)


def _recover_attempt(ledger: Ledger, job: Job, attempt: Attempt) -> bool:
    try:
        process.end_run(attempt.group, attempt.marker)
    except GitreloadError as error:
        logger.warning("job %d (%s) is not recovered yet: %s", job.id, job.directory, error)
        return False
    lock = ledger.lock_checkout(job.path)
    if lock is None:
        logger.warning(
            "job %d is not recovered yet: a process of its attempt still holds the lock of %s",
            job.id,
            job.directory,
        )
        return False
    with lock:
        ledger.interrupted(job, attempt, "the worker died")
    after = _after(ledger.job(job.id) or job)
    logger.warning("job %d (%s) was interrupted and %s", job.id, job.directory, after)
    return True


def _after(job: Job) -> str:
    """What became of an interrupted job, as the end of a sentence."""
    if job.state is State.SUPERSEDED:
        return f"is superseded by job {job.superseded_by}"
    if job.state is State.CANCELLED:
        return "is cancelled, as it was told to stop"
    return "is queued again"
