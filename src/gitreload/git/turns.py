"""One clone of a directory at a time, also after a command that was killed in the middle of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitreload.locks import Lock, checkout_lock_path
from gitreload.model import GitreloadError, TransientError
from gitreload.process import end_run
from gitreload.visible import visible


@dataclass(frozen=True, slots=True)
class Turn:
    """Nobody else clones there. The children of a clone carry `marker` and inherit `lock`."""

    marker: str
    lock: Lock


@contextmanager
def turn(state_dir: Path, target: Path) -> Iterator[Turn]:
    """Be the only one who clones to `target`, for the length of the block.

    What a killed command left running there is ended first. Raises `GitreloadError` where another
    command lives that does the same, `TransientError` where somebody works there or does not end.
    """
    path = checkout_lock_path(state_dir, os.path.realpath(target))
    own = path.with_suffix(".adding")
    # Children do not inherit this one: whoever holds it is a command that lives.
    adding = Lock.take(own)
    if adding is None:
        raise GitreloadError(
            f"process {own.read_text() or '(just begun)'} adds {visible(str(target))} at this "
            "moment: wait until it is done, then run the same command again"
        )
    with adding:
        os.ftruncate(adding.fd, 0)
        os.pwrite(adding.fd, str(os.getpid()).encode(), 0)
        marker = f"clone {path.stem}"
        end_run(None, marker)
        lock = Lock.take(path)
        if lock is None:
            raise TransientError(
                f"a job or a git command works in {visible(str(target))} now: try again"
            )
        with lock:
            yield Turn(marker, lock)
