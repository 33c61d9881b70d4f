"""Revision directories beside a symlink, so that readers only ever see whole revisions.

The link leads to `.NAME.revisions/REVISION`, relative to where it lies. A revision gets that name
once it is whole and on disk; whatever has another name there is rubbish of a crash, removed by the
next run. `.REVISION.index` beside it is git's index of its files: its mtime is when the revision
was published last, and the directory's mtime when it was last left for another.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitreload.config import Settings
from gitreload.copying import take
from gitreload.git.files import REVISION
from gitreload.git.index import Entry, read_index
from gitreload.locks import Lock
from gitreload.model import GitreloadError, PermanentError, TransientError

_NEW = "new"
_OLD = "old"
_LOCK = ".lock"


class HeldError(GitreloadError):
    """The checkout was held while a revision was being written: it must not be switched."""


@dataclass(frozen=True, slots=True)
class Published:
    """What one checkout is published as.

    `link` is the absolute path of the symlink. The newest `keep` revisions stay, and any for
    `grace_seconds` after it was served. With `hardlinks` unchanged files are the same file in all
    of them.
    """

    link: Path
    keep: int
    grace_seconds: float
    hardlinks: bool
    clock: Callable[[], float] = time.time

    @classmethod
    def of(cls, settings: Settings, directory: str) -> Published | None:
        """As what a directory below REPODIR is published; None where it is not."""
        publish = settings.repo(directory).publish
        if publish is None:
            return None
        return cls(settings.link(directory), publish.keep, publish.grace_seconds, publish.hardlinks)

    @property
    def revisions(self) -> Path:
        return self.link.with_name(f".{self.link.name}.revisions")

    def folder(self, revision: str) -> Path:
        return self.revisions / revision

    def index(self, revision: str) -> Path:
        return self.revisions / _index(revision)

    def served(self) -> str | None:
        """The revision that the link leads to; None where it leads to none of ours."""
        try:
            target = self.link.readlink()
        except OSError:
            return None
        ours = target.parent == Path(self.revisions.name) and REVISION.fullmatch(target.name)
        return target.name if ours else None

    def kept(self) -> list[str]:
        """The revisions that are there, that which was published last first."""
        try:
            names = {each.name for each in self.revisions.iterdir()}
        except FileNotFoundError:
            return []
        found = [name for name in names if REVISION.fullmatch(name) and _index(name) in names]
        return sorted(found, key=self._published_at, reverse=True)

    def publish(
        self,
        revision: str,
        *,
        write: Callable[[Path, Path], None],
        validate: Callable[[Path], None],
        may_switch: Callable[[], bool],
    ) -> bool:
        """Serve `revision`; False where it is served already. Only one process may do so at once.

        `write(folder, index)` makes the files in `folder` those of the revision, and `index`
        theirs; some may be there already. `validate(folder)` raises an error to refuse them.
        `may_switch` is asked at the last moment.

        Raises `PermanentError` where the link cannot be made, `TransientError`, `HeldError`, and
        what the callbacks raise; then what was served before still is.
        """
        with self._file_errors():
            self._prepare()
            kept = self.kept()
            if self.served() == revision and revision in kept:
                return False
            new = None if revision in kept else self._written(revision, write)
            try:
                validate(new or self.folder(revision))
                if new is not None:
                    self._complete(new, revision)
                with self._locked():
                    if not may_switch():
                        raise HeldError(f"{self.link} is held at what it serves")
                    os.utime(self.index(revision), (self.clock(), self.clock()))
                    self._switch(revision)
            finally:
                self.tidy()
        return True

    def roll_back(self, wanted: str | None = None) -> tuple[str, str | None]:
        """Serve another revision that is kept; which one now, and which one before.

        `wanted` is the beginning of its name; None for the one that was published before the one
        that is served. Raises GitreloadError where there is no such one.
        """
        with self._file_errors():
            self.earlier(wanted)  # a lock would make the directory
            with self._locked():
                before = self.served()
                revision = self.earlier(wanted)
                if revision != before:
                    self._switch(revision)
        return revision, before

    def tidy(self) -> int:
        """Remove what a crash left and revisions that need not be kept; how many those were."""
        with self._locked():
            served = self.served()
            self._sweep(served)
            old = [revision for revision in self.kept()[self.keep :] if revision != served]
            old = [revision for revision in old if not self._was_served_lately(revision)]
            for revision in old:
                # First its name, then its files: half of one must never be taken for it.
                self.folder(revision).rename(self.revisions / _OLD)
                _remove(self.revisions / _OLD)
                self.index(revision).unlink()
        return len(old)

    def _sweep(self, served: str | None) -> None:
        known = {name for each in self.kept() for name in (each, _index(each))}
        for left in self.revisions.iterdir():
            if left.name not in known | {served, _LOCK}:
                _remove(left)

    def _was_served_lately(self, revision: str) -> bool:
        return self.folder(revision).stat().st_mtime > self.clock() - self.grace_seconds

    def earlier(self, wanted: str | None) -> str:
        """The revision that `roll_back` would serve; raises as that does."""
        if wanted is not None:
            return self._named(wanted)
        kept, served = self.kept(), self.served()
        if not kept:
            raise GitreloadError(f"nothing is published as {self.link} yet")
        older = kept[kept.index(served) + 1 :] if served in kept else kept
        if not older:
            raise GitreloadError(
                f"no revision before {served} is kept for {self.link}; {_told(kept)}"
            )
        return older[0]

    def _named(self, wanted: str) -> str:
        kept = self.kept()
        found = [revision for revision in kept if wanted and revision.startswith(wanted)]
        if len(found) != 1:
            what = "several revisions begin" if found else "no revision that is kept begins"
            raise GitreloadError(f"{what} with {wanted!r} for {self.link}; {_told(kept)}")
        return found[0]

    def _prepare(self) -> None:
        if os.path.lexists(self.link) and not self.link.is_symlink():
            raise PermanentError(
                f"{self.link} is no symbolic link, so nothing can be published there: move it "
                "away, or name another place in PUBLISH.LINK"
            )
        self.revisions.mkdir(parents=True, exist_ok=True)
        self.tidy()

    def _written(self, revision: str, write: Callable[[Path, Path], None]) -> Path:
        """A directory with the files of `revision`, which is not on disk yet."""
        folder, index = self.revisions / _NEW, self.index(_NEW)
        base = next(iter(self.kept()), None)
        entries = self._entries(base, len(revision))
        folder.mkdir()
        if base is not None and entries:
            take(entries, self.folder(base), folder, hardlinks=self.hardlinks)
            shutil.copyfile(self.index(base), index)
        write(folder, index)
        if entries and _attributes(entries) != _attributes(self._entries(_NEW, len(revision))):
            # They decide what git writes for a content, also for files that did not change.
            _remove(folder)
            index.unlink()
            folder.mkdir()
            write(folder, index)
        return folder

    def _entries(self, name: str | None, digits: int) -> list[Entry]:
        """What is in a revision; nothing where that is not known."""
        if name is None:
            return []
        try:
            return read_index(self.index(name), digits // 2)
        except (FileNotFoundError, ValueError):
            return []

    def _complete(self, folder: Path, revision: str) -> None:
        """Give a written revision its name, once it is on disk: a power cut must find it whole."""
        _sync_file_system(self.revisions)
        self.index(_NEW).rename(self.index(revision))
        folder.rename(self.folder(revision))
        _sync(self.revisions)

    def _switch(self, revision: str) -> None:
        before = self.served()
        new = self.revisions / ".link"
        new.unlink(missing_ok=True)
        new.symlink_to(Path(self.revisions.name, revision))
        new.rename(self.link)
        _sync(self.link.parent)
        if before is not None and self.folder(before).is_dir():
            os.utime(self.folder(before), (self.clock(), self.clock()))

    def _published_at(self, revision: str) -> int:
        return self.index(revision).stat().st_mtime_ns

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the link. It is never held for longer than files are removed."""
        lock = Lock.take(self.revisions / _LOCK, wait=True)
        assert lock is not None, "it was waited for"
        with lock:
            yield

    @contextmanager
    def _file_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TransientError(
                f"{error.filename or self.revisions}: {error.strerror}; publishing as {self.link} "
                "needs a place that can be written, with room for one more revision"
            ) from error


def _index(revision: str) -> str:
    return f".{revision}.index"


def _told(kept: list[str]) -> str:
    return f"kept are: {', '.join(kept) or 'none'}"


def _attributes(entries: list[Entry]) -> list[tuple[bytes, bytes]]:
    return [
        (entry.path, entry.blob)
        for entry in entries
        if entry.path.rpartition(b"/")[2] == b".gitattributes"
    ]


def _remove(path: Path) -> None:
    """Remove a file, or a tree, even where somebody write-protected directories of it."""
    if path.is_dir() and not path.is_symlink():
        for folder, _, _ in os.walk(path):
            Path(folder).chmod(0o700)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_file_system(folder: Path) -> None:
    """Write out all that is not on disk yet: one call where each file would need its own.

    https://man7.org/linux/man-pages/man2/syncfs.2.html
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)
