"""Submodules fetched at their recorded commits, down to the innermost, from allowed hosts alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from gitreload.git import lfs
from gitreload.git.commands import Git
from gitreload.git.fetching import fetch_of
from gitreload.git.gitmodules import Hosts, Submodule, host
from gitreload.git.inner import git_of, init, made_anew, read
from gitreload.git.running import text
from gitreload.model import PermanentError
from gitreload.remotes import mask, protocol
from gitreload.visible import visible

_DEEPEST = 10
# https://git-scm.com/docs/git-config#Documentation/git-config.txt-uploadpackallowReachableSHA1InWant
_ONLY_BRANCHES = re.compile(r"not our ref|unadvertised object|no such remote ref", re.IGNORECASE)
_ALL = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")


@dataclass(frozen=True, slots=True)
class Part:
    """A submodule that is fetched, and those within it. `git` works in `.git/modules`."""

    module: Submodule
    git: Git
    parts: tuple[Part, ...]

    def at(self, top: Path) -> Git:
        """The git commands for its files, in the directory of the outer repository `top`."""
        return self.git.within(
            self.git.files.own,
            top / self.module.path,
            directory=self.git.place.directory,
            url=self.module.url,
            commit=self.module.commit,
        )


def fetch(git: Git, revision: str) -> tuple[Part, ...]:
    """Bring all here that the submodules of `revision` need; no file changes.

    Nothing where the configuration does not want them. Raises `PermanentError` where one of them
    comes from elsewhere than allowed, or its commit is gone, and what a fetch raises.
    """
    others = git.extent.submodules
    return () if others is None else tuple(_Fetcher.of(git, others).fetch(git, revision))


@dataclass(frozen=True, slots=True)
class _Fetcher:
    """Fetches the submodules of the checkout `top` from `hosts`."""

    top: Git
    hosts: Hosts

    @classmethod
    def of(cls, top: Git, others: Sequence[str]) -> Self:
        origin = top.resolved()
        home = host(origin)
        if home is None:
            raise PermanentError(
                f"the submodules of {visible(top.place.directory)} cannot be fetched, as the host "
                f"of its origin, {mask(visible(origin))}, is not clear: correct it"
            )
        return cls(top, Hosts(home, protocol(origin), others))

    def fetch(self, outer: Git, revision: str, level: int = 0) -> Iterator[Part]:
        """Fetch what `revision` of `outer` says; all hosts are looked at first."""
        modules = read(outer, revision)
        if modules and level == _DEEPEST:
            raise PermanentError(
                f"{visible(outer.place.directory)} has submodules within submodules deeper than "
                f"{_DEEPEST}, which are not fetched"
            )
        found = [(module, self._opened(outer, module)) for module in modules]
        for module, git in found:
            with made_anew(git):
                _fetch_commit(git, module)
                lfs.fetch(git, module.commit)
                inner = tuple(self.fetch(git, module.commit, level + 1))
            yield Part(module, git, inner)

    def _opened(self, outer: Git, module: Submodule) -> Git:
        """The repository of a submodule, made where it is missing, once its URL was looked at."""
        git = git_of(outer, module)
        if not (git.files.own / "HEAD").is_file():
            init(git, "sha256" if len(module.commit) == 64 else "sha1")
        # What an earlier revision said, or somebody's `git submodule`, counts no more.
        git.check(git.run("config", "remote.origin.url", module.url))
        url = git.resolved()
        self.hosts.check(visible(git.place.directory), url)
        origin = self.top.resolved()
        same = (host(url), protocol(url)) == (self.hosts.home, protocol(origin))
        # What lets us in at the origin is shown to no other host.
        access = self.top.access
        mine = access if same else replace(access, ssh_key=None, token=None, token_place=None)
        return git_of(outer, module, resolved=url, access=mine)


def _fetch_commit(git: Git, module: Submodule) -> None:
    if git.has(module.commit):
        return
    git.tell(f"fetching {visible(git.place.directory)} from {mask(visible(module.url))}")
    depth = git.extent.depth
    options = () if depth is None else (f"--depth={depth}",)
    done = fetch_of(git, module.commit, options=options)
    if not done.ok and _ONLY_BRANCHES.search(text(done)):
        done = fetch_of(git, *_ALL, options=options)
    git.check(done)
    if not git.has(module.commit):
        raise PermanentError(
            f"the submodule {visible(git.place.directory)} is recorded at {module.commit}, which "
            f"{mask(visible(module.url))} does not have: it was never pushed there, or is gone "
            "since. Push it, or record another commit (git add SUBMODULE, commit, push)"
        )
