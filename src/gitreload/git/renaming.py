"""A remote that gave its default branch another name, and a checkout that follows the old one."""

from __future__ import annotations

import re

from gitreload.git.commands import Git
from gitreload.git.fetching import fetch
from gitreload.git.running import text
from gitreload.refs import NAME
from gitreload.visible import visible

_HEAD = "refs/remotes/origin/HEAD"
# https://git-scm.com/docs/git-ls-remote#Documentation/git-ls-remote.txt---symref
_DEFAULT = re.compile(r"^ref: refs/heads/(\S+)\tHEAD$", re.MULTILINE)


def follow_renamed(git: Git) -> Git | None:
    """Follow the new name of the default branch; None where it is not sure that it is that.

    The followed branch is gone at the remote. It was renamed where it was the default when this was
    cloned, and the default now is a branch that was not there beside it and has all its history.
    Where nothing was checked out yet (an empty repository was cloned), the default is followed
    whatever its name.
    """
    old = git.checkout.follows
    name = _default(git)
    if name is None or name == old:
        return None
    renamed = git.following(name)
    if git.revision(git.local) is not None and not _is_renamed(git, renamed):
        return None
    _set_upstream(renamed, name, instead_of=git.tracking)
    renamed.notes.append(
        f"the remote has no branch {visible(old or '')}; its default branch is {visible(name)} "
        "now, which is followed from here on"
    )
    return renamed


def _default(git: Git) -> str | None:
    """The name of the remote's default branch; None where it has none, or does not tell."""
    done = git.run("ls-remote", "--symref", "origin", "HEAD", quiet=True, remote=True)
    found = _DEFAULT.search(text(done)) if done.ok else None
    return found[1] if found and NAME.fullmatch(found[1]) else None


def _is_renamed(git: Git, renamed: Git) -> bool:
    known = git.revision(git.tracking)
    default = git.run("symbolic-ref", "--quiet", _HEAD, quiet=True)
    if known is None or text(default).strip() != git.tracking or renamed.revision(renamed.tracking):
        return False
    fetch(renamed)
    tip = renamed.revision(renamed.tracking)
    return tip is not None and renamed.is_ancestor(known, tip)


def _set_upstream(git: Git, branch: str, *, instead_of: str) -> None:
    name = git.local.removeprefix("refs/heads/")
    for arguments in (
        ("config", f"branch.{name}.remote", "origin"),
        ("config", f"branch.{name}.merge", f"refs/heads/{branch}"),
        ("symbolic-ref", _HEAD, git.tracking),
        ("update-ref", "-d", instead_of),
    ):
        git.check(git.run(*arguments))
