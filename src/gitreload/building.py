"""What `BUILD` makes of a revision: a directory, to be published instead of the revision's files.

It is made in a copy of the checkout that is kept between builds, so that one which rebuilds only
what changed finds what it made before. The checkout itself is left alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gitreload.config import Settings
from gitreload.copying import copy_tree
from gitreload.drafts import Tree, Write, attributes
from gitreload.model import HIDDEN, PermanentError, TransientError


@dataclass(frozen=True, slots=True)
class Build:
    """Makes what is published of one checkout.

    `place` holds the copy in which `command` runs; `output` is the directory in it that counts,
    "." for all of it.
    """

    place: Path
    command: tuple[str, ...]
    output: str

    @classmethod
    def of(cls, settings: Settings, directory: str) -> Build | None:
        """What is built of a directory below REPODIR; None where nothing is."""
        build = settings.repo(directory).build
        if build is None:
            return None
        return cls(place_of(settings, directory), build.command, build.output)

    @property
    def digest(self) -> str:
        """What besides the revision decides what is made, as short hex."""
        decides = json.dumps([self.command, self.output])
        return hashlib.sha256(decides.encode()).hexdigest()[:16]

    def write(
        self,
        folder: Path,
        index: Path,
        *,
        source: Write,
        run: Callable[[Path], None],
        digits: int,
        anew: bool,
    ) -> None:
        """Build, and copy what was made into `folder`; `index` notes how.

        `source` writes the revision's files, `run` runs the command, `digits` is how many digits
        the name of a revision has. `anew`: nothing of builds before is used.

        Raises `PermanentError` where nothing was made, OSError, and what the callbacks raise.
        """
        self._lay_out(source, digits, anew=anew)
        run(self._tree.folder)
        copy_tree(self._made(), folder)
        index.write_text(self.digest)

    @property
    def _tree(self) -> Tree:
        return Tree(self.place / "work")

    def _lay_out(self, source: Write, digits: int, *, anew: bool) -> None:
        if not anew and self._refreshed(source, digits):
            return
        self._tree.remove()
        self._tree.folder.mkdir(parents=True)
        source(self._tree.folder, self._tree.index)

    def _refreshed(self, source: Write, digits: int) -> bool:
        """Whether the files of the build before are now those of this revision.

        What it made is still there then, unless the repository has files of these names.
        """
        tree = self._tree
        # That of a git that was killed: the caller alone works here.
        tree.index.with_name(f"{tree.index.name}.lock").unlink(missing_ok=True)
        try:
            before = attributes(tree, digits)
            source(tree.folder, tree.index)
            # They decide what git writes for a content, also for files that did not change.
            return attributes(tree, digits) == before
        except (FileNotFoundError, ValueError, PermanentError, TransientError):
            return False  # whatever is wrong there, it is of no worth

    def _made(self) -> Path:
        top = self._tree.folder.resolve()
        made = (top / self.output).resolve()
        if not made.is_relative_to(top):
            # The repository may have a link of that name.
            raise PermanentError(
                f"{self.output}, which BUILD.OUTPUT names, is a link that leads out of the build's "
                f"directory {top}, to {made}; it must be a directory there"
            )
        if not made.is_dir() or not any(made.iterdir()):
            raise PermanentError(
                f"BUILD left nothing in {self.output} in {top}: set BUILD.OUTPUT to the directory "
                "that it writes"
            )
        return made


def place_of(settings: Settings, directory: str) -> Path:
    """Where what is built of a directory below REPODIR is kept between builds."""
    return settings.repodir / HIDDEN / "builds" / directory.replace("/", "%2F")
