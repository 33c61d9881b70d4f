"""A course as `tar.gz`, as Studio takes it for an import.

The same files always make the same bytes, whoever checked them out, and when: entries are sorted,
and have neither times, owners nor modes of their own. Links to files and directories are stored as
what they lead to, since Studio refuses those that leave their directory (safe_extractall in
openedx/core/lib/extract_archive.py). Memory holds a few blocks at a time.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from gitreload.model import HIDDEN, PermanentError, TransientError
from gitreload.visible import shown

# Above the course's own names; Studio looks for course.xml at any depth, the topmost first.
PREFIX = "course"
# Links to directories may repeat what they lead to, and so make few files many.
MOST = 200_000

_LEFT_OUT = {".git", HIDDEN}


@dataclass(frozen=True, slots=True)
class Archive:
    """A file without a name, at its start; `digest` is the hex SHA-256 of its bytes."""

    file: BinaryIO
    size: int
    digest: str


@contextmanager
def packed(
    root: Path, within: Path, spool: Path, check: Callable[[], None] = lambda: None
) -> Iterator[Archive]:
    """All files below `root`, below `PREFIX`, in a file on the disk of the directory `spool`.

    Links may lead anywhere below `within`. `check` is called for every file, and may raise. The
    file is gone when nobody has it open any more, however this process ends.

    Raises `PermanentError` for what cannot be part of a course, `TransientError` where the disk is
    full or does not work.
    """
    with _without_a_name(spool) as file:
        try:
            digest = _pack(root, os.path.realpath(within), file, check)
        except OSError as error:
            raise _no_room(spool, error) from error
        size = file.tell()
        file.seek(0)
        yield Archive(file, size, digest)


def _without_a_name(spool: Path) -> BinaryIO:
    try:
        spool.mkdir(parents=True, exist_ok=True)
        # With a buffer, closing it on a full disk would be one more error.
        return cast("BinaryIO", tempfile.TemporaryFile(dir=spool, buffering=0))
    except OSError as error:
        raise _no_room(spool, error) from error


def _no_room(spool: Path, error: OSError) -> TransientError:
    return TransientError(f"the course cannot be packed in {spool}: {error.strerror or error}")


def _pack(root: Path, within: str, file: BinaryIO, check: Callable[[], None]) -> str:
    hashing = _Hashing(file)
    with (
        # Neither a name nor a time in its header.
        gzip.GzipFile(filename="", mode="wb", fileobj=hashing, compresslevel=6, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for count, (name, path) in enumerate(_files(root, within)):
            if count == MOST:
                raise PermanentError(
                    f"the course has more than {MOST:,} files, or links to directories that "
                    "repeat them; remove such links"
                )
            check()
            with _open(path, name) as source:
                entry = tarfile.TarInfo(f"{PREFIX}/{name}")
                entry.size = os.fstat(source.fileno()).st_size
                entry.mode = 0o644
                tar.addfile(entry, source)
    return hashing.hash.hexdigest()


def _files(root: Path, within: str) -> Iterator[tuple[str, str]]:
    """The name of each file relative to `root`, and where it really is; sorted by directory."""
    top = _inside(os.fspath(root), within, ".")
    waiting: list[tuple[str, str, frozenset[str]]] = [("", top, frozenset([top]))]
    while waiting:
        above, directory, passed = waiting.pop()
        folders = []
        for entry in sorted(os.listdir(directory)):  # noqa: PTH208 - names that are not UTF-8 too
            if entry in _LEFT_OUT:
                continue
            name = f"{above}{entry}"
            path = _inside(f"{directory}/{entry}", within, name)
            if not os.path.isdir(path):  # noqa: PTH112
                yield name, path
            elif path not in passed:  # a link to one of those above has no end
                folders.append((f"{name}/", path, passed | {path}))
        waiting.extend(reversed(folders))


def _inside(path: str, within: str, name: str) -> str:
    try:
        real = os.path.realpath(path, strict=True)
    except OSError as error:
        raise PermanentError(
            f"{shown(name)} cannot be read: {error.strerror}; correct or remove the link"
        ) from error
    if real != within and not real.startswith(f"{within}/"):
        raise PermanentError(
            f"{shown(name)} is a link that leads out of the checkout; put what it leads to there "
            "itself"
        )
    return real


def _open(path: str, name: str) -> BinaryIO:
    try:
        # Opening a pipe would wait for its writer.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise PermanentError(f"{shown(name)} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise PermanentError(f"{shown(name)} is not a file; remove it")
    return os.fdopen(fd, "rb")


class _Hashing:
    """Hands on what is written, and hashes it."""

    def __init__(self, file: BinaryIO) -> None:
        self.hash = hashlib.sha256()
        self._file = file

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        return len(data)

    def flush(self) -> None:
        """There is no buffer."""
