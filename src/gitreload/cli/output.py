"""What the commands print: tables for people, one JSON document for programs.

Branches, errors and log lines come from outside: nothing of them is taken for markup, and whatever
could drive a terminal is spelled out.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Self
from unicodedata import combining, east_asian_width

import typer

from gitreload.model import Job
from gitreload.telling import when
from gitreload.visible import legible, visible

if TYPE_CHECKING:
    from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

SHORT = 12
# Of what is long by nature, so much is shown where there is little room.
LONGEST_BRIEF = 60
SHORTEST = 8
# Where a row is a line, columns are aligned up to this width.
WIDEST = 60
_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "failing": "red",
    "running": "cyan",
    "interrupted": "yellow",
}


class Brief(str):
    """A cell that has a shorter form, for narrow terminals.

    In the head of a column, a form that is empty leaves the column out there.
    """

    __slots__ = ("brief",)
    brief: str

    def __new__(cls, text: str, brief: str) -> Self:
        cell = super().__new__(cls, text)
        cell.brief = brief
        return cell

    @classmethod
    def cut(cls, text: str) -> Brief:
        """A long sentence, of which the start has to do."""
        return cls(text, text if len(text) <= LONGEST_BRIEF else f"{text[: LONGEST_BRIEF - 1]}…")


@dataclasses.dataclass(frozen=True, slots=True)
class _Layout:
    """Of a table on a terminal: cells up to `whole` columns are not broken."""

    whole: int
    gap: int

    def least(self, rows: Sequence[Sequence[str]]) -> list[int]:
        """The least width of each column. The first one names the row, and is never broken."""
        first, *others = _widths(rows)
        return [first, *(min(width, self.whole) for width in others)]

    def width(self, rows: Sequence[Sequence[str]]) -> int:
        """The least that the table takes."""
        return sum(width + self.gap for width in self.least(rows)) - self.gap


_WIDE, _NARROW = _Layout(20, 2), _Layout(12, 1)


def say(text: str) -> None:
    """A line, or several, on stdout; tabs and line ends are all that acts on the terminal."""
    print(legible(text))  # noqa: T201 - this is what prints


def note(text: str) -> None:
    """A remark that is no part of the answer, on stderr."""
    sys.stdout.flush()
    print(legible(text), file=sys.stderr)  # noqa: T201


def write(text: str) -> None:
    """A piece of text as it is, which may end in the middle of a line."""
    sys.stdout.write(legible(text))
    sys.stdout.flush()


def print_json(value: object) -> None:
    # ASCII only: it passes any locale, and nothing in it can drive a terminal.
    print(json.dumps(data(value), indent=2, default=str))  # noqa: T201


def data(value: Any, name: str = "") -> Any:
    """`value` as JSON has it: our dataclasses by their fields, `…_at` as ISO 8601 in UTC."""
    if dataclasses.is_dataclass(value):
        value = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: data(each, key) for key, each in value.items()}
    if isinstance(value, (list, tuple, frozenset)):
        return [data(each) for each in (sorted(value) if isinstance(value, frozenset) else value)]
    if name.endswith("_at") and isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
    return value


def facts(pairs: Sequence[tuple[str, str | None]]) -> None:
    """Names and values below each other; without those that are None."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        if value is not None:
            say(f"{name:<{width}}  {visible(value)}")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, remarks: bool = False) -> None:
    """Rows below a heading.

    On a terminal long cells are folded; where that is too wide, `Brief` cells are so; and where
    even that is, each row is a block of lines. Elsewhere a row is a line, and nothing is short.
    With `remarks`, what the last column says may stand below the table instead of making it blocks.
    """
    full = _said([columns, *rows])
    if not sys.stdout.isatty():
        _plain_table(full)
        return
    # Slow to load, and of use on a terminal only. It heeds NO_COLOR.
    from rich.console import Console

    console = Console(markup=False, emoji=False, highlight=False)
    brief = _said([[*map(_brief, row)] for row in (columns, *rows)])
    without = _said([[*map(_brief, row[:-1])] for row in (columns, *rows)])
    if _WIDE.width(full) <= console.width:
        _draw(console, full, _WIDE)
    elif _NARROW.width(brief) <= console.width:
        _draw(console, brief, _NARROW)
    elif remarks and _NARROW.width(without) <= console.width:
        _draw(console, without, _NARROW)
        for row in rows:
            if row[-1]:
                say(f"{visible(row[0])}: {visible(row[-1])}")
    else:
        _blocks(full)


def _said(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The cells as they are shown, without columns that have no head or say nothing anywhere."""
    head, *cells = rows
    said = [name and any(row[index] for row in cells) for index, name in enumerate(head)]
    shown = [head, *([*map(visible, row)] for row in cells)]
    return [[cell for cell, kept in zip(row, said, strict=True) if kept] for row in shown]


def _brief(cell: str) -> str:
    return cell.brief if isinstance(cell, Brief) else cell


def _draw(console: Console, rows: Sequence[Sequence[str]], layout: _Layout) -> None:
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, layout.gap, 0, 0), header_style="bold")
    for head, width, least in zip(rows[0], _widths(rows), layout.least(rows), strict=True):
        drawn.add_column(head.upper(), overflow="fold", no_wrap=width == least, min_width=least)
    for row in rows[1:]:
        drawn.add_row(*(Text(cell, _STYLES.get(cell.rpartition(", ")[2], "")) for cell in row))
    console.print(drawn)


def _blocks(rows: Sequence[Sequence[str]]) -> None:
    for number, row in enumerate(rows[1:]):
        if number:
            say("")
        facts([(head, cell or None) for head, cell in zip(rows[0], row, strict=True)])


def _plain_table(rows: Sequence[Sequence[str]]) -> None:
    # One very long cell must not push away what stands beside all others.
    widths = [min(width, WIDEST) for width in _widths(rows)]
    for row in ([head.upper() for head in rows[0]], *rows[1:]):
        cells = (
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        )
        say("  ".join(cells).rstrip())


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(_width, column)) for column in zip(*rows, strict=True)]


def _width(text: str) -> int:
    """The columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if combining(each) else 2 if east_asian_width(each) in "WF" else 1 for each in text
    )


def when_in_table(seconds: float | None) -> str:
    """Local time by the offset that `zoned` puts into the column's head; "" for None."""
    if seconds is None:
        return ""
    local = datetime.fromtimestamp(seconds, _now().tzinfo)
    return Brief(local.strftime("%Y-%m-%d %H:%M:%S"), local.strftime("%m-%d %H:%M"))


def zoned(head: str) -> str:
    """The head of a column of times."""
    return Brief(f"{head} (UTC{_now().isoformat()[-6:]})", head)


def _now() -> datetime:
    """Now, with the fixed offset that local time has now."""
    return datetime.now(UTC).astimezone()


def short(revision: str | None) -> str:
    return Brief((revision or "")[:SHORT], (revision or "")[:SHORTEST])


def moved(before: str | None, after: str | None) -> str:
    """Two revisions as "from → to", one where they are the same; "" where there is none."""
    if after is None or before in (None, after):
        return short(after)
    return Brief(f"{short(before)} → {short(after)}", _brief(short(after)))


def url(remote: str | None) -> str:
    """A remote, without its credentials."""
    from gitreload.remotes import mask

    masked = mask(remote or "")
    return Brief(masked, masked.rpartition("://")[2])


def held_because(directory: str, *, by_configuration: bool) -> str:
    """That a checkout is held, and what ends it."""
    if by_configuration:
        return (
            f"{directory} is held by REPOS.{directory}.HOLD: take that out and send the server "
            "SIGHUP, then its jobs run"
        )
    return f"{directory} is held: `gitreload release {directory}` lets its jobs run"


def next_try(job: Job) -> str:
    """When such a job is tried again, as a piece of a sentence."""
    seconds = max(0.0, job.due_at - time.time())
    return f"job {job.id} is tried again at {when(job.due_at)}, in {seconds:.0f} s"
