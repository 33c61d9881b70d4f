"""The files of submodules: those of their recorded commits, down to the innermost.

`git submodule` is not used: it would hand one key to all hosts, and believe more of `.gitmodules`.
But the files are where it expects them: the repository of the submodule NAME in `.git/modules`
(a slash in the name as %2F), and a file `.git` that leads there in its directory. What was checked
out here is noted beside, so that it can be taken away again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from gitreload.git import lfs
from gitreload.git.changes import Clean, listed
from gitreload.git.cleaning import clean
from gitreload.git.commands import Git
from gitreload.git.gitmodules import Submodule
from gitreload.git.inner import git_of, made_anew, read, repository
from gitreload.git.mending import files_used
from gitreload.git.submodule_fetch import Part
from gitreload.visible import visible

# In `.git`: the paths of the submodules that were checked out here, and their names.
_NOTED = "gitreload-submodules"


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
            left = repository(git, name)
            with files_used(git.place):
                if left.exists():
                    shutil.rmtree(left)
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
        with made_anew(inner):
            _check_out_one(inner, part, policy)
        check_out(inner, part.parts, policy)


def changed(git: Git, policy: Clean) -> bool:
    """Whether an update would take something away in the submodules that are checked out."""
    for path, name in _noted(git).items():
        if repository(git, name).is_dir() and _is_within(git, path):
            module = Submodule(name, path, git.place.url, "HEAD")
            inner = git_of(git, module, folder=Path(git.checkout.path, path))
            if inner.changes(policy).matter(policy) or changed(inner, policy):
                return True
    return False


def write(git: Git, revision: str, folder: Path) -> None:
    """Write the files of the submodules that are checked out for `revision` into `folder`."""
    noted = _noted(git)
    for module in read(git, revision) if noted else ():
        if noted.get(module.path) == module.name:
            inner = git_of(git, module, folder=Path(git.checkout.path, module.path))
            index = inner.files.own / "gitreload-index"
            with files_used(git.place):
                index.unlink(missing_ok=True)
                place = _directory(folder, module.path)
            with made_anew(inner):
                inner.write(module.commit, place, index)
            index.unlink()
            write(inner, module.commit, place)


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
