"""The first clone of a repository: whole or not at all, and what broke off goes on."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path

from gitreload.git.access import Access
from gitreload.git.clone_steps import Steps, Wanted
from gitreload.git.turns import Turn
from gitreload.model import HIDDEN, PermanentError, TransientError
from gitreload.process import Runner

__all__ = ["Wanted", "clone"]

# Seconds before each further try, after a step that failed and may succeed then.
PAUSES = (1.0, 5.0, 15.0)


def clone(
    wanted: Wanted,
    access: Access,
    mine: Turn,
    tell: Callable[[str], None],
    progress: Callable[[str], None],
    pauses: Sequence[float] = PAUSES,
) -> None:
    """Clone `wanted` under another name and rename it into its place once it is complete.

    `mine` is the turn to clone to its target. Steps that an earlier one completed are not done
    again, and one that fails is tried again after `pauses`. `tell` gets lines about that,
    `progress` each state of a line that git overwrites. Raises `PermanentError`, with nothing left,
    and `TransientError`, with complete steps left.
    """
    # From there it can be renamed into its place.
    folder = wanted.repodir / HIDDEN / "clones" / wanted.directory.replace("/", "%2F")
    runner = Runner(
        log=lambda _line: None,
        inherit=(mine.lock.fd,),
        marker=mine.marker,
        secrets=access.secrets,
    )
    steps = Steps(wanted, folder, access, runner, progress)
    _take_up(wanted, folder, steps, tell)
    try:
        _persist(steps, tell, pauses)
    except PermanentError:
        shutil.rmtree(folder)
        raise
    except (TransientError, KeyboardInterrupt):
        if steps.repository.exists():
            tell("a part is here and is kept: the same command goes on from there")
        raise
    wanted.target.parent.mkdir(parents=True, exist_ok=True)
    # Over nothing but an empty directory: whatever else came there meanwhile stays.
    steps.repository.rename(wanted.target)
    shutil.rmtree(folder)


def _take_up(wanted: Wanted, folder: Path, steps: Steps, tell: Callable[[str], None]) -> None:
    """Leave in `folder` what an earlier clone of the same completed, if it is sound."""
    note = folder / "wanted.json"
    what = json.dumps([wanted.url, wanted.branch, astuple(wanted.extent)])
    if folder.exists():
        same = note.exists() and note.read_text(errors="replace") == what
        if same and steps.repository.exists():
            tell("an earlier try has fetched a part: checking that, to go on from there")
            same = steps.resume()
            if not same:
                tell("it is damaged: beginning anew")
        steps.patient = same
        if not same:
            shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(what)


def _persist(steps: Steps, tell: Callable[[str], None], pauses: Sequence[float]) -> None:
    """Run the steps, and again where one fails that may succeed later."""
    complete, left = steps.complete, list(pauses)
    while True:
        try:
            steps.run()
        except TransientError as error:
            if steps.complete > complete:
                complete, left = steps.complete, list(pauses)
            if not left:
                raise
            steps.patient = True
            pause = left.pop(0)
            tell(f"{error}. Trying again in {pause:g} s")
            time.sleep(pause)
        else:
            return
