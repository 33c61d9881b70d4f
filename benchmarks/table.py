"""What was measured, as one table that reads well in a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

HEADINGS = ("measurement", "gitreload", "peer", "ratio", "goal", "")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside that of a peer. `met` is None where the figure has no goal."""

    what: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        verdict = "" if self.met is None else ("met" if self.met else "**not met**")
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}x"
        return (self.what, self.ours, self.peer, ratio, self.goal, verdict)


@dataclass(frozen=True, slots=True)
class Section:
    """The rows of one measurement, and a text that says how they came about."""

    title: str
    rows: tuple[Row, ...]
    how: str

    @property
    def met(self) -> bool:
        return all(row.met is not False for row in self.rows)


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure, or its ratio to the peer's, has to be."""

    text: str
    reached: Callable[[float], bool]


def at_least(ratio: float) -> Goal:
    return Goal(f"≥ {ratio:g}x", lambda found: found >= ratio)


def at_most(ratio: float) -> Goal:
    return Goal(f"≤ {ratio:g}x", lambda found: found <= ratio)


def compare(
    what: str, ours: float, peer: float, shown: Callable[[float], str], goal: Goal | None = None
) -> Row:
    """A row for two figures, with the ratio between them."""
    ratio = ours / peer
    if goal is None:
        return Row(what, shown(ours), shown(peer), ratio)
    return Row(what, shown(ours), shown(peer), ratio, goal.text, goal.reached(ratio))


def limit(
    what: str, figure: float, most: float, shown: Callable[[float], str], peer: str = ""
) -> Row:
    """A row for a figure that must not exceed `most`."""
    return Row(what, shown(figure), peer, None, f"≤ {shown(most)}", figure <= most)


def rate(per_second: float) -> str:
    return f"{per_second:,.0f}/s"


def milliseconds(duration: float) -> str:
    return f"{duration:.1f} ms"


def seconds(duration: float) -> str:
    return f"{duration:.2f} s"


def megabytes(size: float) -> str:
    return f"{size:.0f} MB"


def markdown(section: Section) -> str:
    """The section under its heading, its table aligned for people who read the source."""
    lines = [HEADINGS, *(row.cells() for row in section.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [_line(lines[0], widths), "|" + "|".join("-" * (width + 2) for width in widths) + "|"]
    table += [_line(line, widths) for line in lines[1:]]
    return "\n\n".join([f"## {section.title}", "\n".join(table), section.how])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "| " + " | ".join(padded) + " |"
