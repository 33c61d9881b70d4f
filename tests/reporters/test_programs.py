"""Outgoing webhooks, as their receivers get them; proven by the specification's own library."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from fakes import inbox
from fakes.inbox import Inbox
from gitreload.reporters.programs import RETRIES_SECONDS

from .conftest import Furnish
from .house import AFTER, BEFORE, House

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def program() -> Iterator[Inbox]:
    with inbox.http() as server:
        yield server


@pytest.fixture
def house(furnish: Furnish, program: Inbox) -> House:
    return furnish(OUTGOING_WEBHOOKS=[entry(program)])


def entry(program: Inbox, **more: object) -> dict[str, object]:
    return {"URL": f"http://127.0.0.1:{program.port}/hook?a=b", "SECRET": SECRET, **more}


def types(program: Inbox) -> list[str]:
    return [got.json()["type"] for got in program.posted]


def test_it_is_as_the_specification_says(house: House, program: Inbox) -> None:
    house.push()
    house.succeed()
    house.look()
    [got] = program.posted
    event = Webhook(SECRET).verify(got.body, dict(got.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(got.body + b" ", dict(got.headers))
    assert got.path == "/hook?a=b"
    assert got.headers["Content-Type"] == "application/json"
    assert event["type"] == "job.succeeded"
    assert abs(datetime.fromisoformat(event["timestamp"]).timestamp() - house.clock()) < 0.01
    data = event["data"]
    assert data.pop("host")
    assert data == {
        "message": "imported",
        "checkout": "course",
        "branch": "main",
        "action": "import",
        "job": 1,
        "state": "succeeded",
        "reason": "push",
        "revision": AFTER,
        "previous": BEFORE,
        "pusher": "ada",
        "url": "https://x.example/jobs/1",
    }


def test_each_event_is_told_in_its_order(house: House, program: Inbox) -> None:
    house.push()
    for tries in (5, 6):
        house.desk.try_again(house.desk.claim(), 0, tries)
        house.look()
    house.fail()
    house.push()
    house.succeed()
    house.look()
    assert types(program) == ["job.failing", "job.failed", "job.succeeded"]
    states = [got.json()["data"]["state"] for got in program.posted]
    assert states == ["failing", "failed", "succeeded"]


def test_only_what_is_asked_for(furnish: Furnish, program: Inbox) -> None:
    house = furnish(
        OUTGOING_WEBHOOKS=[entry(program, ON=["job.failed"])],
        REPOS={"none": {"OUTGOING_WEBHOOKS": []}},
    )
    house.push("course", "none")
    house.fail()
    house.fail()
    house.push()
    house.succeed()
    house.look()
    assert types(program) == ["job.failed"]


def test_it_is_tried_again_under_the_same_id(house: House, program: Inbox) -> None:
    program.answer = (503, {"Retry-After": "7"})
    house.push()
    house.fail()
    house.look()
    house.clock.advance(6)
    house.look()
    assert len(program.posted) == 1
    program.answer = (302, {"Location": f"http://127.0.0.1:{program.port}/elsewhere"})
    house.clock.advance(2)
    house.look()
    house.clock.advance(RETRIES_SECONDS[1] - 1)
    house.look()
    assert len(program.posted) == 2
    program.answer = (204, {})
    house.clock.advance(2)
    house.look()
    house.look()
    assert [got.path for got in program.posted] == ["/hook?a=b"] * 3
    assert len({(got.headers["webhook-id"], got.body) for got in program.posted}) == 1
    [report] = house.ledger.reports(1)
    assert (report.result, report.tries) == ("delivered", 2)


def test_it_is_given_up_after_some_days(house: House, program: Inbox) -> None:
    program.answer, program.text = (500, {}), b"out of order"
    house.push()
    house.fail()
    house.look()
    for seconds in RETRIES_SECONDS:
        house.clock.advance(seconds)
        house.look()
    [report] = house.ledger.reports(1)
    assert report.result == "refused"
    assert report.error is not None
    assert "answers 500: out of order. That was the last of 17 tries" in report.error
    assert 2.5 * 86_400 < sum(RETRIES_SECONDS) < 4 * 86_400


def test_who_is_gone_gets_no_more(
    house: House, program: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    program.answer = (410, {})
    for _ in range(3):
        house.push()
        house.fail()
        house.look()
    assert len(program.posted) == 1
    assert "take it out of OUTGOING_WEBHOOKS" in caplog.text
    assert caplog.text.count("It wants no more") == 1


def test_the_secret_in_a_file_may_change(furnish: Furnish, program: Inbox) -> None:
    house = furnish()
    file = house.folder / "secret"
    file.write_text(f"{SECRET}\n")
    house = furnish(OUTGOING_WEBHOOKS=[entry(program, SECRET={"FILE": str(file)})])
    other = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
    file.write_text(other)
    house.push()
    house.succeed()
    house.look()
    [got] = program.posted
    assert Webhook(other).verify(got.body, dict(got.headers))["type"] == "job.succeeded"
    assert json.loads(got.body)["data"]["checkout"] == "course"
