"""The checkouts of one `REPODIR`, for all threads: when to look at what."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from gitreload.checkouts.identities import Identities
from gitreload.checkouts.index import Index
from gitreload.checkouts.match import Match, Wanted, by_name, matches
from gitreload.model import Checkout
from gitreload.refs import HEADS
from gitreload.settings import Settings


class Checkouts:
    """The checkouts below `repodir`. Any thread may ask, at any time.

    `remotes` has further URLs by directory: what `REPOS.<dir>.REMOTES` says; `tags` the patterns
    of tags that are followed, what `REPOS.<dir>.REF` says. Every method reads
    files and may take as long as the file system does; the first look at 10,000 checkouts takes
    about a second. Every method raises RepodirError where `repodir` cannot be listed.
    """

    def __init__(
        self,
        repodir: Path,
        remotes: Mapping[str, Sequence[str]],
        identities: Identities | None = None,
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._index = Index(repodir, remotes, identities or Identities(), tags)
        self.follow_tags = bool(tags)
        self._lock = threading.Lock()
        # A look makes an index beside the one in use, so that matching waits for none.
        self._looking = threading.Lock()
        self._named: dict[str, list[Checkout]] | None = None

    @classmethod
    def of(cls, settings: Settings) -> Checkouts:
        """Those that the configuration tells of: `REPODIR`, and `REMOTES` and `REF` of `REPOS`."""
        remotes = {name: repo.remotes for name, repo in settings.repos.items() if repo.remotes}
        tags = {name: repo.ref for name, repo in settings.repos.items() if repo.ref is not None}
        return cls(settings.repodir, remotes, tags=tags)

    def match(self, urls: Sequence[str], branch: str) -> Match:
        """What a push of `branch` to the repository with these URLs means here."""
        return self.match_many([(urls, f"{HEADS}{branch}")])[0]

    def match_many(self, queries: Sequence[tuple[Sequence[str], str]]) -> list[Match]:
        """`match` for several pushes: of each its URLs and the full ref.

        Sees whatever changed in the checkouts of these repositories. New clones, and others that
        were given such a remote a moment ago, are seen only after `look`: whoever wants these too
        calls that, and asks again.
        """
        wanted = [Wanted.of(urls, ref) for urls, ref in queries]
        if self._index.moved():
            self.look()
        with self._lock:
            return self._with_near_misses(wanted, self._matches(wanted))

    def check(self) -> None:
        """Whether `repodir` is there, which costs a glance."""
        self._index.check()

    def look(self) -> None:
        """Look at everything: what changed before this call is known after it."""
        with self._looking:
            index = copy(self._index)
            index.look()
            with self._lock:
                self._index = index
                self._named = None

    def all(self) -> tuple[Checkout, ...]:
        """All checkouts as they are now, also those with a problem, by directory."""
        self.look()
        with self._lock:
            return tuple(sorted(self._index.all(), key=lambda checkout: checkout.directory))

    def get(self, directory: str) -> Checkout | None:
        """The checkout with this name or alias, as it is now; None where there is none.

        Takes any string; only names that a look would find lead anywhere.
        """
        with self._lock:
            return self._index.get(directory)

    def _matches(self, wanted: Sequence[Wanted]) -> list[Match]:
        asked = frozenset[str]().union(*(push.identities for push in wanted))
        return matches(wanted, self._index.known_as(asked))

    def _with_near_misses(self, wanted: Sequence[Wanted], found: list[Match]) -> list[Match]:
        if all(match.known for match in found):
            return found
        if self._named is None:
            self._named = by_name(self._index.all())
        named = self._named
        return [
            match if match.known else replace(match, near=push.near(named))
            for push, match in zip(wanted, found, strict=True)
        ]
