"""Every git command that changes a checkout, and what they add up to: its update in place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gitreload.git import caseless, depth, lfs, signatures, sparse, submodule_fetch, submodules
from gitreload.git.access import NO_ACCESS, Access
from gitreload.git.changes import Changes, Clean, listed
from gitreload.git.cleaning import clean
from gitreload.git.commands import Git
from gitreload.git.errors import BranchGoneError, DamagedError, UntrustedError
from gitreload.git.extent import WHOLE, Extent
from gitreload.git.files import REVISION
from gitreload.git.following import on_newest_tag
from gitreload.git.messages import subjects
from gitreload.git.paths import differ
from gitreload.git.renaming import follow_renamed
from gitreload.git.renewal import renew
from gitreload.git.signers import Signers
from gitreload.git.submodule_fetch import Part
from gitreload.git.tidying import join_packs
from gitreload.model import Checkout, GitreloadError, PermanentError, TransientError
from gitreload.process import Runner, environment
from gitreload.visible import visible

__all__ = [
    "Access",
    "BranchGoneError",
    "Clean",
    "Extent",
    "Git",
    "Signers",
    "UntrustedError",
    "Updated",
    "check_version",
    "differ",
    "subjects",
    "update",
    "write",
]

# The first that joins small packs alone (repack --geometric); settings by the environment
# (GIT_CONFIG_COUNT) came with 2.31.
OLDEST = (2, 32)
# Every git command opens all packs. They are joined before while a checkout is idle: `tidying`.
MOST_PACKS = 50


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
    access: Access = NO_ACCESS,
    extent: Extent = WHOLE,
    signers: Signers | None = None,
) -> Updated:
    """Bring `checkout` to the tip of what it follows; the caller holds its lock.

    Where it follows tags, the branch that is checked out is brought to the newest of them. Tracked
    files are those of the tip afterwards, whatever was there; what else is removed, `clean_policy`
    says. `wanted` are the revisions that were announced, newest last; they are only compared.
    `access` is what lets us in, besides what the operator gave git; `extent` how much of the
    repository is wanted. Each git command may take `timeout` seconds. With `signers`, one of them
    has to have signed the tip.

    Raises `TransientError` and `PermanentError` with cause and cure, `BranchGoneError` where the
    remote has no such branch or tag, `UntrustedError` where none of the `signers` signed the tip
    (then HEAD, index and files are as they were), and `Interrupted`.
    """
    wish = wanted[-1] if wanted else None
    git = Git(checkout, runner, timeout=timeout, access=access, extent=extent, signers=signers)
    try:
        if checkout.tags is not None:
            git, wish = on_newest_tag(git, wish)
        return _healed(git, clean_policy, wish)
    except GitreloadError:
        for note in git.notes:
            runner.log(note)
        raise


def _healed(git: Git, policy: Clean, wanted: str | None) -> Updated:
    """The update, and once more where what it met can be healed only as a whole."""
    try:
        if not git.has_index() and git.revision(git.local) is not None:
            git.notes.append("the index is missing; git makes it anew")
        return _update(git, policy, wanted)
    except DamagedError as damaged:
        before = git.revision(git.local)
        renew(git, damaged)
        return replace(_update(git, policy, wanted), before=before)
    except BranchGoneError:
        if git.place.tag is not None:
            raise TransientError(
                f"{git.place.fetched} was removed at the remote just before it was fetched"
            ) from None
        renamed = follow_renamed(git)
        if renamed is None:
            raise
        return _update(renamed, policy, wanted)


def _update(git: Git, policy: Clean, wanted: str | None) -> Updated:
    git.mending.remove_stale_locks()
    git.check_branch()
    before = git.revision(git.local)
    git.check_space()
    known = git.revision(git.tracking)  # mends it where it is broken
    tip, parts = _fetch(git, wanted)
    try:
        _check_out(git, tip, parts, policy, before=before, known=known)
    except GitreloadError as error:
        _make_room(git, before, policy, error)
        raise
    git.check_branch()
    if git.revision(git.local) != tip:
        raise TransientError(f"another git moved {git.local} during the update")
    _join_packs(git)
    return Updated(before, tip, _lags(git, wanted, tip), tuple(git.notes))


def _fetch(git: Git, wanted: str | None) -> tuple[str, Sequence[Part]]:
    """Bring all here that the tip needs, and say which it is; `HEAD`, index and files stay."""
    depth.fetch(git)
    tip = git.fetched()
    if tip is None:
        raise TransientError(f"{git.tracking} is gone after it was fetched: another git removed it")
    refusal = signatures.refusal(git, tip)
    if refusal is not None:
        raise UntrustedError(refusal, lagging=_lags(git, wanted, tip))
    lfs.fetch(git, tip)
    return tip, submodule_fetch.fetch(git, tip)


def _check_out(
    git: Git,
    tip: str,
    parts: Sequence[Part],
    policy: Clean,
    *,
    before: str | None,
    known: str | None,
) -> None:
    """Make branch, index and files those of `tip`, and note what of somebody's work that took.

    `before` is where the branch was, `known` where the remote was known to be before the fetch.
    """
    abandoned = git.abandon_unfinished()
    if before not in (None, known, tip) and _only_here(git, before, tip):
        git.notes.append(f"dropped commits that only this checkout had, up to {before}")
    submodules.remove_others(git, parts)
    # As a rule nobody has worked here. Ignored files are overwritten, and `ignored` tells of those.
    easy = before == known and not abandoned and policy != "ignored" and not git.caseless
    there = tip == before or (easy and git.advance(tip))
    clashing = caseless.clashes(git, before)
    changes = caseless.besides(git.changes(policy), clashing)
    narrowed = sparse.narrow(git, git.extent.sparse)
    if not there or abandoned or narrowed or lfs.switches(git) or changes.matter(policy):
        if before is not None and not abandoned and git.has_index():  # else everything differs
            git.notes.extend(_lost(git, changes, tip))
        lfs.switch(git)
        git.reset(tip)
        if clashing and tip != before:  # by one name the other's file may have been removed
            git.reset(tip)
        clean(git, policy)
    if tip != before:
        lfs.tell_pointers(git)
        clashing = caseless.clashes(git, tip)
    git.notes.extend(caseless.told(clashing))
    sparse.settle(git, git.extent.sparse)
    submodules.check_out(git, parts, policy)


def _make_room(git: Git, before: str | None, policy: Clean, error: GitreloadError) -> None:
    """Go back to `before` if the files of the tip filled the disk, and say so.

    What is half written would keep every later tip from being fetched, also one that has room.
    """
    try:
        git.check_space()
    except TransientError as full:
        clean(git, policy)  # first, as the index needs a little room
        if before is not None:
            git.reset(before)
        raise TransientError(
            f"the files of what was pushed filled the disk, so {before or 'nothing'} is checked "
            f"out as before: {full}"
        ) from error


def _join_packs(git: Git) -> None:
    """What goes wrong here is told, and changes nothing for the update."""
    try:
        join_packs(git, MOST_PACKS)
    except (TransientError, PermanentError) as error:
        git.notes.append(f"the packs could not be joined: {error}")


def _only_here(git: Git, revision: str, tip: str) -> bool:
    """Whether `revision` was not fetched from the remote, as far as can be told."""
    # One tag need not have the history of another.
    known = git.checkout.tags is not None and git.is_known(revision)
    return not known and not depth.is_ancestor(git, revision, tip)


def _lost(git: Git, changes: Changes, tip: str) -> Iterator[str]:
    """What of the work that somebody did in the checkout the reset to `tip` overwrites."""
    if changes.tracked:
        yield f"dropped local changes of {listed(changes.tracked)}"
    overwritten = git.in_the_way(changes, tip)
    if overwritten:
        yield f"overwrote what was not tracked: {listed(overwritten)}"


def _lags(git: Git, wanted: str | None, tip: str) -> bool:
    if wanted is None or wanted == tip or not REVISION.fullmatch(wanted):
        return False
    return not depth.is_ancestor(git, wanted, tip)


def write(
    checkout: Checkout,
    runner: Runner,
    revision: str,
    *,
    folder: Path,
    index: Path,
    timeout: float,
    access: Access = NO_ACCESS,
    extent: Extent = WHOLE,
) -> None:
    """Write the files of `revision`, which `checkout` has, into `folder`, without a `.git`.

    Those of its submodules too, as far as they are checked out.

    They get an index of their own. Where `folder` has files and `index` exists, those that still
    look as it says are kept. `access` lets us in where the remote keeps some objects; `extent` is
    that of the update before. Raises as `update` does.
    """
    git = Git(checkout, runner, timeout=timeout, access=access, extent=extent)
    try:
        git.write(revision, folder, index)
        submodules.write(git, revision, folder)
    except DamagedError as damaged:
        # Of files that the update left alone, as they did not change.
        renew(git, damaged)
        raise TransientError(
            f"the objects of {visible(checkout.directory)} were replaced while {revision[:12]} "
            "was written; the next try updates it again and goes on"
        ) from damaged
    finally:
        for note in git.notes:
            runner.log(note)


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
