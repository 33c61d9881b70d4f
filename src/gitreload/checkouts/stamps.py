"""Whether files are still those that were read, seen from their stat alone."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass

Stamp = tuple[int, int, int, int]
"""mtime_ns, ctime_ns, inode, size; all zero for a file that cannot be looked at."""

MISSING: Stamp = (0, 0, 0, 0)
# A file may change twice within one tick of its file system's clock, which is up to 2 s long (FAT).
# Younger files are read again, since a later change need not show.
YOUNG_NS = 2_000_000_000
# No HEAD, configuration or `.git` file that people write is nearly as long.
LONGEST = 1024 * 1024


def stamp(path: str) -> Stamp:
    try:
        return _stamp(os.stat(path))
    except OSError:
        return MISSING


def young(taken: Stamp, now_ns: int) -> bool:
    """Whether a file that had this stamp at `now_ns` may change without its stamp showing it."""
    return max(taken[:2]) > now_ns - YOUNG_NS


@dataclass(frozen=True, slots=True)
class Evidence:
    """The files that something was read from, and a digest of their stamps at that time.

    Names are absolute or relative to a base, which is not kept: many share one tuple of names.
    `digest` is None where a change need not show.
    """

    files: tuple[str, ...]
    digest: int | None

    def holds(self, base: str) -> bool:
        return self.digest is not None and self.digest == _digest(base, self.files)


NOTHING = Evidence((), None)


class Trail:
    """Reads files and remembers which, and what their stamps were just before."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._began_ns = time.time_ns()
        self._stamps: dict[str, Stamp] = {}

    def note(self, file: str) -> None:
        """Remember a file that somebody else reads, or that may appear."""
        self._stamps.setdefault(file, stamp(_path(self._base, file)))

    def read(self, file: str) -> bytes:
        """The file's bytes; raises OSError, also for what is no regular file or too long."""
        path = _path(self._base, file)
        # A pipe would keep us waiting for its writer.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_size > LONGEST:
                raise OSError(0, "not a file, or longer than 1 MiB", path)
            self._stamps[file] = _stamp(status)
            return os.read(fd, status.st_size)
        finally:
            os.close(fd)

    def evidence(self, usual: tuple[str, ...] = ()) -> Evidence:
        """What all that was read rests on. `usual` is taken for the names if they are the same."""
        files = tuple(self._stamps)
        settled = not any(young(taken, self._began_ns) for taken in self._stamps.values())
        digest = hash(tuple(self._stamps.values())) if settled else None
        return Evidence(usual if files == usual else files, digest)


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size


def _path(base: str, file: str) -> str:
    return file if file.startswith("/") else f"{base}/{file}"


def _digest(base: str, files: tuple[str, ...]) -> int:
    return hash(tuple([stamp(_path(base, file)) for file in files]))
