"""A walk below `REPODIR`: which names lead to which checkouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gitreload.checkouts import gitdir
from gitreload.checkouts.gitdir import Reading
from gitreload.checkouts.listings import names


class Scan:
    """What one walk found, to depth 2: `dir` and `org/dir`.

    `names` has the names of each checkout by its resolved path, `fresh` the readings of those that
    had to be read. A path for which `known` is true is a checkout that did not change. Raises
    OSError where `root` cannot be listed.
    """

    def __init__(self, root: str, known: Callable[[str], bool]) -> None:
        self.names: dict[str, list[str]] = {}
        self.fresh: dict[str, Reading] = {}
        self._known = known
        for name, path in names(root):
            for found, there in self._checkouts(name, path):
                self.names.setdefault(there, []).append(found)

    def _checkouts(self, name: str, path: str) -> Iterator[tuple[str, str]]:
        """The checkout that a name leads to, or else those just below it."""
        if self._is_checkout(path):  # a clone within a clone belongs to that one
            yield name, path
            return
        try:
            below = names(path)
        except (FileNotFoundError, NotADirectoryError):
            return  # removed since we saw it
        except OSError as error:
            self.fresh[path] = gitdir.unreadable(path, error)
            yield name, path
            return
        for inner, there in below:
            if self._is_checkout(there):
                yield f"{name}/{inner}", there

    def _is_checkout(self, path: str) -> bool:
        if path in self.fresh or self._known(path):
            return True
        reading = gitdir.read(path)
        if reading is not None:
            self.fresh[path] = reading
        return reading is not None
