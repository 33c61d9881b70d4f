"""Which revision or tag is checked out, as lists and deliveries of ours tell it."""

from __future__ import annotations

from gitreload.checkouts.asking import AskingError, ask
from gitreload.git.files import REVISION, BrokenRefError, GitFiles, OnlyGitKnowsError
from gitreload.model import Checkout
from gitreload.refs import newest


def revision(path: str) -> str | None:
    """The commit that `HEAD` of the checkout at `path` leads to; None where there is none."""
    try:
        files = GitFiles.of(path)
        branch = files.named()
        found = None if branch is None else files.revision(branch)
    except (OSError, ValueError, OnlyGitKnowsError, BrokenRefError):
        found = None
    return found or _asked(path)


def tag(checkout: Checkout) -> str | None:
    """The newest of the tags which `checkout` follows that lead to what is checked out."""
    if checkout.tags is None:
        return None
    try:
        answer = ask("git", f"--git-dir={checkout.path}/.git", "tag", "--points-at=HEAD")
    except AskingError:
        return None
    return newest(answer.output.decode("utf-8", "replace").splitlines(), checkout.tags)


def _asked(path: str) -> str | None:
    try:
        answer = ask("git", f"--git-dir={path}/.git", "rev-parse", "--verify", "--quiet", "HEAD")
    except AskingError:
        return None
    found = answer.output.decode("ascii", "replace").strip()
    return found if answer.exit_code == 0 and REVISION.fullmatch(found) else None
