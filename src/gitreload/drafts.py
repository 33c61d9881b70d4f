"""The files of the next revision, while nobody sees them.

As soon as a revision is served, a copy of it is made ready; the next one then begins with that, and
only what changed has to be written between its push and the moment when it is served.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gitreload import disk
from gitreload.copying import take
from gitreload.git.index import read_index

Write = Callable[[Path, Path], None]
"""`write(folder, index)`: make the files in `folder` those of a revision, and `index` theirs."""

_ATTRIBUTES = b".gitattributes"


@dataclass(frozen=True, slots=True)
class Tree:
    """A directory, and beside it git's index of its files. Both are there, or it counts as none."""

    folder: Path

    @property
    def index(self) -> Path:
        return self.folder.with_name(f".{self.folder.name}.index")

    @property
    def exists(self) -> bool:
        return self.index.is_file() and self.folder.is_dir()

    def rename(self, target: Tree) -> None:
        """Give it another name; a crash halfway leaves none of either."""
        self.index.rename(target.index)
        self.folder.rename(target.folder)

    def remove(self) -> None:
        self.index.unlink(missing_ok=True)
        disk.remove(self.folder)


@dataclass(frozen=True, slots=True)
class Drafts:
    """The drafts in the directory `place`.

    With `hardlinks` their unchanged files are the same file as those of the revision before.
    """

    place: Path
    hardlinks: bool

    @property
    def new(self) -> Tree:
        """That which is being written."""
        return Tree(self.place / "new")

    @property
    def ready(self) -> Tree:
        """The copy that was made ahead. Copies are never mixed up with links."""
        return Tree(self.place / ("next-linked" if self.hardlinks else "next"))

    def write(self, base: Tree | None, write: Write, digits: int) -> Tree:
        """A revision's files, with what did not change since `base` taken from there.

        They are not on disk yet. `digits` is how many digits the name of a revision has. Raises
        OSError, and what `write` does.
        """
        before = None if base is None else self._begin(base, digits)
        if before is None:
            self._anew(write)
            return self.new
        write(self.new.folder, self.new.index)
        if before != attributes(self.new, digits):
            # They decide what git writes for a content, also for files that did not change.
            self.new.remove()
            self._anew(write)
        return self.new

    def make_ready(self, base: Tree, digits: int) -> None:
        """Copy `base`, and write that out, unless a copy is ready. Raises OSError."""
        if self._is_ready(base):
            return
        self.ready.remove()
        try:
            if self._copy(base, digits):
                disk.sync_file_system(self.place)
                self.new.rename(self.ready)
        finally:
            self.new.remove()

    def _begin(self, base: Tree, digits: int) -> list[tuple[bytes, bytes]] | None:
        """Make `new` like `base`; its attributes, or None where what is in `base` is not known."""
        if self._is_ready(base):
            self.ready.rename(self.new)
        elif not self._copy(base, digits):
            return None
        return attributes(self.new, digits)

    def _is_ready(self, base: Tree) -> bool:
        # Its index is that of the revision which it was copied from, to the byte.
        return self.ready.exists and self.ready.index.read_bytes() == base.index.read_bytes()

    def _copy(self, base: Tree, digits: int) -> bool:
        try:
            entries = read_index(base.index, digits // 2)
        except ValueError:
            return False
        self.new.folder.mkdir()
        take(entries, base.folder, self.new.folder, hardlinks=self.hardlinks)
        shutil.copyfile(base.index, self.new.index)
        return True

    def _anew(self, write: Write) -> None:
        self.new.folder.mkdir()
        write(self.new.folder, self.new.index)


def attributes(tree: Tree, digits: int) -> list[tuple[bytes, bytes]]:
    """The paths and contents of the `.gitattributes`."""
    if _ATTRIBUTES not in tree.index.read_bytes():
        return []  # as in most repositories, so that thousands of entries need no reading
    return [
        (entry.path, entry.blob)
        for entry in read_index(tree.index, digits // 2)
        if entry.path.rpartition(b"/")[2] == _ATTRIBUTES
    ]
