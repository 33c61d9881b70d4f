"""A checkout tidied while nobody waits for it: few packs, and nothing that was dropped long ago."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from gitreload.git.commands import Git
from gitreload.git.files import GitFiles
from gitreload.git.mending import files_used
from gitreload.git.running import text
from gitreload.model import Checkout
from gitreload.process import Runner

# An update joins them only when there are many more, as somebody waits for it then.
MOST_PACKS = 10

# How often it is looked for what was dropped, in seconds. What no ref and no reflog leads to any
# more stays so long, as `git gc` has it: another git may just be about to make a ref for it.
WEEK = 7 * 86_400.0
GRACE = "2.weeks.ago"

# Its time says when that was done last.
_STAMP = "gitreload-pruned"

# Dropped objects keep their age in a pack of their own, which is not joined with others. git before
# 2.37, which does not know the setting, keeps them loose, and joins them.
_WITH_AGES = (("gc.cruftPacks", "true"),)

# What a git that was killed while it wrote a pack leaves: of index-pack, and of repack.
_RUBBISH = re.compile(r"tmp_(?:pack|idx|rev|bitmap|mtimes)_.*|\.tmp-.*")

# Of `count-objects -v`, and of `rev-list --count`.
_COUNTED = re.compile(r"^(?:(?:count|in-pack): )?(\d+)$", re.MULTILINE)


def untidy(checkout: Checkout, now: float) -> bool:
    """Whether `tidy` has something to do. Raises OSError where its `.git` cannot be read."""
    files = GitFiles.of(checkout.path)
    return files.packs() > MOST_PACKS or any(_rubbish(files)) or _prune_due(files, now)


def tidy(
    checkout: Checkout, runner: Runner, *, timeout: float, now: float, tell: Callable[[str], None]
) -> None:
    """Remove unfinished packs and, once a week, what was dropped long ago; join many packs.

    `tell` is given what was done. The caller holds its lock, and may end it at any moment: git
    removes a pack only once its successor is there. Raises `TransientError` while another git works
    there, and what other commands raise.
    """
    git = Git(checkout, runner, timeout=timeout)
    try:
        _remove_rubbish(git)
        with files_used(git.place):
            due = _prune_due(git.files, now)
        if due:
            _prune(git)
            with files_used(git.place):
                stamp = git.files.common / _STAMP
                stamp.touch()
                os.utime(stamp, (now, now))
        # Only now: in packs that were joined, all objects seem young.
        before = git.files.packs()
        join_packs(git, MOST_PACKS)
        if (after := git.files.packs()) < before:
            git.notes.append(f"joined {before} packs into {after}")
    finally:
        for note in git.notes:
            tell(note)


def join_packs(git: Git, most: int) -> None:
    """Join the small packs that fetches left, once there are more than `most`.

    Each fetch adds one, and git's own housekeeping, which takes its time, is off. Raises what
    other commands raise.
    """
    with files_used(git.place):
        if git.files.packs() <= most:
            return
    git.check(git.run("repack", "--geometric=2", "-d", "-l", "-q"))


def _remove_rubbish(git: Git) -> None:
    with files_used(git.place):
        left = list(_rubbish(git.files))
        if not left:
            return
        git.mending.refuse_if_busy("it has unfinished packs")
        for file in left:
            file.unlink(missing_ok=True)
    git.notes.append(f"removed {len(left)} files of packs that were never finished")


def _rubbish(files: GitFiles) -> Iterator[Path]:
    for file in (files.common / "objects/pack").iterdir():
        if _RUBBISH.fullmatch(file.name):
            yield file


def _prune_due(files: GitFiles, now: float) -> bool:
    try:
        pruned = (files.common / _STAMP).stat().st_mtime
    except FileNotFoundError:
        return True
    # A clock that was set back must not make it wait for years.
    return not pruned <= now < pruned + WEEK


def _prune(git: Git) -> None:
    """Give up what was dropped: by pushes that rewrote the history, or as it became shallow."""
    git.check(git.run("pack-refs", "--all"))
    git.check(git.run("reflog", "expire", "--all"))
    # Of what the remote keeps, git drops nothing, and to look at it would fetch it.
    if git.files.partial():
        return
    # A look is cheap. To write all that is in use anew is not, and mostly nothing was dropped.
    before = _objects(git)
    if before == _objects_in_use(git):
        return
    git.check(git.configured(_WITH_AGES).run("gc", "--quiet", f"--prune={GRACE}"))
    if (after := _objects(git)) < before:
        git.notes.append(f"removed {before - after:,} objects that were dropped long ago, or twice")


def _objects(git: Git) -> int:
    """How many there are, in packs and loose."""
    return _counted(git, "count-objects", "-v")


def _objects_in_use(git: Git) -> int:
    """How many of them refs, reflogs and indexes lead to, those of other worktrees too."""
    kinds = ("--all", "--reflog", "--indexed-objects")
    return _counted(git, "rev-list", "--objects", "--count", *kinds)


def _counted(git: Git, *command: str) -> int:
    done = git.run(*command, quiet=True)
    git.check(done)
    return sum(int(number) for number in _COUNTED.findall(text(done)))
