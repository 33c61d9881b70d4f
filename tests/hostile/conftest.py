from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.deployment import Deployment, deployment

pytest.register_assert_rewrite("hostile.target", "hostile.wire")

from hostile.target import Target, close_up, lay_out  # noqa: E402 - after the line above


@pytest.fixture(scope="package")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Laid out, and not started."""
    yield from _deployed(tmp_path_factory)


@pytest.fixture(scope="package")
def target(here: Deployment) -> Iterator[Target]:
    """One server for all attacks: after any of them it has to take the next one."""
    made = Target(here)
    made.slow.start()
    yield made
    made.check_at_the_end()


@pytest.fixture(scope="package")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server that takes deliveries from few."""
    for there in _deployed(tmp_path_factory):
        close_up(there)
        made = Target(there)
        yield made
        made.check_at_the_end()


def _deployed(folders: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployment(folders.mktemp("hostile") / "host") as here:
        lay_out(here)
        yield here
