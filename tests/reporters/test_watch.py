"""Alarms: raised once, over once, told to those who want them."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from fakes import inbox
from gitreload.late import LATE_SECONDS
from gitreload.ledger.database import FILE_NAME
from gitreload.model import Action, Outcome, PermanentError, TransientError
from helpers import needs_mount, tmpfs
from ledger.builders import a_checkout, an_entry, revision

from .conftest import Furnish
from .house import NOWHERE, House

NOTIFY = [{"URL": NOWHERE}]


@pytest.fixture
def house(furnish: Furnish) -> House:
    return furnish(NOTIFY=NOTIFY)


def alarms(house: House) -> list[str]:
    """The titles of what is new, when it is looked twice."""
    house.watch.attend()
    house.watch.attend()
    return [title.partition(": ")[2] or title for title in house.titles()]


def test_a_broken_webhook(house: House) -> None:
    house.ledger.catch_up(a_checkout(), revision(1), lambda _: Action.UPDATE, missed=True)
    house.watch.attend()
    [(place, message)] = house.heard()
    assert place == "NOTIFY[0]"
    assert message.title.startswith("Alarm on ")
    assert message.body.startswith("the webhook of course seems broken: a push came that no ")
    assert "Checkout: course\nHost: " in message.body
    assert "Job" not in message.body
    assert message.kind == "warning"
    house.clock.advance(1)
    house.push()
    house.watch.attend()
    house.watch.attend()
    [(_, message)] = house.heard()
    assert message.title.startswith("Over on ")
    assert message.body.startswith("It is over: the webhook of course seems broken")
    assert message.kind == "success"


def test_a_remote_that_does_not_let_us_in(house: House) -> None:
    house.ledger.note_tips([(a_checkout(), None, PermanentError("the key is refused"))])
    assert alarms(house) == ["a remote cannot be read"]
    house.ledger.note_tips([(a_checkout(), revision(1), None)])
    assert alarms(house) == ["a remote cannot be read"]
    assert alarms(house) == []


def test_a_remote_that_is_away_for_long(house: House) -> None:
    for _ in range(2):
        house.ledger.note_tips([(a_checkout(), None, TransientError("no route to it"))])
        assert alarms(house) == []
        house.clock.advance(LATE_SECONDS / 2 + 1)
    assert alarms(house) == ["a remote cannot be read"]


def test_a_job_that_nobody_ends(house: House) -> None:
    house.push()
    house.clock.advance(LATE_SECONDS + 1)
    assert alarms(house) == ["a job does not end"]
    house.succeed()
    assert alarms(house) == ["a job does not end"]


def test_deliveries_that_are_refused(house: House) -> None:
    for _ in range(2):
        entry = an_entry(at=house.clock(), outcome=Outcome.REFUSED, detail="not its secret")
        house.ledger.record([entry])
    house.watch.attend()
    [(_, message)] = house.heard()
    assert message.body.startswith(
        "deliveries for org/course are genuine, and yet refused: not its secret. See: gitreload "
    )
    house.push()
    assert alarms(house) == ["deliveries are refused"]


@needs_mount
def test_a_disk_that_is_all_but_full(furnish: Furnish, tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", "1m"):
        house = furnish(NOTIFY=NOTIFY, REPODIR=str(tmp_path / "small"))
        house.watch.attend()
        [(_, message)] = house.heard()
        assert message.body.startswith("the disk of REPODIR has only ")


def test_a_ledger_that_is_away(furnish: Furnish, caplog: pytest.LogCaptureFixture) -> None:
    with inbox.http() as people, inbox.http() as programs:
        secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        house = furnish(
            NOTIFY=[
                {"URL": f"json://127.0.0.1:{people.port}/"},
                {"URL": NOWHERE, "ON": ["failure"]},
                {"URL": NOWHERE},
            ],
            OUTGOING_WEBHOOKS=[{"URL": f"http://127.0.0.1:{programs.port}/", "SECRET": secret}],
        )
        house.ledger.close()
        shutil.move(house.folder / FILE_NAME, house.folder / "away")
        (house.folder / FILE_NAME).write_text("no database at all, " * 100)
        for _ in range(2):
            house.watch.attend()
        [got], [event] = people.posted, programs.posted
        assert got.json()["title"].endswith(": pushes cannot be recorded")
        assert got.json()["message"].startswith("no push can be taken now: ")
        assert event.json()["data"]["alarm"] == "ledger"
    told = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert [line.partition(" ")[0] for line in told] == ["NOTIFY[2]"]


def test_nobody_looks_where_nobody_listens(furnish: Furnish) -> None:
    house = furnish()
    house.stopping.set()
    house.watch.run()
    assert not (house.folder / "watch.lock").exists()


def test_the_operator_hears_of_all_checkouts_and_others_of_theirs(furnish: Furnish) -> None:
    house = furnish(NOTIFY=NOTIFY, REPOS={"a": {"NOTIFY": NOTIFY}, "b": {"NOTIFY": NOTIFY}})
    house.ledger.note_tips([(a_checkout("a"), None, PermanentError("the key is refused"))])
    house.watch.attend()
    assert {place for place, _ in house.heard()} == {"NOTIFY[0]", "REPOS.a.NOTIFY[0]"}
