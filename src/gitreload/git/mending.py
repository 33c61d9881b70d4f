"""What keeps git from working in a checkout, found in what it says, and mended in its files.

Nothing here runs git. Whatever is mended is told in `notes`: what was found, and what was done.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitreload.git.failures import failure
from gitreload.git.files import GitFiles
from gitreload.git.place import Place
from gitreload.model import TransientError
from gitreload.process import proc
from gitreload.remotes import mask
from gitreload.visible import visible

_LOCKED = re.compile(r"\.lock': File exists")
_BROKEN_INDEX = re.compile(
    r"index file (?:corrupt|smaller than expected)|bad (?:signature 0x|index file|index version)"
    r"|unordered stage entries|unknown index entry format|malformed name field in the index"
)
# https://git-scm.com/docs/git-check-ref-format: no white space, and no `..` that would lead out.
_BROKEN_REF = re.compile(r"^fatal: bad object (refs/(?!\S*\.\.)\S+)$", re.MULTILINE)
# Not what ssh says of keys: that ends in "(publickey)".
_NOT_WRITABLE = re.compile(
    r"(?:permission denied$|insufficient permission)", re.IGNORECASE | re.MULTILINE
)


@contextmanager
def files_used(place: Place) -> Iterator[None]:
    """Raise what an OSError means for the checkout at `place`."""
    try:
        yield
    except OSError as error:
        what = f"{error.filename or Path(place.path, '.git')}: {error.strerror}"
        if isinstance(error, FileNotFoundError):
            what = f"not a git repository: {what}"
        raise failure("reading .git", what, place) from error


@dataclass(frozen=True, slots=True)
class Mending:
    """Mends the checkout at `place`, whose lock the caller holds; tells it in `notes`."""

    place: Place
    files: GitFiles
    notes: list[str]

    def mend(self, output: str) -> bool:
        """Mend what the `output` of a failed git command complains of; whether that was possible.

        Raises `TransientError` where a git command of somebody else works there.
        """
        if _LOCKED.search(output):
            return self.remove_stale_locks(deep=True)
        if _BROKEN_INDEX.search(output):
            return self._remove_index()
        if found := _BROKEN_REF.search(output):
            return self._remove_ref(found[1])
        if _NOT_WRITABLE.search(output):
            return self._make_writable()
        return False

    def remove_stale_locks(self, *, deep: bool = False) -> bool:
        """Remove lock files that nobody holds; whether there were any.

        Raises `TransientError` while a git command works in the checkout.
        """
        with files_used(self.place):
            locks = self.files.locks(deep=deep)
            if not locks:
                return False
            self.refuse_if_busy(f"the lock {locks[0].name} is held")
            for lock in locks:
                self._unlink(lock)
                self.notes.append(
                    f"removed the stale lock {lock.name} (no process works in this checkout)"
                )
        return True

    def refuse_if_busy(self, what: str) -> None:
        """Raise `TransientError` where a git command works in the checkout."""
        own, common = self.files.own.resolve(), self.files.common.resolve()
        busy = proc.git_at_work([self.place.path, str(own), str(common)])
        if busy is not None:
            command = mask(visible(busy.command()))
            raise TransientError(
                f"{visible(self.place.directory)} is busy, {what}: process {busy.pid} "
                f"({command}) works in it"
            )

    def _remove_index(self) -> bool:
        index = self.files.own / "index"
        if not index.exists():
            return False
        with files_used(self.place):
            self._unlink(index)
        self.notes.append("removed the index, which was corrupt; git makes it anew")
        return True

    def _remove_ref(self, ref: str) -> bool:
        """Remove a ref that names nothing: git fetches nothing while there is one."""
        with files_used(self.place):
            removed = self.files.remove_ref(ref)
        if removed:
            self.notes.append(f"removed {visible(ref)}, which named no object that is there")
        return removed

    def _make_writable(self) -> bool:
        """Let us write in our directories, and on in git's logs; whether that was not so in any.

        All else git replaces instead.
        """
        before = len(self.notes)
        with files_used(self.place):
            for top in dict.fromkeys((Path(self.place.path), self.files.own, self.files.common)):
                left = [top]
                while left:
                    folder = left.pop()
                    self._open(folder, "directory", stat.S_IRWXU)
                    with os.scandir(folder) as entries:
                        left += [Path(entry) for entry in entries if _is_folder(entry)]
            for git_dir in {self.files.own, self.files.common}:
                for file in sorted((git_dir / "logs").rglob("*")):
                    if file.is_file():
                        self._open(file, "file", stat.S_IRUSR | stat.S_IWUSR)
        return len(self.notes) > before

    def _open(self, path: Path, kind: str, wanted: int) -> None:
        found = path.stat()
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid == os.geteuid() and mode & wanted != wanted:
            path.chmod(mode | wanted)
            name = os.path.relpath(path, self.place.path)
            self.notes.append(f"made the {kind} {visible(name)} writable, which it was not")

    def _unlink(self, file: Path) -> None:
        try:
            file.unlink(missing_ok=True)
        except PermissionError:
            if not self._make_writable():
                raise
            file.unlink(missing_ok=True)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)
