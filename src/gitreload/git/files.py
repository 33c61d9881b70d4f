"""The files below a checkout's `.git`: refs read, stale ones of a crash removed, without git.

A git process costs as much as reading a hundred refs; on the way from push to files, two of them
(fetch, reset) are enough. Formats: https://git-scm.com/docs/gitrepository-layout
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REVISION = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

_SYMBOLIC = "ref: "
# git follows no more: https://git-scm.com/docs/git-symbolic-ref
_DEEPEST = 5

# What an interrupted operation leaves, and what to call it. `reset` ends a merge by itself, but
# keeps the directories of the others, with which git would refuse the next one.
_UNFINISHED = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "sequencer": "cherry-pick or revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase or am",
    "BISECT_START": "bisect",
}
# Where they note what they move HEAD away from. A rebase that began at a detached HEAD says so
# there; a bisect notes the branch's short name, or the revision.
_BRANCH_NOTES = ("rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START")


class OnlyGitKnowsError(Exception):
    """The refs are kept in another way than in files."""


class BrokenRefError(Exception):
    """A ref's file holds no revision, as after a power cut."""

    def __init__(self, file: Path) -> None:
        super().__init__(str(file))
        self.file = file


@dataclass(frozen=True, slots=True)
class GitFiles:
    """`own` has `HEAD` and the index, `common` the refs; two places in a linked worktree."""

    own: Path
    common: Path

    @classmethod
    def of(cls, path: str) -> GitFiles:
        """Those of the checkout at `path`. Raises OSError where there are none."""
        own = Path(path, ".git")
        if own.is_file():
            own = Path(path, _text(own).removeprefix("gitdir: "))
        try:
            common = own / _text(own / "commondir")
        except FileNotFoundError:
            common = own
        return cls(own, common)

    def head(self) -> str | None:
        """The full name of the ref that `HEAD` names, None where it is detached.

        During a rebase or a bisect, when `HEAD` is detached, that is the branch which is being
        worked on.
        """
        return self.named() or self._worked_on()

    def named(self) -> str | None:
        """The full name of the ref that `HEAD` names, None where it is detached."""
        text = _text(self.own / "HEAD")
        if text.startswith(_SYMBOLIC):
            self._check_format()
            return text.removeprefix(_SYMBOLIC).strip()
        if not REVISION.fullmatch(text):
            raise OnlyGitKnowsError
        return None

    def _worked_on(self) -> str | None:
        for name in _BRANCH_NOTES:
            if (note := self.own / name).is_file():
                ref = _text(note)
                if name == "BISECT_START" and ref and not REVISION.fullmatch(ref):
                    return f"refs/heads/{ref.removeprefix('refs/heads/')}"
                if ref.startswith("refs/"):
                    return ref
        return None

    def detached(self) -> bool:
        return not _text(self.own / "HEAD").startswith(_SYMBOLIC)

    def revision(self, ref: str) -> str | None:
        """The revision of a full ref name, None where there is no such ref.

        Raises `BrokenRefError`.
        """
        self._check_format()
        for _ in range(_DEEPEST):
            file = self.common / ref
            try:
                text = _text(file)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return self._packed(ref)
            if not text.startswith(_SYMBOLIC):
                break
            ref = text.removeprefix(_SYMBOLIC)
        if not REVISION.match(text):
            raise BrokenRefError(file)
        if not REVISION.fullmatch(text):
            raise OnlyGitKnowsError
        return text

    def remove_ref(self, ref: str) -> bool:
        """Remove the file of a full ref name, whatever it holds; whether there was one."""
        self._check_format()
        file = self.common / ref
        if not file.is_file():
            return False
        file.unlink()
        return True

    def unfinished(self) -> list[str]:
        """The operations that were begun and not ended."""
        return [name for file, name in _UNFINISHED.items() if (self.own / file).exists()]

    def forget_unfinished(self) -> None:
        """Remove what `git reset --hard` leaves of them."""
        for name in ("sequencer", "rebase-merge", "rebase-apply", "refs/bisect"):
            if (self.own / name).exists():
                shutil.rmtree(self.own / name)
        for note in self.own.glob("BISECT_*"):
            note.unlink()

    def packs(self) -> int:
        """How many packs git may join; none where the remote keeps some objects (a partial clone).

        Before 2.41 git forgot, when it joined packs, which of them lack objects on purpose.
        """
        files = self._beside_packs()
        if any(file.suffix == ".promisor" for file in files):
            return 0
        left_alone = {file.stem for file in files if file.suffix in (".keep", ".mtimes")}
        return sum(file.suffix == ".pack" and file.stem not in left_alone for file in files)

    def partial(self) -> bool:
        """Whether the remote keeps some objects, which git fetches when it needs them."""
        return any(file.suffix == ".promisor" for file in self._beside_packs())

    def _beside_packs(self) -> list[Path]:
        """The packs, and what git keeps with each under its name."""
        return list((self.common / "objects/pack").iterdir())

    def locks(self, *, deep: bool) -> list[Path]:
        """The lock files; only with `deep` those of single refs too, for which all are walked."""
        return sorted({*self._top_locks(), *(self._deep_locks() if deep else ())})

    def _top_locks(self) -> Iterator[Path]:
        for folder in {self.own, self.common}:
            yield from folder.glob("*.lock")

    def _deep_locks(self) -> Iterator[Path]:
        folders = {self.own / "refs", self.common / "refs"}
        folders |= {self.common / "objects/info", self.common / "objects/pack"}
        for folder in folders:
            yield from folder.rglob("*.lock")

    def _packed(self, ref: str) -> str | None:
        try:
            packed = (self.common / "packed-refs").read_bytes()
        except FileNotFoundError:
            return None
        before, found, _ = packed.partition(os.fsencode(f" {ref}\n"))
        return before.rpartition(b"\n")[2].decode("ascii") if found else None

    def _check_format(self) -> None:
        if (self.common / "reftable").exists():
            raise OnlyGitKnowsError


def is_caseless(path: str) -> bool:
    """Whether the file system of the checkout at `path` takes upper and lower case for the same."""
    try:
        return Path(path, ".git").samefile(Path(path, ".GIT"))
    except FileNotFoundError:
        return False


def _text(file: Path) -> str:
    """What a file of one line holds; names in it are bytes, as in file names."""
    return os.fsdecode(file.read_bytes()).strip()
