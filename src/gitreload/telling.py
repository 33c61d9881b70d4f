"""How jobs are told to people, on a terminal and on a page."""

from __future__ import annotations

from datetime import UTC, datetime

from gitreload.model import Attempt, Job, State


def when(seconds: float | None) -> str:
    """Local time with its offset, to the second; "" for None."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(" ", "seconds")


def took(start: float | None, end: float | None) -> str:
    """How long something took, such as "1.2 s" or "12 min"; "" where it did not."""
    if start is None or end is None:
        return ""
    seconds = end - start
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def state_of(job: Job) -> str:
    """The state, and whether the job failed before, waits for its checkout's release, or did
    nothing as nothing had changed.
    """
    if job.held:
        return f"{job.state}, held"
    if job.failing:
        return f"{job.state}, failing"
    if job.skipped is not None:
        return f"{job.state}, skipped"
    return f"{job.state}, try {job.tries + 1}" if waits_for_next_try(job) else job.state.value


def asked(job: Job) -> str:
    """What it is asked to do."""
    if job.only_after:
        return "AFTER alone"
    return f"{job.action}, forced" if job.force else job.action


def interruption(attempt: Attempt) -> str:
    """The one ending that may be missing in an attempt's log, as its writer died; "" for others."""
    return f"--- interrupted: {attempt.error}" if attempt.result == "interrupted" else ""


def waits_for_next_try(job: Job) -> bool:
    """Whether its last attempt failed for a cause that may pass by itself."""
    return job.state is State.QUEUED and job.tries > 0
