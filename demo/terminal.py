"""What the demo shows: headings, commands and what they print, the course, the times."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from demo.stage import KEY, DemoError, Stage


@dataclass(frozen=True)
class Course:
    """What a learner sees: a title, and the chapters with the text of their pages."""

    title: str
    chapters: dict[str, str]


class Terminal:
    """Shows a stage in a terminal, or in whatever stands for one."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._console = Console(highlight=False, markup=False, emoji=False)

    def heading(self, text: str) -> None:
        self._console.print(Text(f"\n# {text}", style="bold cyan"))

    def say(self, text: str, style: str = "") -> None:
        """Text as it is: the terminal breaks its lines, so that they can be copied."""
        self._console.print(Text(text, style=style), soft_wrap=True)

    def prompt(self, command: str, cwd: Path) -> None:
        place = cwd.relative_to(self._stage.root)
        self._console.print(Text(f"{place} $ ", "dim").append(command, "not dim bold green"))

    def run(self, command: str, cwd: Path, *, expected: int = 0) -> None:
        """Show a command and let it print. Raises DemoError where it exits otherwise."""
        self.prompt(command, cwd)
        done = subprocess.run(
            shlex.split(command),
            cwd=cwd,
            env=self._stage.environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for the demo, which ends it: a Python that has just begun to start would
            # answer with a traceback.
            start_new_session=True,
            check=False,
        )
        if done.returncode != expected:
            raise DemoError(f"`{command}` ended with {done.returncode}, not with {expected}")

    def course(self, now: Course | None, when: str, since: Course | None = None) -> None:
        """Show a course at some point of the story, with what is new in it since another one."""
        if now is None:
            raise DemoError(f"the platform has no course {KEY} {when}: its log says why")
        self._console.print(Text(f"\n{now.title} ({KEY}), as learners see it {when}:", "bold"))
        grid = _grid()
        for number, (chapter, text) in enumerate(now.chapters.items(), 1):
            new = since is not None and chapter not in since.chapters
            name = Text(chapter, "bold green" if new else "bold")
            grid.add_row(f"{number}.", name, f"{text} (new)" if new else text)
        self._console.print(grid)

    def times(self, steps: list[tuple[str, float, str]]) -> None:
        """Steps with how many seconds they took, and what came of them."""
        grid = _grid()
        for name, seconds, result in steps:
            grid.add_row(Text(name, "bold"), f"{seconds * 1000:5.0f} ms", result)
        self._console.print()
        self._console.print(grid)


def _grid() -> Table:
    """Three columns; only the last may be broken into lines."""
    grid = Table(box=None, show_header=False, padding=(0, 1))
    for last in (False, False, True):
        grid.add_column(no_wrap=not last)
    return grid


def course_of(stage: Stage) -> Course | None:
    """The course as the platform has it now."""
    stored = stage.platform.course(KEY)
    if stored is None:
        return None
    tree = stored["tree"]
    return Course(
        tree["display_name"],
        {chapter["display_name"]: _text(chapter) for chapter in tree["children"]},
    )


def _text(block: dict[str, object]) -> str:
    """The text of a block and of all below it, without the tags."""
    own = re.sub(r"<[^>]*>", "", str(block.get("data", ""))).strip()
    children = block["children"]
    assert isinstance(children, list), "as the platform stores it"
    return " ".join(filter(None, [own, *map(_text, children)]))
