from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.deployment import Deployment, deployment


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Deployment]:
    """A deployment that is not started yet."""
    with deployment(tmp_path / "host") as made:
        yield made
