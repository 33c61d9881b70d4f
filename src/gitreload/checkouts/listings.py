"""The names in `REPODIR` and in the folders below it, and whether they are still the same."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

from gitreload.checkouts.stamps import Stamp, stamp, young


@dataclass(frozen=True, slots=True)
class _Listing:
    """A folder's stamp just before it was listed, and a digest of its names and their inodes.

    `settled` is False where the folder was so young that a change need not show in its stamp.
    """

    stamp: Stamp
    settled: bool
    digest: int


class Listings:
    """Lists folders, and remembers them to see cheaply whether a name came, went or moved."""

    def __init__(self) -> None:
        self._folders: dict[str, _Listing] = {}
        self._dangling: set[str] = set()

    def names(self, folder: str) -> list[tuple[str, str]]:
        """Name and resolved path of each directory in `folder`, which is a resolved path itself.

        Links are followed. Names that begin with a dot are left out, and links to a directory in
        which `folder` lies. Raises OSError where `folder` cannot be listed.
        """
        entries, self._folders[folder] = _scan(folder)
        found = []
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if entry.name.startswith(".") or not self._resolves(entry, path):
                continue
            if entry.is_symlink():
                path = os.path.realpath(path)
            if not f"{folder}/".startswith(f"{path}/"):
                found.append((entry.name, path))
        return found

    def changed(self) -> bool:
        """Whether any folder has other names now. Raises OSError where one cannot be listed."""
        # What a dangling link leads to may appear without a trace in the link's own folder.
        if any(os.path.exists(path) for path in self._dangling):
            return True
        for folder, known in self._folders.items():
            if known.settled and stamp(folder) == known.stamp:
                continue
            _, listing = _scan(folder)
            if listing.digest != known.digest:
                return True
            self._folders[folder] = listing
        return False

    def _resolves(self, entry: os.DirEntry[str], path: str) -> bool:
        """Whether it is a directory, or a link to one."""
        try:
            if entry.is_dir():
                return True
        except OSError:  # a loop of links
            return False
        if entry.is_symlink() and not os.path.exists(path):
            self._dangling.add(path)
        return False


def _scan(folder: str) -> tuple[list[os.DirEntry[str]], _Listing]:
    now, taken = time.time_ns(), stamp(folder)
    with os.scandir(folder) as scan:
        entries = list(scan)
    return entries, _Listing(taken, not young(taken, now), _digest(entries))


def _digest(entries: Iterable[os.DirEntry[str]]) -> int:
    # Files come and go without meaning anything here.
    return hash(
        frozenset(
            (entry.name, entry.inode())
            for entry in entries
            if not entry.is_file(follow_symlinks=False)
        )
    )
