"""One checkout, read from the files below its `.git`; git is asked where only git knows."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from gitreload.checkouts.asking import AskingError, Listed, ask, listed
from gitreload.checkouts.gitconfig import Config, NotUnderstoodError, parse
from gitreload.checkouts.stamps import NOTHING, Evidence, Trail

HEADS = "refs/heads/"
# What HEAD holds where the refs are kept in another way:
# https://git-scm.com/docs/reftable#_refsheads
ELSEWHERE = "refs/heads/.invalid"

# What nearly every reading rests on; one tuple for all of them.
USUAL = (".git/HEAD", ".git/config")

_REVISION = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\s*")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a checkout's own files say, before anybody else's configuration.

    `branch` is what `HEAD` names, or what is being rebased; `follows` is the branch of the remote
    that it tracks, `rules` the checkout's own insteadOf rules. `problem` is a sentence without its
    subject. `evidence` is NOTHING while this may be a clone that git is still making.
    """

    branch: str | None = None
    follows: str | None = None
    origin: str | None = None
    rules: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None
    evidence: Evidence = NOTHING


@dataclass(frozen=True, slots=True)
class _Place:
    """Where `HEAD` is, and where the configuration: not the same in a linked worktree."""

    own: str
    common: str


def read(path: str) -> Reading | None:
    """The checkout at `path`, a resolved path; None where there is none, or a bare repository."""
    try:
        place, trail = _place(path)
        return None if place is None else _read(path, place, trail)
    except AskingError as error:
        return Reading(
            problem=f"is nothing git can work with, {error}: mend that, or clone it again"
        )
    except FileNotFoundError as error:
        missing = os.path.relpath(error.filename or path, path)
        return Reading(
            problem=f"is not a complete clone, {missing!r} is missing: wait if `git clone` is "
            "still running, else clone it again",
        )
    except OSError as error:
        return unreadable(path, error)


def unreadable(path: str, error: OSError) -> Reading:
    """A directory that may be a checkout, but cannot be read."""
    what = os.path.relpath(error.filename or path, path)
    return Reading(
        problem=f"cannot be read, {what!r}: {error.strerror}; mend it, or let the user that runs "
        "gitreload read it"
    )


def _place(path: str) -> tuple[_Place | None, Trail]:
    trail = Trail(path)
    try:
        mode = os.stat(f"{path}/.git").st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None, trail
    if stat.S_ISDIR(mode):
        return _Place(".git", ".git"), trail
    # https://git-scm.com/docs/gitrepository-layout: worktrees and submodules have such a file.
    kind, _, target = _line(trail.read(".git")).partition("gitdir: ")
    if kind or not target:
        return _Place(".git", ".git"), trail  # git will say what is wrong with it
    own = os.path.join(path, target)
    try:
        common = os.path.join(own, _line(trail.read(f"{own}/commondir")))
    except FileNotFoundError:
        common = own
    return _Place(own, common), trail


def _read(path: str, place: _Place, trail: Trail) -> Reading | None:
    try:
        branch, config = _from_files(path, place, trail)
    except (NotUnderstoodError, NotADirectoryError):
        branch, config = _from_git(path, place, trail)
    if branch is None:
        branch = _worked_on(place, trail)
    linked = place.own != place.common
    if config.on("core.bare") and not linked:
        return None
    origin = config.first("remote.origin.url") or None
    # git writes the index last, when HEAD and the configuration are what they will be. A clone of
    # an empty repository, or one without a checkout, has none either, and is simply read anew.
    has_index = os.path.exists(os.path.join(path, place.own, "index"))
    complete = has_index and origin is not None
    return Reading(
        branch=branch,
        follows=None if branch is None else _follows(branch, config),
        origin=origin,
        rules=config.rules(),
        problem=_problem(path, branch, config, None if linked else place),
        evidence=trail.evidence(USUAL) if complete else NOTHING,
    )


def _from_files(path: str, place: _Place, trail: Trail) -> tuple[str | None, Config]:
    """Branch and configuration, as long as nothing else has a say in them."""
    branch = _branch(_text(trail.read(f"{place.own}/HEAD")))
    config = Config(parse(trail.read(f"{place.common}/config")))
    # HEAD used to be a link to the branch's file, and git still takes that.
    if config.rests_on_more or (
        branch is None and os.path.islink(os.path.join(path, place.own, "HEAD"))
    ):
        raise NotUnderstoodError
    return branch, config


def _branch(head: str) -> str | None:
    """The branch that the text of a `HEAD` file names; None where it is detached."""
    if head.startswith("ref:"):
        ref = head.removeprefix("ref:").strip(" \t\r\n")
        if ref.startswith(HEADS) and ref != ELSEWHERE and "\n" not in ref:
            return sys.intern(ref.removeprefix(HEADS))
    elif _REVISION.fullmatch(head):
        return None
    raise NotUnderstoodError


def _worked_on(place: _Place, trail: Trail) -> str | None:
    """The branch of a rebase or bisect that was begun and not ended: HEAD is detached until it is.

    `git rebase` notes it, for its two ways of working, in the first two files, and what else it
    writes there ("detached HEAD") is no ref; `git bisect` writes a short name or a revision.
    """
    for name in ("rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START"):
        file = f"{place.own}/{name}"
        trail.note(file)
        try:
            ref = _line(trail.read(file))
        except (FileNotFoundError, NotADirectoryError):
            continue
        if ref.startswith(HEADS):
            return sys.intern(ref.removeprefix(HEADS))
        if name == "BISECT_START" and ref and not _REVISION.fullmatch(ref):
            return sys.intern(ref)
    return None


def _follows(branch: str, config: Config) -> str:
    merge = config.first(f"branch.{branch}.merge")
    if merge is None:
        return branch
    if merge.startswith(HEADS):
        return sys.intern(merge.removeprefix(HEADS))
    # git takes a short name as well; a tag or another ref is nothing to follow.
    return branch if merge.startswith("refs/") or not merge else merge


def _problem(path: str, branch: str | None, config: Config, place: _Place | None) -> str | None:
    """What keeps it from being followed. `place` is None for a linked worktree."""
    if not config.first("remote.origin.url"):
        return "has no remote named origin: run `git remote add origin URL` in it"
    if branch is None:
        return "has a detached HEAD and so follows no branch: run `git switch BRANCH` in it"
    tree = config.last("core.worktree")
    if tree and place and os.path.realpath(os.path.join(path, place.own, tree)) != path:
        return (
            f"keeps its files elsewhere, core.worktree is {tree!r}: "
            "run `git config --unset core.worktree` in it"
        )
    return None


def _from_git(path: str, place: _Place, trail: Trail) -> tuple[str | None, Config]:
    """Branch and configuration as git tells them."""
    # Named outright, since git would otherwise look for a repository further up.
    git = ("git", f"--git-dir={path}/.git")
    head = ask(*git, "symbolic-ref", "--quiet", "HEAD")
    if head.exit_code not in (0, 1):
        raise AskingError(head.complaint)
    answer = ask(*git, "config", "--list", "-z", "--show-scope", "--show-origin")
    if answer.exit_code != 0:
        raise AskingError(answer.complaint)
    own = [line for line in listed(answer.output) if line.own]
    for file in (f"{place.own}/config.worktree", f"{place.own}/reftable/tables.list"):
        trail.note(file)
    for line in own:
        for file in _files(line):
            trail.note(file)
    ref = _line(head.output)
    branch = ref.removeprefix(HEADS) if ref.startswith(HEADS) else None
    return branch, Config((line.key, line.value) for line in own)


def _files(line: Listed) -> list[str]:
    """The file that a setting is from, and the one that it includes, which need not exist yet."""
    if line.file is None:
        return []
    includes = line.key == "include.path" or line.key.startswith("includeif.")
    if not includes or line.value is None:
        return [line.file]
    folder, name = os.path.dirname(line.file), os.path.expanduser(line.value)
    return [line.file, os.path.join(folder, name)]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _line(data: bytes) -> str:
    return _text(data).rstrip("\r\n")
