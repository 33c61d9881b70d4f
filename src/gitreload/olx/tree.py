"""What lies in a directory that anyone may have filled. Links are never walked."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from gitreload.olx.findings import Broken, Findings
from gitreload.olx.report import Finding
from gitreload.visible import shown

# The largest courses have some ten thousand files.
MOST = 100_000
_DEEPEST = 50
_LARGEST = 1024 * 1024 * 1024  # bytes, of all that is read

# The platform takes in all that is below it, hidden or not, and follows links to files
# (import_static_content in xmodule/modulestore/xml_importer.py).
_STATIC = "static"

_LEADS_OUT = "a link that leads out of the checkout; put what it leads to there itself"

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Missing(Broken):
    """There is no such file."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no {shown(name)}")


class Tree:
    """The directories and the files below `folder`, by names relative to it ("." is itself).

    What is hidden (.git, what gitreload keeps) is left out, but for what is below static/. Links
    that lead out or nowhere, and what is neither a file nor a directory, are told to `findings`.
    """

    def __init__(self, folder: Path, findings: Findings) -> None:
        self.folder = folder
        self.directories: list[str] = []
        self.files: list[str] = []
        self._real = os.path.realpath(folder)
        self._findings = findings
        self._left = _LARGEST
        self._walk()

    def open(self, name: str) -> BinaryIO:
        """The file `name`, which may be a link, or lie behind one, that stays in the folder.

        Raises `Broken`: `Missing` where there is nothing.
        """
        try:
            path = os.path.realpath(self.folder / name, strict=True)
            if not self._inside(path):
                raise Broken(_LEADS_OUT)
            # The file may have been swapped since; nor may opening a pipe wait for its writer.
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise self._nothing(name) from error
        except (OSError, ValueError) as error:
            raise Broken(_unreadable(error)) from error
        facts = os.fstat(fd)
        self._left -= facts.st_size
        if stat.S_ISREG(facts.st_mode) and self._left >= 0:
            return os.fdopen(fd, "rb")
        os.close(fd)
        if self._left < 0:
            raise Broken(f"the files before it have {_LARGEST // 2**30} GiB, so it is not examined")
        raise Broken(_no_file(facts.st_mode))

    def real(self, name: str) -> str:
        """Where the file `name` is, whatever links lead there."""
        return os.path.realpath(self.folder / name)

    def has(self, name: str) -> bool:
        """Whether there is something called `name`."""
        return os.path.lexists(self.folder / name)

    def _nothing(self, name: str) -> Broken:
        try:
            return Broken(_leads_nowhere(self.folder / name))
        except OSError:
            return Missing(name)

    def _inside(self, path: str) -> bool:
        return path == self._real or path.startswith(f"{self._real}/")

    def _walk(self) -> None:
        waiting, seen = ["."], 0
        while waiting:
            name = waiting.pop()
            self.directories.append(name)
            try:
                with os.scandir(self.folder / name) as entries:
                    found = sorted(islice(entries, MOST + 1 - seen), key=lambda each: each.name)
            except OSError as error:
                self._tell(name, _unreadable(error))
                continue
            seen += len(found)
            if seen > MOST:
                self._tell(".", f"more than {MOST} files; the rest is not examined")
                return
            waiting.extend(reversed([*self._look(name, found)]))

    def _look(self, directory: str, entries: list[os.DirEntry[str]]) -> Iterator[str]:
        """Take the entries of a directory; the directories among them."""
        for entry in entries:
            name = below(directory, entry.name)
            if entry.name == ".git":
                continue
            if entry.is_symlink():
                self._check_link(name)
            elif entry.is_dir(follow_symlinks=False):
                if name.count("/") == _DEEPEST:
                    self._tell(name, "nested too deep to be examined; move it up")
                elif not entry.name.startswith(".") or _STATIC in directory.split("/"):
                    yield name
            elif entry.is_file(follow_symlinks=False):
                self.files.append(name)
            else:
                self._tell(name, _no_file(entry.stat(follow_symlinks=False).st_mode))

    def _check_link(self, name: str) -> None:
        path = self.folder / name
        try:
            if not self._inside(os.path.realpath(path)):
                self._tell(name, _LEADS_OUT)
            elif path.is_file():
                self.files.append(name)
            elif not path.exists():
                self._tell(name, _leads_nowhere(path))
        except (OSError, ValueError) as error:
            self._tell(name, _unreadable(error))

    def _tell(self, name: str, message: str) -> None:
        self._findings.add(Finding(name, message))


def below(directory: str, name: str) -> str:
    """The name of what is called `name` in `directory`, relative to what `directory` is."""
    return name if directory == "." else f"{directory}/{name}"


def _leads_nowhere(link: Path) -> str:
    """Raises OSError where it is no link."""
    return f"a link to {shown(str(link.readlink()))}, which does not exist; correct or remove it"


def _no_file(mode: int) -> str:
    return f"{_KINDS.get(stat.S_IFMT(mode), 'something')} where a file should be; remove it"


def _unreadable(error: OSError | ValueError) -> str:
    reason = error.strerror if isinstance(error, OSError) else error
    return f"cannot be read: {reason}"
