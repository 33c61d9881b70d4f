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
from typing import Annotated, Any
from unicodedata import combining, east_asian_width

import typer

from gitreload.model import Job, State
from gitreload.visible import visible

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

SHORT = 12
# Cells up to this length are not broken.
WHOLE = 20
# Where a row is a line, columns are aligned up to this width.
WIDEST = 60
_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "failing": "red",
    "running": "cyan",
    "interrupted": "yellow",
}


def say(text: str) -> None:
    """A line, or several, on stdout; tabs and line ends are all that acts on the terminal."""
    print(_shown(text))  # noqa: T201 - this is what prints


def note(text: str) -> None:
    """A remark that is no part of the answer, on stderr."""
    sys.stdout.flush()
    print(_shown(text), file=sys.stderr)  # noqa: T201


def write(text: str) -> None:
    """A piece of text as it is, which may end in the middle of a line."""
    sys.stdout.write(_shown(text))
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


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows below a heading; nothing is cut.

    On a terminal long cells are folded, and where even that is too wide each row is a block of
    lines; elsewhere a row is a line.
    """
    every = [[column.upper() for column in columns], *([*map(visible, row)] for row in rows)]
    # A column that says nothing anywhere only takes room.
    kept = [index for index in range(len(columns)) if any(row[index] for row in every[1:])]
    cells = [[row[index] for index in kept] for row in every]
    if sys.stdout.isatty():
        _rich_table(cells)
    else:
        _plain_table(cells)


def _rich_table(rows: Sequence[Sequence[str]]) -> None:
    # Slow to load, and of use on a terminal only. It heeds NO_COLOR.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(markup=False, emoji=False, highlight=False)
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    widths = _widths(rows)
    for head, width in zip(rows[0], widths, strict=True):
        drawn.add_column(head, overflow="fold", no_wrap=width <= WHOLE)
    if sum(min(width, WHOLE) + 2 for width in widths) > console.width:
        _blocks(rows)
        return
    for row in rows[1:]:
        drawn.add_row(*(Text(cell, _STYLES.get(cell.rpartition(", ")[2], "")) for cell in row))
    console.print(drawn)


def _blocks(rows: Sequence[Sequence[str]]) -> None:
    heads = [head.lower() for head in rows[0]]
    for number, row in enumerate(rows[1:]):
        if number:
            say("")
        facts([(head, cell or None) for head, cell in zip(heads, row, strict=True)])


def _plain_table(rows: Sequence[Sequence[str]]) -> None:
    # One very long cell must not push away what stands beside all others.
    widths = [min(width, WIDEST) for width in _widths(rows)]
    for row in rows:
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


def when(seconds: float | None) -> str:
    """Local time with its offset, to the second; "" for None."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(" ", "seconds")


def when_in_table(seconds: float | None) -> str:
    """Local time by the offset that `zoned` puts into the column's head; "" for None."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, _now().tzinfo).strftime("%Y-%m-%d %H:%M:%S")


def zoned(head: str) -> str:
    """The head of a column of times."""
    return f"{head} (UTC{_now().isoformat()[-6:]})"


def _now() -> datetime:
    """Now, with the fixed offset that local time has now."""
    return datetime.now(UTC).astimezone()


def took(start: float | None, end: float | None) -> str:
    """How long something took, such as "1.2 s" or "12 min"; "" where it did not."""
    if start is None or end is None:
        return ""
    seconds = end - start
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def short(revision: str | None) -> str:
    return (revision or "")[:SHORT]


def moved(before: str | None, after: str | None) -> str:
    """Two revisions as "from → to", one where they are the same; "" where there is none."""
    if after is None or before in (None, after):
        return short(after)
    return f"{short(before)} → {short(after)}"


def state_of(job: Job) -> str:
    """The state, and whether the job failed before."""
    if job.failing:
        return f"{job.state}, failing"
    return f"{job.state}, try {job.tries + 1}" if waits_for_next_try(job) else job.state.value


def waits_for_next_try(job: Job) -> bool:
    """Whether its last attempt failed for a cause that may pass by itself."""
    return job.state is State.QUEUED and job.tries > 0


def next_try(job: Job) -> str:
    """When such a job is tried again, as a piece of a sentence."""
    seconds = max(0.0, job.due_at - time.time())
    return f"job {job.id} is tried again at {when(job.due_at)}, in {seconds:.0f} s"


def _shown(text: str) -> str:
    lines = text.split("\n")
    return "\n".join("\t".join(visible(cell) for cell in line.split("\t")) for line in lines)
