"""Checkouts that stay behind for long, though it is known that they are and a job is to mend it."""

from __future__ import annotations

from gitreload.ledger import CheckoutRecord
from gitreload.model import State
from gitreload.visible import visible

# Longer than most imports take, one after the other, and than most remotes are away.
LATE_SECONDS = 3 * 3600.0


def late(record: CheckoutRecord, now: float) -> str | None:
    """The sentence that tells of a job which is owed for too long; None where there is none.

    A checkout that is held waits on purpose, and one that is only to run AFTER is at its tip.
    """
    job = record.last_job
    if job is None or job.state.finished or job.only_after or record.held:
        return None
    waited = now - job.queued_at
    if waited < LATE_SECONDS:
        return None
    if job.state is State.RUNNING:
        why = (
            f"which is running: see what it does with gitreload logs {job.id}, and end it with "
            f"gitreload cancel {job.id} where it hangs"
        )
    elif job.error is not None:
        why = f"which fails again and again: {job.error}"
    else:
        why = (
            "which no worker has taken: see whether gitreload serve runs, and what its workers do: "
            "gitreload jobs --state running"
        )
    name, hours = visible(record.directory), int(waited / 3600)
    return f"{name} has been behind for {hours} hours, waiting for job {job.id}, {why}"
