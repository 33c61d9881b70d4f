"""The ledger keeps its promises under any sequence of events; and bugs in it would be found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Connection

from gitreload.ledger import claiming, queue
from gitreload.ledger.record import Recorder
from gitreload.ledger.tables import jobs
from gitreload.model import Action, Outcome

from .machine import LedgerMachine

SEARCH = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def search(empty_ledger: Path, how: settings = SEARCH) -> None:
    machine = type("Machine", (LedgerMachine,), {"empty_ledger": empty_ledger})
    run_state_machine_as_test(machine, settings=how)


def test_promises_hold_under_any_sequence_of_events(empty_ledger: Path) -> None:
    search(empty_ledger)


def lose_what_is_merged(plant: pytest.MonkeyPatch) -> None:
    """A run that comes to nothing leaves its deliveries behind."""

    def forget(_connection: Connection, _source: int, _target: int) -> None: ...

    plant.setattr(queue, "link_deliveries", forget)


def join_without_looking(plant: pytest.MonkeyPatch) -> None:
    """An import joins a queued update, and is never done."""
    real: Callable[..., tuple[int, Outcome, bool]] = Recorder.queue

    def join(self: Recorder, checkout_id: int, action: Action, *rest: Any, **more: Any) -> Any:
        queued = self._queued.get(checkout_id) or self._find_queued(checkout_id)
        return real(self, checkout_id, queued.action if queued else action, *rest, **more)

    plant.setattr(Recorder, "queue", join)


def run_the_newest_first(plant: pytest.MonkeyPatch) -> None:
    """What has waited longest waits on."""
    newest_first = claiming._DUE.order_by(None).order_by(jobs.c.due_at.desc())
    plant.setattr(claiming, "_DUE", newest_first)


@pytest.mark.parametrize("bug", [lose_what_is_merged, join_without_looking, run_the_newest_first])
def test_a_planted_bug_is_found(
    empty_ledger: Path, monkeypatch: pytest.MonkeyPatch, bug: Callable[[pytest.MonkeyPatch], None]
) -> None:
    bug(monkeypatch)
    found = settings(
        SEARCH,
        max_examples=200,
        phases=[Phase.generate],  # found is found: no need to shrink it
        derandomize=True,
        database=None,
    )
    with pytest.raises(AssertionError):
        search(empty_ledger, found)
