"""`gitreload sync`: queue by hand what a push would have queued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gitreload.cli import output
from gitreload.cli.checkouts import find_checkout
from gitreload.cli.errors import FAILED, UsageError
from gitreload.cli.output import Json, held_because, moved, next_try, note, say
from gitreload.cli.state import open_ledger
from gitreload.model import Action, Checkout, GitreloadError, Job, Outcome, Reason, State
from gitreload.telling import state_of, waits_for_next_try

if TYPE_CHECKING:
    from gitreload.cli.follow import Logs
    from gitreload.config import Config, Settings
    from gitreload.ledger import Ledger

# How many jobs are named that go on after Ctrl-C.
MOST_TOLD = 10

Queued = tuple[Checkout, int, Outcome]
"""A checkout, its job's number, and whether the job is new."""


def sync(
    directories: Annotated[
        list[str] | None, typer.Argument(metavar="[DIR]...", help="Checkouts below REPODIR.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All checkouts that can be followed.")
    ] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Only update the files, do not import.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Build, import and run AFTER even where nothing has changed."),
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the end; exit with 1 at the first failure.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Queue the import (or update) of checkouts by hand."""
    from gitreload import config
    from gitreload.cli.workers import note_if_none, wake

    if directories and every:
        raise UsageError("--all takes every checkout: leave it away, or the names")
    if not directories and not every:
        raise UsageError("name the checkouts to sync, or take every one with --all")
    loaded = config.load()
    checkouts = _chosen(loaded.settings, directories)
    action = Action.UPDATE if update else Action.IMPORT
    with open_ledger(loaded.settings) as ledger:
        checkouts = _not_held(ledger, checkouts, named=not every)
        began = ledger.clock()
        jobs_queued = ledger.enqueue(checkouts, action, Reason.SYNC, force=force)
        wake(loaded.settings)
        numbers = [number for number, _ in jobs_queued]
        if not as_json:
            tell(action, [(c, *q) for c, q in zip(checkouts, jobs_queued, strict=True)])
        if wait:
            jobs = _wait(loaded, ledger, numbers, began, quiet=as_json)
        else:
            jobs = [job for number in numbers if (job := ledger.follow(number)) is not None]
    if as_json:
        output.print_json(jobs)
    if not all(job.state.finished for job in jobs):
        note_if_none(loaded.settings)
    if wait and any(job.state is not State.SUCCEEDED for job in jobs):
        raise typer.Exit(FAILED)


def _chosen(settings: Settings, names: Sequence[str] | None) -> list[Checkout]:
    """The checkouts of these names, or all that can be followed. Raises GitreloadError."""
    from gitreload.checkouts import Checkouts

    checkouts = Checkouts.of(settings)
    if names:
        found = [find_checkout(checkouts, settings, name) for name in names]
        # Two names may lead to one checkout.
        return list({checkout.path: checkout for checkout in found}.values())
    every = checkouts.all()
    for checkout in every:
        if checkout.problem is not None:
            note(f"left out: {checkout.problem}")
    sound = [checkout for checkout in every if checkout.problem is None]
    if not sound:
        raise GitreloadError(
            f"there is no checkout below REPODIR, {settings.repodir}, that can be followed: "
            "`gitreload add URL` clones one"
        )
    return sound


def _not_held(ledger: Ledger, checkouts: list[Checkout], *, named: bool) -> list[Checkout]:
    """Those whose jobs may run now. Raises GitreloadError for one that was named and is held."""
    paths, configured = ledger.held_paths(), ledger.held_by_configuration
    free = []
    for checkout in checkouts:
        if checkout.path in paths or checkout.directory in configured:
            why = held_because(
                checkout.directory, by_configuration=checkout.directory in configured
            )
            if named:
                raise GitreloadError(why)
            note(f"left out: {why}")
        else:
            free.append(checkout)
    return free


def tell(action: Action, queued: Sequence[Queued]) -> None:
    """Say which jobs were queued by hand."""
    for checkout, number, outcome in queued:
        if outcome is Outcome.QUEUED:
            say(f"queued {action} of {checkout.directory}, as job {number}")
        else:
            say(f"{action} of {checkout.directory} joins job {number}, which is queued already")


def _wait(
    loaded: Config, ledger: Ledger, numbers: Sequence[int], began: float, *, quiet: bool
) -> list[Job]:
    from gitreload.cli.follow import Logs, watch
    from gitreload.cli.workers import note_if_none, stand_in

    # A job that was queued already may have failed before, which is no news.
    logs = Logs(ledger, since=began) if len(numbers) == 1 and not quiet else None
    progress = _Progress(logs, quiet=quiet)
    try:
        with stand_in(loaded) as worker:
            return watch(ledger, numbers, progress, settled=_settled, tick=worker.work_if_alone)
    except KeyboardInterrupt:
        _tell_what_goes_on(ledger, numbers)
        note_if_none(loaded.settings)
        raise


def _tell_what_goes_on(ledger: Ledger, numbers: Sequence[int]) -> None:
    followed = filter(None, map(ledger.follow, numbers))
    left = [job for job in followed if not job.state.finished]
    for job in left[:MOST_TOLD]:
        note(f"job {job.id} is {job.state} and goes on: gitreload logs -f {job.id}")
    if len(left) > MOST_TOLD:
        note(f"so do {len(left) - MOST_TOLD} more: gitreload jobs")


def _settled(job: Job) -> bool:
    # It may be tried again for ever, and whoever waits wants to know of the first failure.
    return job.state.finished or waits_for_next_try(job)


class _Progress:
    """Tells of jobs as they go on: the log where there is one job, else each change of state."""

    def __init__(self, logs: Logs | None, *, quiet: bool) -> None:
        self._logs = logs
        self._quiet = quiet
        self._told: dict[str, str] = {}

    def __call__(self, job: Job) -> None:
        if self._quiet:
            return
        if self._logs is not None:
            self._logs.advance(job.id)
            if not _settled(job):
                return
        line = _line(job)
        if self._told.get(job.path) != line:
            self._told[job.path] = line
            say(line)


def _line(job: Job) -> str:
    state = "failed" if waits_for_next_try(job) else state_of(job)
    words = [f"{job.directory}: {state}", moved(job.from_revision, job.to_revision)]
    line = ", ".join(word for word in words if word)
    line = f"{line}: {job.error}" if job.error and _settled(job) else line
    return f"{line}; {next_try(job)}" if waits_for_next_try(job) else line
