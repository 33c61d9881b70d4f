"""The engines under test. A new one is one more entry of `KINDS`, and no more test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gitreload.engines import Engine
from gitreload.engines.embedded import EmbeddedEngine


@dataclass(frozen=True, slots=True)
class Kind:
    """An engine: how to make one in any process, given the place where its processes meet.

    `place` makes such a place, using a scratch directory. `leftovers` names what engines that
    were stopped have left there.
    """

    place: Callable[[Path], str]
    make: Callable[[str], Engine]
    leftovers: Callable[[str], list[str]]


def _files(place: str) -> list[str]:
    return [str(path) for path in Path(place).rglob("*") if not path.is_dir()]


KINDS = {
    "embedded": Kind(
        place=str,
        make=lambda place: EmbeddedEngine(Path(place)),
        leftovers=_files,
    ),
}
