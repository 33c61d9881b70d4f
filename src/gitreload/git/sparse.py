"""Only some directories of a repository in its checkout: git's sparse checkout, in cone mode.

What git keeps for that is compared and written here, so that an update of a checkout that is as it
should be runs no further process. The form of the file, which `git sparse-checkout list` shows:
https://git-scm.com/docs/git-sparse-checkout#_internalscone_pattern_set
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from gitreload.git.changes import listed
from gitreload.git.commands import Git
from gitreload.git.files import GitFiles
from gitreload.git.mending import files_used
from gitreload.model import PermanentError
from gitreload.visible import visible

FILE = "info/sparse-checkout"
SETTINGS = ("core.sparseCheckout", "core.sparseCheckoutCone")

# What somebody else chose by `git sparse-checkout` is not ours to undo.
_OURS = "# gitreload: SPARSE\n"
_EVERYTHING = f"{_OURS}/*\n"
_SWITCH = re.compile(rb"^\s*sparseCheckout\s*=\s*(true|false)\s*$", re.IGNORECASE | re.MULTILINE)


def patterns(directories: Sequence[str]) -> str:
    """What git's file has for these directories, the files above them, and those at the top."""
    wanted = {PurePosixPath(each) for each in directories}
    tops = {each for each in wanted if wanted.isdisjoint(each.parents)}
    above = {parent for each in tops for parent in each.parents} - {PurePosixPath()}
    return "".join(
        [
            f"{_OURS}/*\n!/*/\n",
            *(f"/{each}/\n!/{each}/*/\n" for each in sorted(above)),
            *(f"/{each}/\n" for each in sorted(tops)),
        ]
    )


def leaves(directories: Sequence[str], path: str) -> bool:
    """Whether a file or submodule at `path` is left out, where only `directories` are wanted."""
    wanted = {PurePosixPath(each) for each in directories}
    folder = PurePosixPath(path).parent
    above = {parent for each in wanted for parent in each.parents}
    return bool(wanted) and folder not in above and wanted.isdisjoint({folder, *folder.parents})


def narrow(git: Git, directories: Sequence[str]) -> bool:
    """Have the next reset leave only `directories`, or all where there are none of them.

    Whether that is another choice than was made here before. Raises `PermanentError` where other
    worktrees would lose their files too.
    """
    file = git.files.own / FILE
    with files_used(git.place):
        there = file.read_text(errors="replace") if file.is_file() else ""
        if not directories:
            if not there.startswith(_OURS):
                return False
            file.write_text(_EVERYTHING)
            git.notes.append("all directories are checked out again, as SPARSE names none any more")
            return True
        if there == patterns(directories) and _is_on(git.files):
            return False
        if git.files.own != git.files.common or (git.files.own / "worktrees").exists():
            raise PermanentError(
                f"{visible(git.place.directory)} shares its .git with other worktrees, so SPARSE "
                "is not possible there: make a clone of its own, with gitreload add"
            )
        file.parent.mkdir(exist_ok=True)
        file.write_text(patterns(directories))
    for key in SETTINGS:
        _set(git, key, "true")
    git.notes.append(f"only these directories are checked out from now on: {listed(directories)}")
    return True


def settle(git: Git, directories: Sequence[str]) -> None:
    """After the reset: end what `narrow` began, and tell of directories that are not there."""
    if directories:
        git.notes.extend(_missing(git, directories))
        return
    file = git.files.own / FILE
    if file.is_file() and file.read_text(errors="replace") == _EVERYTHING:
        _set(git, SETTINGS[0], "false")
        with files_used(git.place):
            file.unlink()


def _set(git: Git, key: str, value: str) -> None:
    # Where `git sparse-checkout` was used, it made a file for this worktree, which counts more.
    git.check(git.run("config", "--worktree", key, value))


def _is_on(files: GitFiles) -> bool:
    for config in (files.own / "config.worktree", files.common / "config"):
        found = _SWITCH.findall(config.read_bytes()) if config.is_file() else []
        if found:
            return bool(found[-1].lower() == b"true")
    return False


def _missing(git: Git, directories: Sequence[str]) -> Iterator[str]:
    top = Path(git.checkout.path)
    missing = [each for each in directories if not (top / each).is_dir()]
    if missing:
        branch = visible(git.place.branch)
        yield f"SPARSE names what is no directory of {branch}: {listed(missing)}"
