"""Courses to break, one mistake at a time, and to mend again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fakes.whole_course import write_whole_course

REAL = Path(__file__).parents[3] / "shared/courses"
"""Real courses, where they lie beside the project."""


@dataclass
class Course:
    """A course that is right, but for what `write` and the like did since `mend`."""

    folder: Path
    _before: dict[Path, bytes | None] = field(default_factory=dict)

    def first(self, category: str) -> str:
        """The first block of a category that has a file of its own, which a pointer names."""
        for file in sorted((self.folder / category).glob("*.xml")):
            name = f"{category}/{file.stem}"
            with suppress(LookupError):
                self.pointer(name)
                return name
        raise LookupError(category)

    def pointer(self, name: str) -> tuple[str, int, int]:
        """The file, line and column of the tag that points to the block "category/url_name"."""
        category, _, url_name = name.partition("/")
        tag = f'<{category} url_name="{url_name}"/>'
        for parent in ("course", "chapter", "sequential", "vertical"):
            for file in sorted((self.folder / parent).glob("*.xml")):
                text = file.read_text()
                if tag in text:
                    return str(file.relative_to(self.folder)), *place(text, text.index(tag))
        raise LookupError(name)

    def text(self, name: str) -> str:
        return (self.folder / name).read_bytes().decode()

    def write(self, name: str, content: str | bytes) -> None:
        data = content.encode() if isinstance(content, str) else content
        self.make(name, lambda path: path.write_bytes(data))

    def change(self, name: str, old: str, new: str) -> None:
        text = self.text(name)
        assert old in text, f"{old} is not in {name}"
        self.write(name, text.replace(old, new, 1))

    def remove(self, name: str) -> None:
        self.make(name, lambda _: None)

    def make(self, name: str, maker: Callable[[Path], object]) -> None:
        """Put what `maker` makes in the place of `name`."""
        path = self.folder / name
        self._before.setdefault(path, path.read_bytes() if path.exists() else None)
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path)
        maker(path)

    def mend(self) -> None:
        # What was made last may lie in what was made before.
        for path, content in reversed(self._before.items()):
            _clear(path)
            if content is not None:
                path.write_bytes(content)
            else:
                with suppress(OSError):  # other files are there, or it was there before
                    os.removedirs(path.parent)
        self._before.clear()


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def place(text: str, index: int) -> tuple[int, int]:
    """The line and column, from 1, of what is at `index` of `text`."""
    before = text[:index]
    return before.count("\n") + 1, index - before.rfind("\n")


def ours(folder: Path) -> Course:
    """The project's own course."""
    write_whole_course(folder)
    return Course(folder)


def real(folder: Path, archive: str) -> Course:
    """One of the real courses."""
    subprocess.run(["tar", "-xf", str(REAL / archive), "-C", str(folder)], check=True)
    return Course(folder)
