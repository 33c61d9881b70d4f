from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gitreload.ledger import Ledger
from ledger.builders import Clock

from .house import House
from .room import Room

Furnish = Callable[..., House]


@pytest.fixture
def furnish(tmp_path: Path, empty_ledger: Path) -> Iterator[Furnish]:
    """Makes a house by its settings."""
    shutil.copy(empty_ledger, tmp_path)
    with ExitStack() as opened:

        def make(**settings: Any) -> House:
            house = House(tmp_path, **settings)
            opened.callback(house.ledger.close)
            return house

        yield make


@pytest.fixture
def room(tmp_path: Path, empty_ledger: Path) -> Iterator[Room]:
    clock = Clock()
    shutil.copy(empty_ledger, tmp_path)
    ledger = Ledger.open(tmp_path, "pool", clock)
    yield Room(ledger, clock)
    ledger.close()
