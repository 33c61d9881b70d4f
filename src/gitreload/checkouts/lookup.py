"""The checkouts of one `REPODIR`, for all threads: when to look at what."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gitreload.checkouts.identities import Identities
from gitreload.checkouts.index import Index
from gitreload.checkouts.match import Match, Wanted, by_name, matches
from gitreload.model import Checkout
from gitreload.settings import Settings

# A push may concern a checkout that got its remote a moment ago. To see that, all are looked at
# whenever it costs no more than this share of the time since the last look: every 0.1 s where there
# are a few checkouts, every 20 s where there are ten thousand.
LOOK_SHARE = 0.005
# Clones that git is still making are read again for this share of the time: a few at each push.
REREAD_SHARE = 0.05


class _Paced:
    """Something that may take no more than its share of the time."""

    def __init__(self) -> None:
        self._began = -math.inf
        self._cost = 0.0

    def due(self, now: float, share: float) -> bool:
        return now - self._began > self._cost / share

    @contextmanager
    def going_on(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._began, self._cost = began, time.monotonic() - began


class Checkouts:
    """The checkouts below `repodir`. Any thread may ask, at any time.

    `remotes` has further URLs by directory: what `REPOS.<dir>.REMOTES` says. Every method reads
    files and may take as long as the file system does; the first look at 10,000 checkouts takes
    about a second. Every method raises RepodirError where `repodir` cannot be listed.
    """

    def __init__(
        self,
        repodir: Path,
        remotes: Mapping[str, Sequence[str]],
        identities: Identities | None = None,
    ) -> None:
        self._index = Index(repodir, remotes, identities or Identities())
        self._lock = threading.Lock()
        self._looks = _Paced()
        self._rereads = _Paced()
        self._named: dict[str, list[Checkout]] | None = None

    @classmethod
    def of(cls, settings: Settings) -> Checkouts:
        """Those that the configuration tells of: `REPODIR`, and `REPOS.<dir>.REMOTES`."""
        remotes = {name: repo.remotes for name, repo in settings.repos.items() if repo.remotes}
        return cls(settings.repodir, remotes)

    def match(self, urls: Sequence[str], branch: str) -> Match:
        """What a push of `branch` to the repository with these URLs means here."""
        return self.match_many([(urls, branch)])[0]

    def match_many(self, queries: Sequence[tuple[Sequence[str], str]]) -> list[Match]:
        """`match` for several pushes (URLs and branch), with one glance for all of them.

        A glance sees new names, and whatever changed in the checkouts of these repositories. That
        another one was given their remote a moment ago is seen for sure only after `look`: whoever
        has a push that reaches nothing should call that, and ask again.
        """
        wanted = [Wanted.of(urls, branch) for urls, branch in queries]
        with self._lock:
            self._glance(time.monotonic())
            return self._with_near_misses(wanted, self._matches(wanted))

    def look(self) -> None:
        """Look at everything now, so that later calls have less to do."""
        with self._lock:
            self._look()

    def all(self) -> tuple[Checkout, ...]:
        """All checkouts as they are now, also those with a problem, by directory."""
        with self._lock:
            self._look()
            return tuple(sorted(self._index.all(), key=lambda checkout: checkout.directory))

    def get(self, directory: str) -> Checkout | None:
        """The checkout with this name or alias, as it is now; None where there is none.

        Takes any string; only names that a look would find lead anywhere.
        """
        with self._lock:
            return self._index.get(directory)

    def _glance(self, now: float) -> None:
        """See what a push may touch: new names, clones that git was making; or everything."""
        if self._looks.due(now, LOOK_SHARE) or self._index.changed():
            self._look()
        elif self._rereads.due(now, REREAD_SHARE):
            with self._rereads.going_on():
                self._index.reread_incomplete()

    def _look(self) -> None:
        with self._looks.going_on():
            self._index.look()
        self._named = None

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
