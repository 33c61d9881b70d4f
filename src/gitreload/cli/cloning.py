"""The part of `gitreload add` that brings the repository here, with a bar of its progress."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gitreload.cli.output import note, say, short
from gitreload.cli.trust import accept
from gitreload.model import Checkout, GitreloadError
from gitreload.remotes import canonical, mask

if TYPE_CHECKING:
    from gitreload.checkouts import Checkouts
    from gitreload.git import Access
    from gitreload.git.clone import Wanted
    from gitreload.git.turns import Turn

# As git says it: https://git-scm.com/docs/git-clone#Documentation/git-clone.txt---progress
_STATE = re.compile(r"(?:remote: )?(?P<what>[A-Z][A-Za-z ]+): +(?P<percent>\d+)%.*")


def bring(
    wanted: Wanted, checkouts: Checkouts, access: Access, mine: Turn, host_key: str | None
) -> Checkout:
    """The checkout that is wanted: the one that is there already, or a new clone.

    `mine` is the turn to clone there. Raises `GitreloadError` where something
    else is there, or it cannot be cloned.
    """
    from gitreload.git.clone import clone

    found = checkouts.get(wanted.directory)
    if found is not None:
        _check(found, wanted)
        say(f"{wanted.target} is a clone of it already")
        return found
    if wanted.target.exists() and any(wanted.target.iterdir()):
        raise GitreloadError(
            f"{wanted.target} is there already and is no clone: choose another name with --dir"
        )
    _meet_host(wanted, access, host_key)
    say(f"cloning {mask(wanted.url)} into {wanted.target}")
    with _bar() as progress:
        clone(wanted, access, mine, note, progress)
    checkouts.look()
    made = checkouts.get(wanted.directory)
    assert made is not None, "it was renamed there"
    return made


def tell(checkout: Checkout) -> None:
    """What is checked out."""
    from gitreload.checkouts.revision import revision

    head = revision(checkout.path)
    at = f"at {short(head)}" if head else "which is empty until the first push"
    say(f"{checkout.directory} follows the branch {checkout.follows}, {at}")


def _check(found: Checkout, wanted: Wanted) -> None:
    if found.problem is not None:
        raise GitreloadError(found.problem)
    if canonical(wanted.url) not in found.identities:
        raise GitreloadError(
            f"{wanted.target} is there already, a clone of {mask(found.origin or '')}: choose "
            "another name with --dir"
        )
    if wanted.branch not in (None, found.follows):
        raise GitreloadError(
            f"{wanted.target} is there already and follows the branch {found.follows}: clone "
            "another one under another name, with --dir"
        )


def _meet_host(wanted: Wanted, access: Access, host_key: str | None) -> None:
    from gitreload.git.host_keys import Host

    host = Host.of(wanted.url)
    if host is None or host.known(access):
        return
    assert access.known_hosts is not None, "it is STATE_DIR's"
    say(f"the host {host.address} is not known yet")
    accept(host, access.known_hosts, host_key)


@contextmanager
def _bar() -> Iterator[Callable[[str], None]]:
    """Takes git's states; they are drawn on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda _state: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("{task.description:<20}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Connecting", total=100)

        def show(state: str) -> None:
            found = _STATE.fullmatch(state)
            if found:
                progress.update(task, description=found["what"], completed=int(found["percent"]))

        yield show
