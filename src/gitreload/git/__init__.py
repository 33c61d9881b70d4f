"""Every git command that changes a checkout, and what they add up to: its update in place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitreload.git.commands import Clean, Git
from gitreload.git.errors import BranchGoneError
from gitreload.git.files import REVISION
from gitreload.model import Checkout, GitreloadError, PermanentError, TransientError
from gitreload.process import Runner, environment
from gitreload.visible import visible

__all__ = ["BranchGoneError", "Clean", "Updated", "check_version", "update", "write"]

# The first that joins small packs alone (repack --geometric); settings by the environment
# (GIT_CONFIG_COUNT) came with 2.31.
OLDEST = (2, 32)


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update did: the revision before (None for an empty checkout) and after.

    `lagging` tells that the remote does not know the announced revision, or not any more. `notes`
    say what was mended on the way.
    """

    before: str | None
    after: str
    lagging: bool
    notes: tuple[str, ...]


def update(
    checkout: Checkout,
    runner: Runner,
    *,
    timeout: float,
    clean_policy: Clean,
    wanted: Sequence[str] = (),
) -> Updated:
    """Bring `checkout` to the tip of the branch that it follows; the caller holds its lock.

    Tracked files are those of the tip afterwards, whatever was there; what else is removed,
    `clean_policy` says. `wanted` are the revisions that were announced, newest last; they are only
    compared. Each git command may take `timeout` seconds.

    Raises `TransientError` and `PermanentError` with cause and cure, `BranchGoneError` where the
    remote has no such branch, and `Interrupted`.
    """
    git = Git(checkout, runner, timeout=timeout)
    try:
        return _update(git, clean_policy, wanted[-1] if wanted else None)
    except GitreloadError:
        for note in git.notes:
            runner.log(note)
        raise


def _update(git: Git, policy: Clean, wanted: str | None) -> Updated:
    git.remove_stale_locks()
    git.check_branch()
    before = git.revision(git.local)
    git.revision(git.tracking)  # mends it where it is broken, else git would refuse to move it
    git.fetch()
    tip = git.revision(git.tracking)
    if tip is None:
        raise TransientError(f"{git.tracking} is gone after it was fetched: another git removed it")
    abandoned = git.abandon_unfinished()
    if tip != before or abandoned or not git.is_clean(policy):
        git.reset(tip)
        git.clean(policy)
    git.check_branch()
    if git.revision(git.local) != tip:
        raise TransientError(f"another git moved {git.local} during the update")
    git.join_packs()
    return Updated(before, tip, _lags(git, wanted, tip), tuple(git.notes))


def _lags(git: Git, wanted: str | None, tip: str) -> bool:
    if wanted is None or wanted == tip or not REVISION.fullmatch(wanted):
        return False
    return not git.is_ancestor(wanted, tip)


def write(
    checkout: Checkout,
    runner: Runner,
    revision: str,
    *,
    folder: Path,
    index: Path,
    timeout: float,
) -> None:
    """Write the files of `revision`, which `checkout` has, into `folder`, without a `.git`.

    They get an index of their own. Where `folder` has files and `index` exists, those that still
    look as it says are kept. Raises as `update` does.
    """
    Git(checkout, runner, timeout=timeout).write(revision, folder, index)


def check_version() -> str:
    """The version of the installed git; raises `PermanentError` where it is missing or too old."""
    runner = Runner(log=lambda _: None)
    done = runner.run(["git", "--version"], cwd="/", env=environment(), timeout=30)
    text = done.output.decode("utf-8", "replace").strip()
    found = re.match(r"git version (\d+)\.(\d+)\S*", text)
    oldest = ".".join(map(str, OLDEST))
    if not done.ok or found is None:
        raise PermanentError(
            f"`git --version` does not tell its version ({visible(text[:100])}): "
            f"install git {oldest} or newer"
        )
    if (int(found[1]), int(found[2])) < OLDEST:
        raise PermanentError(f"{text} is too old: install git {oldest} or newer")
    return found[0].removeprefix("git version ")
