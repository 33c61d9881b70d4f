"""Revision directories beside a symlink, so that readers only ever see whole revisions.

The link leads to `.NAME.revisions/REVISION`, relative to where it lies. A revision gets that name
once it is whole and on disk; whatever has another name there, but a draft that is ready, is rubbish
of a crash, removed by the next run. `.REVISION.index` beside it is git's index of its files: its
mtime is when the revision was published last, and the directory's mtime when it was last left for
another.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from gitreload import disk
from gitreload.config import Settings
from gitreload.drafts import Drafts, Tree, Write
from gitreload.git.files import REVISION
from gitreload.git.index import SIGNATURE
from gitreload.locks import Lock
from gitreload.model import GitreloadError, PermanentError, TransientError

# A revision that was built more than once has a number from the second time on.
_NAME = re.compile(rf"({REVISION.pattern})(-[0-9]+)?")
_OLD = "old"
_LOCK = ".lock"


class HeldError(GitreloadError):
    """The checkout was held while a revision was being written: it must not be switched."""


@dataclass(frozen=True, slots=True)
class Published:
    """What one checkout is published as.

    `link` is the absolute path of the symlink. The newest `keep` revisions stay, and any for
    `grace_seconds` after it was served. With `hardlinks` unchanged files are the same file in all
    of them. Nothing may be published within `checkout`, which updates clean.
    """

    link: Path
    keep: int
    grace_seconds: float
    hardlinks: bool
    clock: Callable[[], float] = time.time
    checkout: Path | None = None

    @classmethod
    def of(cls, settings: Settings, directory: str) -> Published | None:
        """As what a directory below REPODIR is published; None where it is not."""
        publish = settings.repo(directory).publish
        if publish is None:
            return None
        return cls(
            settings.link(directory),
            publish.keep,
            publish.grace_seconds,
            publish.hardlinks,
            checkout=settings.repodir / directory,
        )

    @property
    def revisions(self) -> Path:
        return self.link.with_name(f".{self.link.name}.revisions")

    def tree(self, revision: str) -> Tree:
        return Tree(self.revisions / revision)

    def folder(self, revision: str) -> Path:
        return self.tree(revision).folder

    @property
    def _drafts(self) -> Drafts:
        return Drafts(self.revisions, self.hardlinks)

    def served(self) -> str | None:
        """The revision that the link leads to; None where it leads to none of ours."""
        try:
            target = self.link.readlink()
        except OSError:
            return None
        ours = target.parent == Path(self.revisions.name) and _NAME.fullmatch(target.name)
        return target.name if ours else None

    def kept(self) -> list[str]:
        """The revisions that are there, that which was published last first.

        Raises `TransientError` where that cannot be read.
        """
        with self._file_errors():
            try:
                names = [each.name for each in self.revisions.iterdir()]
            except FileNotFoundError:
                return []
            found: dict[str, int] = {}
            for name in names:
                if _NAME.fullmatch(name) and self.tree(name).exists:
                    # A job may remove it at this moment.
                    with suppress(FileNotFoundError):
                        found[name] = self._published_at(name)
            return sorted(found, key=found.__getitem__, reverse=True)

    def build(self, name: str) -> str | None:
        """How the files of one that is kept were built; None where they are those of git.

        Raises `TransientError` where that cannot be read.
        """
        with self._file_errors(), self.tree(name).index.open("rb") as index:
            start = index.read(len(SIGNATURE))
            return None if start == SIGNATURE else (start + index.read()).decode(errors="replace")

    def name(self, revision: str, build: str | None, *, again: bool) -> str:
        """The name to publish a revision by: its own, if there is no other way to make it.

        One that is there already, made by another `build`, keeps its name, and so does the same
        where it has to be made `again`: then a number follows. So it does where what is served by
        that name is damaged: its readers keep what they have until the link leads elsewhere.
        """
        names = [name for name in self.kept() if revision_of(name) == revision]
        same = [name for name in names if self.build(name) == build]
        if same and not again:
            return same[0]
        numbered = (f"{revision}-{number}" for number in count(2))
        taken = {*names, self.served()}
        return next(name for name in chain([revision], numbered) if name not in taken)

    def publish(
        self,
        revision: str,
        *,
        write: Write,
        validate: Callable[[Path], None],
        may_switch: Callable[[], bool],
        afresh: bool = False,
    ) -> bool:
        """Serve the revision of this name; False where it is served already.

        Only one process may do so at once.

        `write(folder, index)` makes the files in `folder` those of the revision, and `index`
        theirs; some may be there already, unless `afresh`. `validate(folder)` raises an error to
        refuse them. `may_switch` is asked at the last moment.

        Raises `PermanentError` where the link cannot be made, `TransientError`, `HeldError`, and
        what the callbacks raise; then what was served before still is.
        """
        with self._file_errors():
            self._prepare()
            if self.served() == revision and revision in self.kept():
                return False
            try:
                self._publish(revision, write, validate, may_switch, afresh)
            except BaseException:
                self.tidy()
                raise
        return True

    def make_ready(self) -> None:
        """After a revision is served: remove what need not be kept, and prepare for the next.

        Only the process that publishes may do so. Raises `TransientError`; then the next one is
        published all the same, only not as fast.
        """
        with self._file_errors():
            self.tidy()
            newest = next(iter(self.kept()), None)
            if newest is not None:
                self._drafts.make_ready(self.tree(newest), len(revision_of(newest)))

    def _publish(
        self,
        revision: str,
        write: Write,
        validate: Callable[[Path], None],
        may_switch: Callable[[], bool],
        afresh: bool,
    ) -> None:
        kept, tree = self.kept(), self.tree(revision)
        if revision in kept:
            validate(tree.folder)
        else:
            base = self.tree(kept[0]) if kept and not afresh else None
            new = self._drafts.write(base, write, len(revision_of(revision)))
            validate(new.folder)
            # Once it is on disk: a power cut must find it whole under its name.
            disk.sync_file_system(self.revisions)
            new.rename(tree)
            disk.sync(self.revisions)
        with self._locked():
            if not may_switch():
                raise HeldError(f"{self.link} is held at what it serves")
            os.utime(tree.index, (self.clock(), self.clock()))
            self._switch(revision)

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

    def tidy(self) -> None:
        """Remove what a crash left, and revisions that need not be kept."""
        with self._locked():
            served = self.served()
            self._sweep(served)
            expired = [
                revision
                for revision in self.kept()[self.keep :]
                if revision != served and not self._was_served_lately(revision)
            ]
            for revision in expired:
                # First its name, then its files: half of one must never be taken for it.
                old = Tree(self.revisions / _OLD)
                self.tree(revision).rename(old)
                old.remove()

    @property
    def _new_link(self) -> Path:
        # Not among the revisions: they may be a file system of their own.
        return self.link.with_name(f".{self.link.name}.link")

    def _sweep(self, served: str | None) -> None:
        self._new_link.unlink(missing_ok=True)
        trees = [self.tree(revision) for revision in self.kept()]
        if self._drafts.ready.exists:
            trees.append(self._drafts.ready)
        known = {path.name for tree in trees for path in (tree.folder, tree.index)}
        for left in self.revisions.iterdir():
            if left.name not in known | {served, _LOCK}:
                disk.remove(left)

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
                f"no revision before {_short(kept[-1])} is kept for {self.link}; {_told(kept)}"
            )
        return older[0]

    def _named(self, wanted: str) -> str:
        kept = self.kept()
        found = [revision for revision in kept if wanted and revision.startswith(wanted)]
        if wanted in found:
            return wanted
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
        if self.checkout and self.link.parent.resolve().is_relative_to(self.checkout.resolve()):
            raise PermanentError(
                f"{self.link} lies within the checkout {self.checkout}, where updates remove what "
                "is not in git: name another place in PUBLISH.LINK"
            )
        self.revisions.mkdir(parents=True, exist_ok=True)
        self.tidy()

    def _switch(self, revision: str) -> None:
        before = self.served()
        new = self._new_link
        new.unlink(missing_ok=True)
        new.symlink_to(Path(self.revisions.name, revision))
        if before is not None and self.folder(before).is_dir():
            # Before it is left: a crash in between must not take its grace from it.
            os.utime(self.folder(before), (self.clock(), self.clock()))
        new.rename(self.link)
        disk.sync(self.link.parent)

    def _published_at(self, revision: str) -> int:
        return self.tree(revision).index.stat().st_mtime_ns

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


def revision_of(name: str) -> str:
    """The revision that is published by this name."""
    return name.partition("-")[0]


def _told(kept: list[str]) -> str:
    return f"kept are: {', '.join(map(_short, kept)) or 'none'}"


def _short(name: str) -> str:
    """A revision as people read it, with the number of a further one of it."""
    revision, dash, number = name.partition("-")
    return f"{revision[:12]}{dash}{number}"
