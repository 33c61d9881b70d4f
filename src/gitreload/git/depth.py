"""A history that ends after some commits: which options a fetch has, and what it leaves untold."""

from __future__ import annotations

from gitreload.git import fetching
from gitreload.git.commands import Git
from gitreload.git.mending import files_used

# In `.git` of a checkout whose history was cut off here, not by somebody's `git clone --depth`.
_MARK = "gitreload-depth"
# A push that was announced lately is looked for so many commits further back.
_FURTHER = 50


def fetch(git: Git) -> None:
    """Fetch the followed branch, of its history as much as is wanted.

    Once nothing is said of its depth any more, all of it is fetched.
    """
    depth = git.extent.depth
    mark = git.files.common / _MARK
    if depth is not None:
        with files_used(git.place):
            mark.touch()
        fetching.fetch(git, f"--depth={depth}")
    elif not mark.exists():
        fetching.fetch(git)
    else:
        shallow = (git.files.common / "shallow").exists()
        fetching.fetch(git, *(["--unshallow"] if shallow else []))
        mark.unlink(missing_ok=True)


def is_ancestor(git: Git, revision: str, of: str) -> bool:
    """Whether `revision` is in the history of `of`, also before what is fetched of it."""
    if git.is_ancestor(revision, of):
        return True
    depth = git.extent.depth
    if depth is None:
        return False
    git.tell(f"looking for {revision[:12]} among the last {depth + _FURTHER} commits")
    fetching.fetch(git, f"--depth={depth + _FURTHER}")
    return git.is_ancestor(revision, of)
