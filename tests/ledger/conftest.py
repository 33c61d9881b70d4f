from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitreload.ledger import Ledger

from .builders import Clock, Desk, database_file


@pytest.fixture
def state_dir(tmp_path: Path, empty_ledger: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    shutil.copy(empty_ledger, database_file(folder))
    return folder


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(state_dir: Path, clock: Clock) -> Iterator[Ledger]:
    ledger = Ledger.open(state_dir, "pool", clock)
    yield ledger
    ledger.close()


@pytest.fixture
def desk(ledger: Ledger, clock: Clock) -> Desk:
    return Desk(ledger, clock)
