"""Jobs: what is queued, what became of it, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gitreload.cli import output
from gitreload.cli.arguments import LIMIT, JobNumber, one_of
from gitreload.cli.errors import FAILED, UsageError
from gitreload.cli.output import Brief, Json, held_because, moved, say, when_in_table, zoned
from gitreload.cli.state import (
    existing_ledger,
    find_job,
    ledger_exists,
    load_settings,
    open_ledger,
)
from gitreload.model import Action, Attempt, GitreloadError, Job, State
from gitreload.telling import asked, state_of, took, when

if TYPE_CHECKING:
    from gitreload.ledger import Ledger, LinkedDelivery


def jobs(
    state: Annotated[
        list[State] | None,
        typer.Option(
            metavar="STATE",
            parser=one_of(State),
            help=f"Only jobs in this state ({', '.join(State)}); may be repeated.",
        ),
    ] = None,
    action: Annotated[
        list[Action] | None,
        typer.Option(
            metavar="ACTION",
            parser=one_of(Action),
            help=f"Only jobs of this action ({', '.join(Action)}); may be repeated.",
        ),
    ] = None,
    checkout: Annotated[
        list[str] | None,
        typer.Option(metavar="DIR", help="Only jobs of this checkout; may be repeated."),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(metavar="NUMBER", parser=LIMIT, help="How many, at most."),
    ] = 20,
    as_json: Json = False,
) -> None:
    """List jobs, the newest first."""
    settings = load_settings()
    found: list[Job] = []
    if ledger_exists(settings):
        with open_ledger(settings) as ledger:
            found = ledger.find_jobs(
                states=state or (), actions=action or (), directories=checkout or (), limit=limit
            )
    if as_json:
        output.print_json(found)
    elif found:
        _show_jobs(found)
    else:
        output.note(f"no such jobs in the ledger of {settings.state_dir}")


def _show_jobs(jobs: list[Job]) -> None:
    output.table(
        (
            *("job", "state", "action", "checkout", Brief("reason", "")),
            *(zoned("queued"), "took", "revision", "error"),
        ),
        [_job_row(job) for job in jobs],
    )


def _job_row(job: Job) -> tuple[str, ...]:
    return (
        str(job.id),
        state_of(job),
        job.action,
        job.directory,
        job.reason,
        when_in_table(job.queued_at),
        took(job.started_at, job.finished_at),
        moved(job.from_revision, job.to_revision),
        Brief.cut(job.error or ""),
    )


def show(number: JobNumber, as_json: Json = False) -> None:
    """Show all that is known of a job."""
    from gitreload.cli.told import show_reports

    with existing_ledger(load_settings()) as ledger:
        job = find_job(ledger, number)
        deliveries = ledger.deliveries(job.id)
        attempts = ledger.attempts(job.id)
        reports = ledger.reports(job.id)
    if as_json:
        output.print_json(
            {
                "asked": number,
                "job": job,
                "deliveries": deliveries,
                "attempts": [
                    {"number": place, **output.data(each)} for place, each in enumerate(attempts, 1)
                ],
                "reports": reports,
            }
        )
        return
    _show_job(job)
    if deliveries:
        say("\ndeliveries")
        _show_deliveries(deliveries)
    if attempts:
        say("\nattempts")
        _show_attempts(job, attempts)
        say(f"\ntheir logs: gitreload logs {job.id}")
    if reports:
        say("\ntold")
        show_reports(reports)


def _show_job(job: Job) -> None:
    waiting = job.state is State.QUEUED
    output.facts(
        [
            ("job", str(job.id)),
            ("action", asked(job)),
            ("checkout", f"{job.directory} ({job.path})"),
            ("remote", job.origin),
            ("state", state_of(job)),
            ("reason", job.reason),
            ("queued", when(job.queued_at)),
            ("due", when(job.due_at) if waiting else None),
            ("started", when(job.started_at) or None),
            ("finished", when(job.finished_at) or None),
            ("announced", job.wanted),
            ("revision", moved(job.from_revision, job.to_revision) or None),
            ("failed tries", str(job.tries) if job.tries else None),
            ("course", job.exclusion),
            ("error", job.error),
            ("skipped", job.skipped),
        ]
    )


def _show_deliveries(deliveries: list[LinkedDelivery]) -> None:
    output.table(
        (
            *("delivery", zoned("received"), "forge", "event", "id", "repository"),
            *("ref", "revision", "pusher"),
        ),
        [
            (
                str(each.id),
                when_in_table(each.received_at),
                each.forge,
                each.event,
                each.delivery_id or "",
                each.repository or "",
                each.ref,
                moved(each.before, each.after),
                each.pusher or "",
            )
            for each in deliveries
        ],
    )


def _show_attempts(job: Job, attempts: list[Attempt]) -> None:
    output.table(
        ("attempt", "of job", zoned("started"), "took", "result", "revision", "error"),
        [
            (
                str(number),
                str(each.job_id) if each.job_id != job.id else "",
                when_in_table(each.started_at),
                took(each.started_at, each.finished_at),
                each.result,
                moved(each.from_revision, each.to_revision),
                each.error or "",
            )
            for number, each in enumerate(attempts, 1)
        ],
    )


def logs(
    number: JobNumber,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job is finished.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the logs of a job's attempts.

    With -f it exits with 1 if the job fails; one that is tried again is followed on.
    """
    from gitreload.cli.follow import follow_job
    from gitreload.cli.workers import note_if_none

    if follow and as_json:
        raise UsageError("--follow streams text: leave it or --json away")
    settings = load_settings()
    with existing_ledger(settings) as ledger:
        job = find_job(ledger, number)
        if as_json:
            attempts = [
                {
                    "number": place,
                    **output.data(each),
                    "log": "".join(text for _, text in ledger.log(each.id)),
                }
                for place, each in enumerate(ledger.attempts(job.id), 1)
            ]
            output.print_json({"asked": number, "job": job, "attempts": attempts})
        elif follow:
            if not job.state.finished:
                note_if_none(settings)
            job = follow_job(ledger, job.id)
        else:
            _print_logs(ledger, job)
    if follow and job.state is not State.SUCCEEDED:
        output.note(f"job {job.id} is {job.state}")
        raise typer.Exit(FAILED)


def _print_logs(ledger: Ledger, job: Job) -> None:
    from gitreload.cli.follow import Logs

    logs = Logs(ledger)
    logs.advance(job.id)
    if logs.empty:
        output.note(f"job {job.id} has not been run yet")


def retry(number: JobNumber, as_json: Json = False) -> None:
    """Run a job once more; one that waits for its next try, at once."""
    from gitreload.cli.workers import note_if_none, wake

    settings = load_settings()
    with existing_ledger(settings) as ledger:
        job = find_job(ledger, number)
        if job.state is State.RUNNING:
            raise GitreloadError(
                f"job {job.id} is running: `gitreload logs -f {job.id}` follows it, and "
                f"`gitreload sync {job.directory}` queues one more run after it"
            )
        queued = ledger.retry(job)
        new = find_job(ledger, queued)
    wake(settings)
    if as_json:
        output.print_json(new)
    elif new.id == job.id:
        say(f"job {new.id}, {new.action} of {new.directory}, is due now")
    else:
        say(f"queued {new.action} of {new.directory} again, as job {new.id}")
    if new.held:
        configured = new.directory in settings.held
        output.note(held_because(new.directory, by_configuration=configured))
    else:
        note_if_none(settings)


def approve(number: JobNumber, as_json: Json = False) -> None:
    """Import what GUARD refused, whatever learners lose by it."""
    from gitreload.cli.workers import note_if_none, wake

    settings = load_settings()
    with existing_ledger(settings) as ledger:
        job = find_job(ledger, number)
        if not job.guarded:
            raise GitreloadError(
                f"job {job.id} was not refused by GUARD, so there is nothing to approve; "
                f"`gitreload show {job.id}` tells how it ended"
            )
        new = find_job(ledger, ledger.approve(job))
    wake(settings)
    if as_json:
        output.print_json(new)
    else:
        say(
            f"approved; queued {new.action} of {new.directory} as job {new.id}. If something else "
            "is lost by then than was told, that is refused again"
        )
    if new.held:
        output.note(held_because(new.directory, by_configuration=new.directory in settings.held))
    else:
        note_if_none(settings)


def cancel(number: JobNumber, as_json: Json = False) -> None:
    """Take a job out of the queue, or stop its running attempt."""
    with existing_ledger(load_settings()) as ledger:
        job = find_job(ledger, number)
        if job.state.finished:
            raise GitreloadError(
                f"job {job.id} is over ({job.state}, {when(job.finished_at)}): there is nothing "
                "left to cancel"
            )
        after = ledger.cancel(job)
    if as_json:
        output.print_json(after)
    elif after.state is State.CANCELLED:
        say(f"cancelled job {job.id}, {job.action} of {job.directory}")
    else:
        say(f"job {job.id} is told to stop; `gitreload logs -f {job.id}` shows when it does")
