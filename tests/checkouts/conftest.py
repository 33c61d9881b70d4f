"""A `REPODIR`, and time that has passed since its files were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitreload.checkouts import stamps


@pytest.fixture
def repodir(tmp_path: Path) -> Path:
    folder = tmp_path / "repos"
    folder.mkdir()
    return folder


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as old enough for their stamps to be trusted, as if seconds had passed."""
    monkeypatch.setattr(stamps, "YOUNG_NS", 0)
