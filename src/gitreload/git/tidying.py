"""A checkout tidied while nobody waits for it: its many small packs become few."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from gitreload.git.commands import Git
from gitreload.git.files import GitFiles
from gitreload.git.mending import files_used
from gitreload.model import Checkout
from gitreload.process import Runner

# An update joins them only when there are many more, as somebody waits for it then.
MOST_PACKS = 10

# What a git that was killed while it wrote a pack leaves: of index-pack, and of repack.
_RUBBISH = re.compile(r"tmp_(?:pack|idx|rev|bitmap|mtimes)_.*|\.tmp-.*")


def untidy(checkout: Checkout) -> bool:
    """Whether `tidy` has something to do. Raises OSError where its `.git` cannot be read."""
    files = GitFiles.of(checkout.path)
    return files.packs() > MOST_PACKS or any(_rubbish(files))


def tidy(checkout: Checkout, runner: Runner, *, timeout: float) -> tuple[str, ...]:
    """Join its packs, and remove unfinished ones; the caller holds its lock. What was done.

    It may be ended at any moment: git removes the packs that it has joined only once their
    successor is there. Raises `TransientError` while another git works there, and what other
    commands raise.
    """
    git = Git(checkout, runner, timeout=timeout)
    before = git.files.packs()
    with files_used(git.place):
        left = list(_rubbish(git.files))
        if left:
            git.mending.refuse_if_busy("it has unfinished packs")
        for file in left:
            file.unlink(missing_ok=True)
    if left:
        git.notes.append(f"removed {len(left)} files of packs that were never finished")
    if before > MOST_PACKS:
        git.join_packs(MOST_PACKS)
        if (after := git.files.packs()) < before:
            git.notes.append(f"joined {before} packs into {after}")
    return tuple(git.notes)


def _rubbish(files: GitFiles) -> Iterator[Path]:
    for file in (files.common / "objects/pack").iterdir():
        if _RUBBISH.fullmatch(file.name):
            yield file
