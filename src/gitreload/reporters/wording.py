"""What there is to tell of a job, as data: which commits, how they stand, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitreload.model import Action, Job, Mark, State
from gitreload.remotes import mask
from gitreload.visible import visible

# Of a revision.
_SHOWN = 12


def stories(job: Job, told: Sequence[str]) -> Iterator[tuple[str | None, Mark, str]]:
    """The revisions to tell something of, each with its mark and a sentence.

    The first is the one that the job is about, if that is known. `told` are those that something
    was told of before: none may stay pending once the job has ended.
    """
    if job.only_after or job.state is State.SUPERSEDED:
        return
    if not job.state.finished and not job.failing:
        if job.wanted is not None and job.wanted not in told:
            yield job.wanted, Mark.PENDING, _waiting(job)
        return
    about = job.to_revision or job.wanted
    mark = Mark.SUCCESS if job.state is State.SUCCEEDED else Mark.FAILURE
    for revision in dict.fromkeys((about, *told)):
        yield revision, mark, _ended(job, revision)


def _waiting(job: Job) -> str:
    if job.held:
        return "held: it waits until its checkout is released"
    doing = "imported" if job.action is Action.IMPORT else "updated"
    return f"being {doing}" if job.state is State.RUNNING else f"waiting to be {doing}"


def _ended(job: Job, revision: str | None) -> str:
    if job.state is not State.SUCCEEDED:
        error = visible(mask(job.error or "it failed"))
        return error if job.state.finished else f"failing, and still tried: {error}"
    done = "imported" if job.action is Action.IMPORT else "updated"
    if job.skipped is not None:
        done = visible(mask(job.skipped))
    if job.to_revision is None or revision in (None, job.to_revision):
        return done
    return f"{done}, with {job.to_revision[:_SHOWN]}"
