"""Files of one directory tree taken into another, as cheaply as the file system can."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from gitreload.git.index import REGULAR, Entry
from gitreload.model import PermanentError
from gitreload.visible import visible

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
        executable = entry.mode == 0o100755
        copier.copy(old, os.path.join(new, entry.path), executable, entry.mtime_ns)  # noqa: PTH118


def copy_tree(source: Path, target: Path) -> None:
    """Copy all that is below `source` into `target`, which is empty: files as `take` does.

    Links stay links. Raises OSError, and `PermanentError` where something cannot be copied.
    """
    copier = _Copier(hardlinks=False)
    for folder, names, files in os.walk(source, onerror=_fail):
        new = target / Path(folder).relative_to(source)
        for name in names + files:
            old = Path(folder, name)
            found = old.lstat()
            if stat.S_ISLNK(found.st_mode):
                (new / name).symlink_to(old.readlink())
            elif stat.S_ISDIR(found.st_mode):
                (new / name).mkdir()
            elif stat.S_ISREG(found.st_mode):
                executable = bool(found.st_mode & 0o100)
                copier.copy(bytes(old), bytes(new / name), executable, found.st_mtime_ns)
            else:
                raise PermanentError(
                    f"{visible(str(old))} is no file, directory or link, so it cannot be published"
                )


def _fail(error: OSError) -> None:
    """What cannot be listed must not be left out without a word."""
    raise error


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

    def copy(self, source: bytes, target: bytes, executable: bool, mtime_ns: int) -> None:
        if self._links and self._linked(source, target):
            return
        permissions = 0o777 if executable else 0o666
        old = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            new = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, permissions)
            try:
                if not (self._clones and self._cloned(old, new)):
                    _copy(old, new)
                os.utime(new, ns=(mtime_ns, mtime_ns))
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
    try:
        # Within the kernel; its end is told by a copy of nothing.
        while os.copy_file_range(source, target, 1 << 30):
            pass
    except OSError as error:
        if error.errno not in _NO_CLONES:
            raise
        # copy_file_range(2): not between file systems of two kinds. Both go on where it stopped.
        with open(source, "rb", closefd=False) as old, open(target, "wb", closefd=False) as new:
            shutil.copyfileobj(old, new)
