"""What the log says of refusals: enough to find the hook, and never so much that it drowns."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from gitreload import refusals as module
from gitreload.refusals import MOST_TOLD_APART, Refusals, Refused


def refused(number: int = 0, **facts: Any) -> Refused:
    told = {"why": "wrong secret", "message": "…", "peer": f"192.0.2.{number}"}
    return Refused(**told | facts)


@pytest.fixture
def refusals(caplog: pytest.LogCaptureFixture) -> Refusals:
    caplog.set_level(logging.DEBUG)
    return Refusals()


def test_a_line_has_all_that_is_known(refusals: Refusals, caplog: pytest.LogCaptureFixture) -> None:
    refusals.tell(refused(forge="github", hook="4711", claimed="repository 1", repository="a/b"))
    refusals.tell(refused(1, forge="gitea", why="no signature"))
    refusals.tell(refused(peer=None, why="not in ALLOW_FROM"), logging.ERROR)
    full = "(forge github, hook 4711, of repository 1, repository a/b)"
    assert [record.getMessage() for record in caplog.records] == [
        f"refused a delivery from 192.0.2.0 {full}: …",
        "refused a delivery from 192.0.2.1 (forge gitea): …",
        "refused a delivery from a local peer: …",
    ]
    assert [record.levelno for record in caplog.records] == [30, 30, 40]


def test_the_same_is_told_once_and_then_counted(
    refusals: Refusals, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(1000):
        refusals.tell(refused(hook="1"))
    refusals.tell_more()
    assert len(caplog.records) == 1
    monkeypatch.setattr(module, "QUIET_SECONDS", 0.0)
    refusals.tell_more()
    assert "refused 999 more deliveries (wrong secret)" in caplog.records[-1].getMessage()
    assert "hook 1" in caplog.records[-1].getMessage()
    refusals.tell_more()
    assert len(caplog.records) == 2
    refusals.tell(refused(hook="1"))
    assert len(caplog.records) == 3, "after that time it is news again"


@pytest.mark.parametrize("fact", ["peer", "forge", "hook", "repository", "why"])
def test_what_differs_is_told_apart(
    refusals: Refusals, caplog: pytest.LogCaptureFixture, fact: str
) -> None:
    refusals.tell(refused())
    refusals.tell(refused(0, **{fact: "another"}))
    assert len(caplog.records) == 2


def test_made_up_senders_fill_neither_log_nor_memory(
    refusals: Refusals, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5000):
        refusals.tell(refused(number % 256, hook=str(number)))
    refusals.tell(refused(why="no signature"))
    assert len(caplog.records) == MOST_TOLD_APART + 2
    refusals.tell_all()
    assert len(caplog.records) == MOST_TOLD_APART + 4
    assert f"refused {5000 - MOST_TOLD_APART - 1} more" in caplog.records[-2].getMessage()


def test_they_are_counted_by_reason(refusals: Refusals, caplog: pytest.LogCaptureFixture) -> None:
    for why in ("wrong secret", "clock skew", "wrong secret"):
        refusals.tell(refused(why=why))
    assert refusals.counts == {"wrong secret": 2, "clock skew": 1}
    refusals.tell_all()
    assert caplog.messages[-1] == "refused since the start: 1 clock skew, 2 wrong secret"


def test_where_nothing_was_refused_nothing_is_told(
    refusals: Refusals, caplog: pytest.LogCaptureFixture
) -> None:
    refusals.tell_all()
    assert caplog.messages == []
