"""How much of its repository a checkout has."""

from __future__ import annotations

from dataclasses import dataclass

from gitreload.settings import Settings


@dataclass(frozen=True, slots=True)
class Extent:
    """The last `depth` commits (None for the whole history), and only the directories `sparse`.

    Without `sparse` it has all files. `submodules` are the hosts that they may come from besides
    the checkout's own; None where they are not wanted. `lfs`: contents instead of the pointers of
    Git LFS.
    """

    depth: int | None = None
    sparse: tuple[str, ...] = ()
    submodules: tuple[str, ...] | None = None
    lfs: bool = False

    @classmethod
    def of(cls, settings: Settings, directory: str) -> Extent:
        """What the configuration has for the checkout `directory`."""
        repo = settings.repo(directory)
        return cls(depth=repo.depth, sparse=repo.sparse, submodules=repo.submodules, lfs=repo.lfs)


WHOLE = Extent()
