"""All checkouts below `REPODIR`, kept in memory and checked against their files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from gitreload.checkouts import gitdir
from gitreload.checkouts.gitdir import Reading
from gitreload.checkouts.identities import Identities
from gitreload.checkouts.scan import Scan
from gitreload.checkouts.stamps import Evidence
from gitreload.model import Checkout, TransientError
from gitreload.remotes import canonical, mask
from gitreload.visible import visible

DEEPEST = 2  # `dir` and `org/dir`

_CAUSES: dict[type[OSError], str] = {
    FileNotFoundError: "does not exist; create or mount it, or set REPODIR to where the clones are",
    NotADirectoryError: "is not a directory; set REPODIR to the directory that holds the clones",
    PermissionError: "cannot be read; let the user that runs gitreload read and enter it",
}


class RepodirError(TransientError):
    """`REPODIR` cannot be used now. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A checkout and what its reading rests on."""

    checkout: Checkout
    evidence: Evidence


class Index:
    """Not thread-safe; but a copy may look while it is in use, since a look makes all tables anew.

    `remotes` are further URLs of a checkout, by its directory, `tags` the pattern that it follows.
    """

    def __init__(
        self,
        repodir: Path,
        remotes: Mapping[str, Sequence[str]],
        identities: Identities,
        tags: Mapping[str, str],
    ) -> None:
        self._repodir = str(repodir)
        self._root = ""
        self._remotes = {
            directory: frozenset(filter(None, map(canonical, urls)))
            for directory, urls in remotes.items()
        }
        self._identities = identities
        self._tags = tags
        self._entries: dict[str, _Entry] = {}
        self._paths: dict[str, tuple[str, ...]] = {}

    def look(self) -> None:
        """Look at every name and every checkout; what did not change is not read again.

        Raises RepodirError.
        """
        root = os.path.realpath(self._repodir)
        try:
            scan = Scan(root, self._unchanged)
        except OSError as error:
            raise self._unusable(error) from error
        before = {} if self._identities.refresh() else self._entries
        self._root, self._entries, self._paths = root, {}, {}
        for path, names in scan.names.items():
            directory, *aliases = sorted(names, key=lambda name: _rank(f"{root}/{name}", path))
            entry = before.get(path)
            if path in scan.fresh or entry is None or _names(entry) != (directory, *aliases):
                reading = scan.fresh.get(path) or gitdir.read(path)
                entry = self._entry(path, directory, tuple(aliases), reading) if reading else None
            if entry is not None:
                self._keep(entry)

    def moved(self) -> bool:
        """Whether `REPODIR` is a link that leads elsewhere than at the last look."""
        return os.path.realpath(self._repodir) != self._root

    def check(self) -> str:
        """The directory that `REPODIR` leads to, which is there; raises RepodirError."""
        root = os.path.realpath(self._repodir)
        try:
            os.stat(f"{root}/.")
        except OSError as error:
            raise self._unusable(error) from error
        return root

    def known_as(self, identities: AbstractSet[str]) -> list[Checkout]:
        """The checkouts that have any of these identities, as their files say now."""
        paths = {path for identity in identities for path in self._paths.get(identity, ())}
        current = [self._current(path) for path in sorted(paths)]
        return [
            checkout
            for checkout in current
            if checkout is not None and not identities.isdisjoint(checkout.identities)
        ]

    def all(self) -> Iterable[Checkout]:
        """All checkouts as the last look saw them."""
        return (entry.checkout for entry in self._entries.values())

    def get(self, name: str) -> Checkout | None:
        """The checkout that has this name, as its files say now; None where there is none.

        Takes any string. Raises RepodirError.
        """
        root = self.check()
        if not _may_name(root, name):
            return None
        try:
            path = os.path.realpath(f"{root}/{name}", strict=True)
        except OSError:
            return None
        known = self._current(path)
        if known is not None:
            return known
        reading = gitdir.read(path)
        if reading is None:
            return None
        own = path.removeprefix(f"{root}/")
        return self._entry(path, own if _may_name(root, own) else name, (), reading).checkout

    def _unchanged(self, path: str) -> bool:
        known = self._entries.get(path)
        return known is not None and known.evidence.holds(path)

    def _current(self, path: str) -> Checkout | None:
        """The known checkout at `path` as its files say now; None where it is no more."""
        known = self._entries.get(path)
        if known is None:
            return None
        checkout = known.checkout
        place = f"{self._root}/{checkout.directory}"
        if place != path and os.path.realpath(place) != path:
            return None  # its link leads elsewhere by now, which the next look follows
        if known.evidence.holds(path):
            return checkout
        reading = gitdir.read(path)
        if reading is None:
            del self._entries[path]
            return None
        entry = self._entry(path, checkout.directory, checkout.aliases, reading)
        self._keep(entry)
        return entry.checkout

    def _keep(self, entry: _Entry) -> None:
        path = entry.checkout.path
        self._entries[path] = entry
        for identity in entry.checkout.identities:
            paths = self._paths.get(identity, ())
            if path not in paths:
                self._paths[identity] = (*paths, path)

    def _entry(
        self, path: str, directory: str, aliases: tuple[str, ...], reading: Reading
    ) -> _Entry:
        identities = frozenset[str]()
        url = None
        if reading.origin is not None:
            identities = self._identities.of(reading.origin, path, reading.rules)
            url = mask(self._identities.url(reading.origin, reading.rules))
        for name in (directory, *aliases):
            identities |= self._remotes.get(name, frozenset())
        problem = reading.problem
        if problem is None and not _encodable(path, directory, reading.origin, reading.follows):
            problem = "has a path, a remote or a branch that is not UTF-8: rename it"
        checkout = Checkout(
            directory=directory,
            path=path,
            origin=reading.origin,
            identities=identities,
            branch=reading.branch,
            follows=reading.follows,
            aliases=aliases,
            problem=problem and f"{visible(directory)} {problem}",
            url=url,
            tags=self._tags.get(directory),
        )
        return _Entry(checkout, reading.evidence)

    def _unusable(self, error: OSError) -> RepodirError:
        cause = _CAUSES.get(type(error), f"cannot be read: {error.strerror}")
        return RepodirError(f"REPODIR {visible(self._repodir)} {cause}")


def _may_name(root: str, name: str) -> bool:
    """Whether a look at `root` would come across this name."""
    parts = name.split("/")
    if any(not part or part.startswith(".") or "\0" in part for part in parts):
        return False
    top = f"{root}/{parts[0]}/.git"
    return len(parts) == 1 or (len(parts) == DEEPEST and not os.path.lexists(top))


def _rank(place: str, path: str) -> tuple[bool, int, str]:
    """Of several names a directory's own goes first, then the shortest way to it."""
    return place != path, place.count("/"), place


def _names(entry: _Entry) -> tuple[str, ...]:
    return entry.checkout.directory, *entry.checkout.aliases


def _encodable(*texts: str | None) -> bool:
    """Whether these can be written anywhere as UTF-8; names of files need not be."""
    try:
        "".join(filter(None, texts)).encode()
    except UnicodeEncodeError:
        return False
    return True
