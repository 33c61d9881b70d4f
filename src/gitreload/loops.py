"""Pushes that an import must not bring back to where they came from: those of Studio's exporter.

Who exports from Studio and imports into it would have each publication bounce, and undo what
authors changed meanwhile. The exporter makes one commit, "Export course from Studio at <time>":
https://github.com/openedx/openedx-platform/blob/master/cms/djangoapps/contentstore/git_export_utils.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gitreload.ledger import LinkedDelivery
from gitreload.settings import Settings
from gitreload.visible import shown

Subjects = Callable[[str, str | None], list[str] | None]
"""The first lines of the commits that a revision has and another has not; see `git.subjects`."""


@dataclass(frozen=True, slots=True)
class Loops:
    """Whose pushes, and which commits, are not imported into one checkout's platform."""

    directory: str
    pushers: tuple[str, ...]
    commits: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings, directory: str) -> Loops | None:
        """What is set for a directory below REPODIR, and for all; None where nothing is."""
        repo = settings.repo(directory)
        pushers = settings.ignore_pushers + repo.ignore_pushers
        commits = settings.ignore_commits + repo.ignore_commits
        return cls(directory, pushers, commits) if pushers or commits else None

    def why(
        self,
        tip: str,
        settled: str | None,
        pushes: Sequence[LinkedDelivery],
        subjects: Subjects,
    ) -> str | None:
        """Why `tip` is not to be imported; None where it is.

        All that is new since `settled`, the revision of the last import that came to its end or was
        left out, has to be of those whom we ignore. Before the first import the last push, or the
        tip's commit, decides alone.
        """
        if tip == settled:
            return self._told(f"nothing was pushed since {tip[:12]}, which was left out")
        if pusher := self._pusher(tip, settled, pushes):
            return self._told(f"pushed by {shown(pusher)}, whom IGNORE_PUSHERS names")
        found = subjects(tip, settled) if self.commits else None
        if found and all(_fits(subject, self.commits) for subject in found):
            new = "the newest commit is" if len(found) == 1 else f"the {len(found)} new commits are"
            return self._told(f"{new} of those that IGNORE_COMMITS names")
        return None

    def _told(self, why: str) -> str:
        return f"{why}: not imported (`gitreload sync --force {self.directory}` imports it)"

    def _pusher(
        self, tip: str, settled: str | None, pushes: Sequence[LinkedDelivery]
    ) -> str | None:
        """Who pushed it, if pushes of those whom we ignore lead from `settled` to `tip`."""
        ignored = {
            push.after: push
            for push in pushes
            if push.pusher and _fits(push.pusher.casefold(), map(str.casefold, self.pushers))
        }
        newest = ignored.get(tip)
        if newest is None:
            return None
        at: str | None = tip
        while at != settled and at in ignored:
            at = ignored.pop(at).before
        return newest.pusher if settled in (at, None) else None


def _fits(text: str, globs: Sequence[str] | map[str]) -> bool:
    # As it is written, too: GitHub calls programs "studio[bot]", which as a glob is something else.
    return any(text == glob or fnmatchcase(text, glob) for glob in globs)
