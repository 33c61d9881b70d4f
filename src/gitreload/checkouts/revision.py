"""Which revision is checked out, as lists and deliveries of ours tell it."""

from __future__ import annotations

from gitreload.checkouts.asking import AskingError, ask
from gitreload.git.files import REVISION, BrokenRefError, GitFiles, OnlyGitKnowsError


def revision(path: str) -> str | None:
    """The commit that `HEAD` of the checkout at `path` leads to; None where there is none."""
    try:
        files = GitFiles.of(path)
        branch = None if files.detached() else files.head()
        found = None if branch is None else files.revision(branch)
    except (OSError, ValueError, OnlyGitKnowsError, BrokenRefError):
        found = None
    return found or _asked(path)


def _asked(path: str) -> str | None:
    try:
        answer = ask("git", f"--git-dir={path}/.git", "rev-parse", "--verify", "--quiet", "HEAD")
    except AskingError:
        return None
    found = answer.output.decode("ascii", "replace").strip()
    return found if answer.exit_code == 0 and REVISION.fullmatch(found) else None
