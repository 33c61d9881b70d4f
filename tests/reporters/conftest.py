from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from .house import House

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
