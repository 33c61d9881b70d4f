"""Names that differ in upper and lower case alone, where the file system takes them for one.

git writes such files into one another. Which of them is there depends on what was written last, and
the others always differ from what they should be.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from gitreload.git.changes import Changes, listed
from gitreload.git.commands import Git

Clash = tuple[str, ...]
"""Names of which at least one is a file, and the others may be directories."""


def clashes(git: Git, revision: str | None) -> list[Clash]:
    """What clashes in the checkout that `git` works in, whose files are those of `revision`."""
    if revision is None or not git.caseless:
        return []
    return [clash for clash in alike(git.names(revision)) if _are_one(git.checkout.path, clash)]


def alike(files: Iterable[str]) -> list[Clash]:
    """The names among `files`, and directories above them, that are the same but for their case.

    Not directories alone, since all their files can be in one.
    """
    folded = set()
    spellings: dict[str, set[str]] = {}
    for file in files:
        folded.add(file.casefold())
        for name in (file, *map(str, PurePosixPath(file).parents)):
            spellings.setdefault(name.casefold(), set()).add(name)
    return [
        tuple(sorted(names))
        for name, names in spellings.items()
        if len(names) > 1 and name in folded
    ]


def besides(changes: Changes, clashing: Sequence[Clash]) -> Changes:
    """The `changes` without those that cannot be otherwise, as a name that clashes is right.

    Where all of them differ, somebody changed the one that is there.
    """
    excused = {
        name
        for clash in clashing
        if not all(_at(each, changes.tracked) for each in clash)
        for each in clash
        for name in _at(each, changes.tracked)
    }
    return replace(changes, tracked=tuple(n for n in changes.tracked if n not in excused))


def told(clashing: Sequence[Clash]) -> Iterator[str]:
    """The line of the log, if there is anything to tell."""
    if clashing:
        yield (
            "this file system does not tell upper from lower case, so there is only one each of "
            f"{listed([' and '.join(clash) for clash in clashing])}: rename the others and push"
        )


def _at(name: str, tracked: Sequence[str]) -> list[str]:
    return [each for each in tracked if each == name or each.startswith(f"{name}/")]


def _are_one(path: str, names: Clash) -> bool:
    try:
        found = [os.lstat(f"{path}/{name}") for name in names]
    except OSError:  # nothing is there, so nothing clashes
        return False
    return all(os.path.samestat(found[0], each) for each in found)
