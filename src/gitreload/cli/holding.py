"""`gitreload rollback`, `hold` and `release`: what is served, in the hands of a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gitreload.cli import output
from gitreload.cli.checkouts import find_checkout
from gitreload.cli.output import Json, say, short
from gitreload.cli.state import load_settings, open_ledger
from gitreload.model import Checkout, GitreloadError, State
from gitreload.telling import asked

if TYPE_CHECKING:
    from gitreload.config import Settings

# Within this time the link is switched, or not at all.
SWITCH_SECONDS = 30.0

Directory = Annotated[str, typer.Argument(metavar="DIR", help="A checkout below REPODIR.")]


def rollback(
    directory: Directory,
    revision: Annotated[
        str | None,
        typer.Argument(
            metavar="[REVISION]", help="One that is kept, or how it begins; else the one before."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Serve an earlier revision of a published checkout.

    The checkout is held there, until it is released.
    """
    from gitreload.cli.workers import note_if_none, wake
    from gitreload.publish import Published

    settings = load_settings()
    checkout = _find(settings, directory)
    published = Published.of(settings, checkout.directory)
    if published is None:
        raise GitreloadError(
            f"{checkout.directory} is not published, so no earlier revision is kept: set "
            f"REPOS.{checkout.directory}.PUBLISH to true"
        )
    published.earlier(revision)  # raises an error while nothing is changed yet
    job = None
    with open_ledger(settings) as ledger:
        # First: a job that is about to switch the link looks whether it may.
        ledger.hold(checkout)
        if settings.repo(checkout.directory).after:
            # Now already, so that AFTER is owed even if this is killed after the switch.
            ledger.owe_after_rollback(checkout, SWITCH_SECONDS)
        now, before = published.roll_back(revision)
        if settings.repo(checkout.directory).after:
            job = ledger.owe_after_rollback(checkout, 0)
            wake(settings)
    if as_json:
        told = {"directory": checkout.directory, "revision": now, "before": before, "held": True}
        output.print_json(told | {"job": job})
    else:
        change = "already" if now == before else f"now (before: {short(before) or 'nothing'})"
        say(
            f"{checkout.directory} serves {short(now)} {change}, and is held at it; "
            f"{_release(checkout)}"
        )
        if job is not None:
            say(f"queued AFTER as job {job}")
    if job is not None:
        note_if_none(settings)


def hold(directory: Directory, as_json: Json = False) -> None:
    """Let the jobs of a checkout wait until it is released."""
    settings = load_settings()
    checkout = _find(settings, directory)
    with open_ledger(settings) as ledger:
        ledger.hold(checkout)
    if as_json:
        output.print_json({"directory": checkout.directory, "held": True})
    else:
        say(f"{checkout.directory} is held; {_release(checkout)}")


def release(directory: Directory, as_json: Json = False) -> None:
    """End a hold; what was pushed meanwhile makes one job."""
    from gitreload.cli.workers import note_if_none, wake

    settings = load_settings()
    checkout = _find(settings, directory)
    with open_ledger(settings) as ledger:
        job = ledger.release(checkout)
        running = [each for each in ledger.unfinished(checkout.path) if each.state is State.RUNNING]
    wake(settings)
    configured = checkout.directory in settings.held
    if as_json:
        output.print_json({"directory": checkout.directory, "held": configured, "job": job})
    elif configured:
        say(output.held_because(checkout.directory, by_configuration=True))
    elif job is None and running:
        say(
            f"{checkout.directory} is released; job {running[0].id}, its {asked(running[0])}, is "
            "running, and no push waits"
        )
    elif job is None:
        say(
            f"{checkout.directory} is released; no push waits, and what is served stays until the "
            f"next one, or `gitreload sync {checkout.directory}`"
        )
    else:
        say(f"{checkout.directory} is released, and job {job.id}, its {job.action}, can run")
    if job is not None and not configured:
        note_if_none(settings)


def _find(settings: Settings, name: str) -> Checkout:
    from gitreload.checkouts import Checkouts

    return find_checkout(Checkouts.of(settings), settings, name)


def _release(checkout: Checkout) -> str:
    return f"pushes wait until `gitreload release {checkout.directory}`"
