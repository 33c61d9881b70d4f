"""Objects that are damaged: fetched anew beside the checkout, checked, and put in their place.

The checkout's directory, its configuration, hooks and `info`, and all that is not tracked stay
what and where they are. What held or named the damaged objects is moved out of `.git` and kept.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from gitreload.git import signatures
from gitreload.git.commands import Git
from gitreload.git.errors import DamagedError, UntrustedError
from gitreload.git.fetching import fetch
from gitreload.git.files import REVISION
from gitreload.git.mending import files_used
from gitreload.model import HIDDEN, Checkout, PermanentError
from gitreload.remotes import mask
from gitreload.visible import visible

# What holds objects or names them; refs last, since without them git takes it for no repository,
# and so nobody takes for whole what a crash left half done: the next attempt renews it again.
_REPLACED = (
    "logs",
    "index",
    "ORIG_HEAD",
    "FETCH_HEAD",
    "shallow",
    "packed-refs",
    "objects",
    "refs",
)
# What tells git where and how to fetch; without it the kept one could not be looked into either.
_COPIED = ("HEAD", "config", "config.worktree")
# How many of the replaced ones are kept for each checkout.
_MOST_KEPT = 2


def renew(git: Git, damage: DamagedError) -> None:
    """Replace the objects of the checkout that `git` works in, because of the `damage`.

    What git receives it checks: the hash and the form of each object, and that none is missing.
    Raises `damage` where other worktrees share the objects, or `HEAD` is damaged too,
    `TransientError` where a git command works there, `UntrustedError` where the tip must not be
    checked out, and whatever a fetch raises; then nothing was changed.
    """
    own = git.files.own
    aside = _aside(git.checkout)
    with files_used(git.place):
        if not renewable(git):
            raise damage
        fresh = aside / "fresh" / git.checkout.directory
        if fresh.exists():
            shutil.rmtree(fresh)
        for name in ("objects", "refs"):
            (fresh / name).mkdir(parents=True)
        _copy(own, fresh)
        shallow = (own / "shallow").exists()
        depth = git.extent.depth or (1 if shallow else None)
    git.tell(f"{damage.found}; fetching everything anew")
    try:
        received = git.beside(fresh)
        fetch(received, *([] if depth is None else [f"--depth={depth}"]))
        tip = received.fetched()
        refusal = tip and signatures.refusal(received, tip)
    except DamagedError as theirs:
        raise PermanentError(
            f"the objects in {visible(git.checkout.directory)} are damaged, and so are those of "
            f"its remote, {mask(visible(git.place.url))}: have that mended first"
        ) from theirs
    if refusal:
        raise UntrustedError(refusal, lagging=False)
    git.mending.refuse_if_busy("its objects are to be replaced")
    with files_used(git.place):
        kept = _place_to_keep(aside / "damaged", git.checkout.directory)
        _copy(own, kept)
        _move(own, kept)
        _move(fresh, own)
        shutil.rmtree(fresh)
    git.notes.append(
        f"replaced the damaged objects by those of the remote; the old ones are kept for a look "
        f"in {visible(str(kept))}"
    )


def renewable(git: Git) -> bool:
    """Whether `renew` can replace damaged objects here. Raises OSError where `.git` is gone."""
    own = git.files.own
    shared = own != git.files.common or not own.is_dir() or (own / "worktrees").exists()
    head = (own / "HEAD").read_bytes()
    return not shared and (
        head.startswith(b"ref: ") or REVISION.match(head.decode("ascii", "replace")) is not None
    )


def _aside(checkout: Checkout) -> Path:
    """`REPODIR/.gitreload`; beside a checkout that a link in `REPODIR` leads to."""
    path = Path(checkout.path)
    if path.parts[-len(Path(checkout.directory).parts) :] == Path(checkout.directory).parts:
        return path.parents[checkout.directory.count("/")] / HIDDEN
    return path.parent / HIDDEN


def _place_to_keep(folder: Path, directory: str) -> Path:
    """A new directory for what is replaced; of the earlier ones only the newest are left."""
    place = folder / directory
    place.mkdir(parents=True, exist_ok=True)
    earlier = sorted(place.iterdir())
    for old in earlier[: max(0, len(earlier) - _MOST_KEPT + 1)]:
        shutil.rmtree(old)
    stamp = time.strftime("%Y-%m-%dT%H%M%SZ-", time.gmtime())
    return Path(tempfile.mkdtemp(prefix=stamp, dir=place))


def _copy(source: Path, target: Path) -> None:
    for name in _COPIED:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


def _move(source: Path, target: Path) -> None:
    for name in _REPLACED:
        if (source / name).exists():
            (source / name).rename(target / name)
