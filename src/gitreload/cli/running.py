"""The processes that read their configuration again on SIGHUP, and telling them to."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gitreload.locks import Lock

logger = logging.getLogger(__name__)

_FOLDER = "running"  # in STATE_DIR


@contextmanager
def listed(state_dir: Path) -> Iterator[None]:
    """Be found by `tell_running` for the length of the block; SIGHUP must be handled by then."""
    path = state_dir / _FOLDER / f"{os.getpid()}.lock"
    try:
        lock = Lock.take(path, wait=True)
    except OSError as error:  # the server starts all the same, and tries again
        logger.warning(
            "`gitreload add` will not find this process to have it read a new configuration, send "
            "it SIGHUP then: %s cannot be made: %s",
            *(path, error.strerror),
        )
        yield
        return
    assert lock is not None, "it was waited for"
    with lock:
        yield
        path.unlink(missing_ok=True)


def tell_running(state_dir: Path) -> int:
    """Have all listed processes read the configuration again; how many there are."""
    told = 0
    for path in (state_dir / _FOLDER).glob("*.lock"):
        lock = Lock.take(path)
        if lock is not None:  # its process was killed
            path.unlink(missing_ok=True)
            lock.release()
        elif _holds(int(path.stem), path):
            os.kill(int(path.stem), signal.SIGHUP)
            told += 1
    return told


def _holds(pid: int, path: Path) -> bool:
    """Whether the process has the file open: in a container, its number may be another's here."""
    with suppress(OSError):
        return any(
            os.path.samestat(each.stat(), path.stat()) for each in Path(f"/proc/{pid}/fd").iterdir()
        )
    return False
