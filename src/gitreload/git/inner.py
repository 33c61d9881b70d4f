"""A repository within a checkout: what a revision says of its submodules, and git for each.

The repository of the submodule NAME is in `.git/modules`, a slash in the name as %2F.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gitreload.git.access import NO_ACCESS, Access
from gitreload.git.commands import Git
from gitreload.git.errors import DamagedError
from gitreload.git.gitmodules import Submodule, check, declared, folder_name, gitlinks
from gitreload.git.mending import files_used
from gitreload.git.running import text
from gitreload.git.sparse import leaves
from gitreload.model import TransientError
from gitreload.visible import visible


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


def repository(outer: Git, name: str) -> Path:
    """Where the repository of the submodule `name` is, or is to be."""
    # Never one within another, whatever the names are.
    return outer.files.own / "modules" / folder_name(name)


def git_of(
    outer: Git,
    module: Submodule,
    *,
    folder: Path | None = None,
    resolved: str | None = None,
    access: Access = NO_ACCESS,
) -> Git:
    """The git commands for a submodule whose files are in `folder`; without that it has none.

    It may be fetched as `Git.within` says.
    """
    git_dir = repository(outer, module.name)
    return outer.within(
        git_dir,
        folder or git_dir,
        directory=f"{outer.place.directory}/{module.path}",
        url=module.url,
        commit=module.commit,
        resolved=resolved,
        access=access,
    )


def init(git: Git, kind: str) -> None:
    """Make the repository of a submodule, whose objects are named by the hash `kind`."""
    folder = git.files.own
    with files_used(git.place):
        folder.mkdir(parents=True, exist_ok=True)
        git.check(git.run("init", "--quiet", "--template=", f"--object-format={kind}"))
        # Its files are where a `.git` leads here, wherever that is moved to.
        file = folder / "config"
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(line for line in lines if not line.startswith("\tworktree = ")))


@contextmanager
def made_anew(git: Git) -> Iterator[None]:
    """Remove a submodule that is damaged, as all of it can be had again, and raise what to do."""
    try:
        yield
    except DamagedError as damaged:
        with files_used(git.place):
            shutil.rmtree(git.files.own)
        raise TransientError(
            f"the objects of the submodule {visible(git.place.directory)} were damaged and are "
            "removed; the next try fetches it anew"
        ) from damaged
