"""For what AFTER has run, and for what it is owed. Each takes a connection inside a transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from gitreload.ledger.tables import checkouts, in_state, jobs
from gitreload.model import Action, Imported, Job, Reason, State


@dataclass(frozen=True, slots=True)
class LastAfter:
    """What was served when AFTER succeeded last (None: never), and whether it is owed anyhow."""

    served: str | None
    owed: bool


def last(connection: Connection, checkout_id: int) -> LastAfter:
    found = select(checkouts.c.after_served, checkouts.c.after_owed)
    row = connection.execute(found.where(checkouts.c.id == checkout_id)).one()
    return LastAfter(row.after_served, row.after_owed)


def owe(connection: Connection, job: Job, revision: str, done: Imported | None) -> None:
    """Note that all of the job is done but AFTER: whoever takes it up again runs that alone."""
    values = {"after_owed": True} | ({} if done is None else imported(revision, done))
    connection.execute(update(checkouts).where(checkouts.c.id == job.checkout_id).values(values))
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(force=False))


def imported(revision: str, done: Imported) -> dict[str, Any]:
    """What a checkout keeps of an import."""
    return {
        "imported_revision": revision,
        "imported_settings": done.settings,
        "course_key": done.course_key,
    }


def queue(connection: Connection, checkout_id: int, action: Action, now: float, due: float) -> int:
    """Queue a job that runs AFTER alone, or have the one that waits run by `due`; its id."""
    waiting = connection.execute(
        select(jobs.c.id, jobs.c.due_at).where(
            in_state(State.QUEUED), jobs.c.checkout_id == checkout_id, jobs.c.only_after
        )
    ).one_or_none()
    if waiting is None:
        row = {
            "checkout_id": checkout_id,
            "action": action.value,
            "state": State.QUEUED.value,
            "reason": Reason.ROLLBACK.value,
            "queued_at": now,
            "due_at": due,
            "only_after": True,
        }
        made: int = connection.execute(insert(jobs).values(row).returning(jobs.c.id)).scalar_one()
        return made
    connection.execute(
        update(jobs)
        .where(jobs.c.id == waiting.id)
        .values(due_at=min(due, waiting.due_at), tries=0, failing=False)
    )
    return int(waiting.id)
