"""Files of one directory tree taken into another, as cheaply as the file system can."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from gitreload.git.index import REGULAR, Entry

# ioctl_ficlone(2): share the blocks of the other file until one of them is written.
_FICLONE = 0x40049409
# What file systems without it, or across two of them, answer.
_NO_CLONES = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS}


def take(entries: Iterable[Entry], source: Path, target: Path, *, hardlinks: bool) -> None:
    """Bring the regular files among `entries` from `source` into `target`, with mode and mtime.

    What is not in `source` as its entry says (changed, removed, replaced) is left out. Data is
    shared where the file system can (reflinks), else copied; with `hardlinks` both names are one
    file. Raises OSError.
    """
    copier = _Copier(hardlinks=hardlinks)
    top, new = os.fsencode(source), os.fsencode(target)
    made = {b""}
    for entry in entries:
        old = os.path.join(top, entry.path)  # noqa: PTH118 - thousands of names, as bytes
        if entry.mode not in REGULAR or not _is_unchanged(old, entry):
            continue
        folder = entry.path.rpartition(b"/")[0]
        if folder not in made:
            os.makedirs(os.path.join(new, folder), exist_ok=True)  # noqa: PTH103, PTH118
            made.add(folder)
        copier.copy(old, os.path.join(new, entry.path), entry)  # noqa: PTH118


def _is_unchanged(path: bytes, entry: Entry) -> bool:
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    # Of the mode git keeps one bit.
    regular = 0o100755 if found.st_mode & 0o100 else 0o100644
    return (
        found.st_mode & 0o170000 == 0o100000
        and regular == entry.mode
        and found.st_size & 0xFFFFFFFF == entry.size
        and found.st_mtime_ns == entry.mtime_ns
    )


class _Copier:
    """Copies files, and remembers what this file system cannot do."""

    def __init__(self, *, hardlinks: bool) -> None:
        self._links = hardlinks
        self._clones = True

    def copy(self, source: bytes, target: bytes, entry: Entry) -> None:
        if self._links and self._linked(source, target):
            return
        permissions = 0o777 if entry.mode == 0o100755 else 0o666
        old = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            new = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, permissions)
            try:
                if not (self._clones and self._cloned(old, new)):
                    _copy(old, new)
                os.utime(new, ns=(entry.mtime_ns, entry.mtime_ns))
            finally:
                os.close(new)
        finally:
            os.close(old)

    def _linked(self, source: bytes, target: bytes) -> bool:
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            # Too many names of one file (EMLINK) or another file system: copy this one.
            if error.errno in (errno.EMLINK, errno.EXDEV, errno.EPERM):
                return False
            raise
        return True

    def _cloned(self, source: int, target: int) -> bool:
        try:
            fcntl.ioctl(target, _FICLONE, source)
        except OSError as error:
            if error.errno not in _NO_CLONES:
                raise
            self._clones = False
        return self._clones


def _copy(source: int, target: int) -> None:
    # Within the kernel; its end is told by a copy of nothing.
    while os.copy_file_range(source, target, 1 << 30):
        pass
