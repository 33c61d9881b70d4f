"""Submodules at their recorded commits, down to the innermost: fetched first, then checked out.

`git submodule` is not used: it would hand one key to all hosts, and believe more of `.gitmodules`.
But the files are where it expects them: the repository of the submodule NAME in `.git/modules`
(a slash in the name as %2F), and a file `.git` that leads there in its directory. What was checked
out here is noted beside, so that it can be taken away again.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self
from urllib.parse import quote

from gitreload.git import lfs
from gitreload.git.access import NO_ACCESS, Access
from gitreload.git.changes import Clean, listed
from gitreload.git.cleaning import clean
from gitreload.git.commands import Git
from gitreload.git.errors import DamagedError
from gitreload.git.fetching import fetch_of
from gitreload.git.gitmodules import Hosts, Submodule, check, declared, gitlinks, host
from gitreload.git.mending import files_used
from gitreload.git.running import text
from gitreload.git.sparse import leaves
from gitreload.model import PermanentError, TransientError
from gitreload.remotes import mask, protocol
from gitreload.visible import visible

# In `.git`: the paths of the submodules that were checked out here, and their names.
_NOTED = "gitreload-submodules"
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
            with _made_anew(git):
                _fetch_commit(git, module)
                lfs.fetch(git, module.commit)
                inner = tuple(self.fetch(git, module.commit, level + 1))
            yield Part(module, git, inner)

    def _opened(self, outer: Git, module: Submodule) -> Git:
        """The repository of a submodule, made where it is missing, once its URL was looked at."""
        folder = _folder(outer, module)
        git = _git(outer, module, folder, folder)
        if not (folder / "HEAD").is_file():
            _init(git, "sha256" if len(module.commit) == 64 else "sha1")
        # What an earlier revision said, or somebody's `git submodule`, counts no more.
        git.check(git.run("config", "remote.origin.url", module.url))
        url = git.resolved()
        self.hosts.check(visible(git.place.directory), url)
        origin = self.top.resolved()
        same = (host(url), protocol(url)) == (self.hosts.home, protocol(origin))
        # What lets us in at the origin is shown to no other host.
        access = self.top.access
        mine = access if same else replace(access, ssh_key=None, token=None, token_place=None)
        return _git(outer, module, folder, folder, resolved=url, access=mine)


def fetch(git: Git, revision: str) -> tuple[Part, ...]:
    """Bring all here that the submodules of `revision` need; no file changes.

    Nothing where the configuration does not want them. Raises `PermanentError` where one of them
    comes from elsewhere than allowed, or its commit is gone, and what a fetch raises.
    """
    others = git.extent.submodules
    return () if others is None else tuple(_Fetcher.of(git, others).fetch(git, revision))


def remove_others(git: Git, parts: Sequence[Part]) -> None:
    """Remove the submodules that were checked out here and are none, or elsewhere, any more.

    That comes before the reset, which would leave their files lying about.
    """
    noted = _noted(git)
    wanted = {part.module.path: part.module.name for part in parts}
    for path, name in noted.items():
        if wanted.get(path) == name:
            continue
        if _is_within(git, path):
            git.remove_directory(path)
            if git.extent.submodules is None:  # it may be one still, of which nothing is wanted
                Path(git.checkout.path, path).mkdir()
            git.notes.append(f"removed the submodule {visible(path)}, which is not wanted any more")
        if name not in wanted.values():
            with files_used(git.place):
                shutil.rmtree(_folder_of(git, name), ignore_errors=True)
    if noted:
        _note(git, {path: name for path, name in noted.items() if wanted.get(path) == name})


def check_out(git: Git, parts: Sequence[Part], policy: Clean) -> None:
    """Make the files of the submodules those of their commits, and clean them by `policy`."""
    if not parts:
        return
    _note(git, _noted(git) | {part.module.path: part.module.name for part in parts})
    for part in parts:
        top = Path(git.checkout.path)
        with files_used(git.place):
            _attach(top, part.module.path, part.git.files.own, git.notes)
        inner = part.at(top)
        with _made_anew(inner):
            _check_out_one(inner, part, policy)
        check_out(inner, part.parts, policy)


def changed(git: Git, policy: Clean) -> bool:
    """Whether an update would take something away in the submodules that are checked out."""
    for path, name in _noted(git).items():
        folder = _folder_of(git, name)
        if folder.is_dir() and _is_within(git, path):
            place = Path(git.checkout.path, path)
            inner = _git(git, Submodule(name, path, git.place.url, "HEAD"), folder, place)
            if inner.changes(policy).matter(policy) or changed(inner, policy):
                return True
    return False


def write(git: Git, revision: str, folder: Path) -> None:
    """Write the files of the submodules that are checked out for `revision` into `folder`."""
    noted = _noted(git)
    for module in read(git, revision) if noted else ():
        if noted.get(module.path) == module.name:
            inner = _git(git, module, _folder(git, module), Path(git.checkout.path, module.path))
            index = inner.files.own / "gitreload-index"
            with files_used(git.place):
                index.unlink(missing_ok=True)
                place = _directory(folder, module.path)
            with _made_anew(inner):
                inner.write(module.commit, place, index)
            index.unlink()
            write(inner, module.commit, place)


def read(git: Git, revision: str) -> list[Submodule]:
    """The submodules of a revision; raises `PermanentError` where one is no honest one."""
    listed_files = git.run("ls-tree", "-z", revision, "--", ".gitmodules", quiet=True)
    git.check(listed_files)
    if not text(listed_files):
        return []
    options = ("--blob", f"{revision}:.gitmodules", "--list", "-z")
    done = git.run("config", *options, quiet=True)
    git.check(done)
    url = git.place.url
    modules = [Submodule(*each, commit="") for each in declared(text(done), url)]
    check(visible(git.place.directory), modules)
    if not modules:
        return []
    paths = [module.path for module in modules]
    links = git.run("ls-tree", "-z", revision, "--", *paths, quiet=True)
    git.check(links)
    commits = gitlinks(text(links))
    return [
        replace(module, commit=commits[module.path])
        for module in modules
        if module.path in commits and not leaves(git.extent.sparse, module.path)
    ]


def _init(git: Git, kind: str) -> None:
    folder = git.files.own
    with files_used(git.place):
        folder.mkdir(parents=True, exist_ok=True)
        git.check(git.run("init", "--quiet", "--template=", f"--object-format={kind}"))
        # Its files are where a `.git` leads here, wherever that is moved to.
        file = folder / "config"
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(line for line in lines if not line.startswith("\tworktree = ")))


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


def _check_out_one(git: Git, part: Part, policy: Clean) -> None:
    label = visible(part.module.path)
    remove_others(git, part.parts)
    changes = git.changes(policy)
    if git.has_index() and changes.tracked and git.revision("HEAD") is not None:
        git.notes.append(f"dropped local changes in {label}: {listed(changes.tracked)}")
    there = git.revision("HEAD") == part.module.commit
    if not there or lfs.switches(git) or changes.matter(policy):
        lfs.switch(git)
        git.check_out(part.module.commit)
        clean(git, policy)


@contextmanager
def _made_anew(git: Git) -> Iterator[None]:
    """What is damaged of a submodule can be had again, as a whole."""
    try:
        yield
    except DamagedError as damaged:
        with files_used(git.place):
            shutil.rmtree(git.files.own)
        raise TransientError(
            f"the objects of the submodule {visible(git.place.directory)} were damaged and are "
            "removed; the next try fetches it anew"
        ) from damaged


def _git(
    outer: Git,
    module: Submodule,
    git_dir: Path,
    folder: Path,
    *,
    resolved: str | None = None,
    access: Access = NO_ACCESS,
) -> Git:
    return outer.within(
        git_dir,
        folder,
        directory=f"{outer.place.directory}/{module.path}",
        url=module.url,
        commit=module.commit,
        resolved=resolved,
        access=access,
    )


def _folder(git: Git, module: Submodule) -> Path:
    return _folder_of(git, module.name)


def _folder_of(git: Git, name: str) -> Path:
    # Never one within another, whatever the names are.
    return git.files.own / "modules" / quote(name, safe="")


def _noted(git: Git) -> dict[str, str]:
    with files_used(git.place):
        file = git.files.own / _NOTED
        return dict(json.loads(file.read_text())) if file.is_file() else {}


def _note(git: Git, noted: dict[str, str]) -> None:
    with files_used(git.place):
        file = git.files.own / _NOTED
        new = file.with_name(f"{_NOTED}.new")
        new.write_text(json.dumps(noted))
        new.replace(file)
        if not noted:
            file.unlink()


def _is_within(git: Git, path: str) -> bool:
    """Whether a submodule is checked out at `path`, and no link leads there."""
    place = Path(git.checkout.path)
    for part in path.split("/"):
        place /= part
        if place.is_symlink() or not place.is_dir():
            return False
    return (place / ".git").is_file()


def _directory(top: Path, path: str) -> Path:
    """Make `path` a directory below `top`; links and files in its way are removed."""
    place = top
    for part in path.split("/"):
        place /= part
        if place.is_symlink() or place.is_file():
            place.unlink()
        place.mkdir(exist_ok=True)
    return place


def _attach(top: Path, path: str, git_dir: Path, notes: list[str]) -> None:
    """Make the directory of a submodule one, with a `.git` that leads to its repository."""
    place = _directory(top, path)
    link = place / ".git"
    wanted = f"gitdir: {os.path.relpath(git_dir, place)}\n"
    if link.is_dir() and not link.is_symlink():
        shutil.rmtree(link)
        notes.append(f"replaced the clone in {visible(path)} by that of the submodule")
    elif link.is_symlink() or (link.exists() and link.read_text(errors="replace") != wanted):
        link.unlink()
    if not link.exists():
        link.write_text(wanted)
