"""What differs between a checkout and what it should be, so that nobody's work vanishes untold.

Pure: what git says in, names out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gitreload.visible import visible

Clean = Literal["none", "untracked", "ignored"]
"""What an update removes, besides the changes of tracked files."""

# How many names a line of the log has.
_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Changes:
    """The names of tracked files that differ, of what is not tracked, and of what is ignored.

    A directory of which nothing is tracked is one name, and ends in a slash.
    """

    tracked: tuple[str, ...]
    untracked: tuple[str, ...]
    ignored: tuple[str, ...]

    @classmethod
    def of(cls, status: str) -> Changes:
        """Read `git status --porcelain -z --no-renames`: https://git-scm.com/docs/git-status."""
        entries = [(entry[:2], entry[3:]) for entry in status.split("\0") if entry]
        return cls(
            tracked=tuple(name for state, name in entries if state not in ("??", "!!")),
            untracked=tuple(name for state, name in entries if state == "??"),
            ignored=tuple(name for state, name in entries if state == "!!"),
        )

    def matter(self, policy: Clean) -> bool:
        """Whether an update has something to reset, or to remove by `policy`."""
        removed = {
            "none": (),
            "untracked": self.untracked,
            "ignored": self.untracked + self.ignored,
        }
        return bool(self.tracked or removed[policy])

    def in_the_way(self, coming: Sequence[str], exists: Callable[[str], bool]) -> list[str]:
        """Of the tracked files that are `coming`, those whose place something else has taken."""
        files = [name for name in self.untracked + self.ignored if not name.endswith("/")]
        return [
            name
            for name in coming
            if exists(name) or any(name.startswith(f"{file}/") for file in files)
        ]


def listed(names: Sequence[str]) -> str:
    """The first few of `names`, and how many more there are."""
    shown = ", ".join(visible(name) for name in names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown
