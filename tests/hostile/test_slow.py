"""Who is slow is cut off, and holds up nobody meanwhile: the other tests run beside this one."""

from __future__ import annotations

import pytest

from hostile.slow import CLIENTS
from hostile.target import Target


@pytest.mark.parametrize("name", CLIENTS)
def test_slow_clients_are_cut_off(target: Target, name: str) -> None:
    assert target.slow.statuses(name) == CLIENTS[name][1]


def test_a_hundred_silent_connections_are_cut_off(target: Target) -> None:
    assert target.slow.all_silent_ones_are_cut_off()
