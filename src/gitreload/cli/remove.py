"""`gitreload remove`: undo what `gitreload add` did."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gitreload import disk
from gitreload.cli.checkouts import look_up, no_checkout
from gitreload.cli.output import say
from gitreload.cli.state import ledger_exists, open_ledger
from gitreload.cli.trust import confirmed
from gitreload.model import HIDDEN, GitreloadError, State

if TYPE_CHECKING:
    from gitreload.config import Config, Settings
    from gitreload.ledger import Ledger
    from gitreload.model import Checkout
    from gitreload.publish import Published


def remove(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="The checkout below REPODIR.")],
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete the directory, and what is published of it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget a checkout, its entry in REPOS and its secret.

    With --delete its files go too. Its jobs that wait are cancelled; while one runs, nothing is
    done. The webhook at the forge stays: remove it there.
    """
    from gitreload import config
    from gitreload.checkouts import Checkouts
    from gitreload.config_file import path_of
    from gitreload.publish import Published

    loaded = config.load()
    settings = loaded.settings
    path_of(loaded)  # refuses before anything is done
    checkouts = Checkouts.of(settings)
    checkout = look_up(checkouts, settings, directory)
    if checkout is None and directory not in settings.repos:
        raise no_checkout(directory, checkouts, settings)
    name = checkout.directory if checkout else directory
    published = Published.of(settings, name)
    doomed = [checkout.path] if delete and checkout else []
    if delete and published is not None and published.served():
        doomed.append(str(published.link))
    what = f"Forget {name}" + (f" and delete {' and '.join(doomed)}" if doomed else "")
    if not (yes or confirmed(what)):
        raise GitreloadError("nothing was removed; --yes answers in a script")
    with ExitStack() as held:
        if checkout is not None and ledger_exists(settings):
            ledger = held.enter_context(open_ledger(settings))
            _end_jobs(ledger, checkout, held)
        if published is not None:
            _leave_published(published, delete=delete)
        if checkout is not None:
            _leave(settings, checkout, delete=delete)
        # Last: the same command finds by it what is left, if this one does not come to its end.
        _forget(loaded, name)


def _end_jobs(ledger: Ledger, checkout: Checkout, held: ExitStack) -> None:
    """Cancel what waits and keep its lock. Raises `GitreloadError` while a job runs."""
    lock = ledger.lock_checkout(checkout.path)
    jobs = ledger.unfinished(checkout.path, held=True)
    running = [job for job in jobs if job.state is State.RUNNING]
    if running or lock is None:
        if lock is not None:
            lock.release()
        told = f"job {running[0].id}" if running else "a job"
        cure = f": wait, or `gitreload cancel {running[0].id}`" if running else ": try again"
        raise GitreloadError(f"{told} works in {checkout.directory} now{cure}")
    held.enter_context(lock)
    for job in jobs:
        ledger.cancel(job)
        say(f"cancelled job {job.id}, which waited")


def _forget(loaded: Config, name: str) -> None:
    from gitreload.cli.running import tell_running
    from gitreload.cli.webhooks import secret_file
    from gitreload.config_file import BACKUP, change
    from gitreload.json_edit import drop

    if name in loaded.settings.repos:
        path = change(loaded, lambda text: drop(text, ["REPOS", name]))
        say(f"took REPOS.{name} out of {path} (as it was before: {path.name}{BACKUP})")
    # Only now: a server that reads its configuration meanwhile must not miss the file.
    secret_file(loaded.settings, name).unlink(missing_ok=True)
    if tell_running(loaded.settings.state_dir):
        say("the running gitreload was told to read its configuration again")


def _leave(settings: Settings, checkout: Checkout, *, delete: bool) -> None:
    if not delete:
        say(
            f"{checkout.path} stays, and is followed for as long as it is below REPODIR: move it "
            "elsewhere, or delete it"
        )
        return
    from gitreload.building import place_of

    for alias in (checkout.directory, *checkout.aliases):
        link = settings.repodir / alias
        if link.is_symlink():
            link.unlink()
    # Out of sight at once, whatever deleting takes.
    doomed = settings.repodir / HIDDEN / f"deleted-{checkout.directory.replace('/', '%2F')}"
    doomed.parent.mkdir(exist_ok=True)
    disk.remove(doomed)
    Path(checkout.path).rename(doomed)
    disk.remove(doomed)
    disk.remove(place_of(settings, checkout.directory))
    say(f"deleted {checkout.path}")


def _leave_published(published: Published, *, delete: bool) -> None:
    if published.served() is None:  # or the link is somebody else's
        return
    if not delete:
        say(
            f"{published.link} stays and leads to what it served last: delete it, and "
            f"{published.revisions}"
        )
        return
    published.link.unlink()
    disk.remove(published.revisions)
    say(f"deleted {published.link} and its revisions")
