"""What people are told, and when."""

from __future__ import annotations

import pytest

from fakes import inbox
from gitreload.ledger import Done
from gitreload.model import PermanentError
from gitreload.reporters.people import GIVE_UP_SECONDS
from helpers import wait_until

from .conftest import Furnish
from .house import AFTER, NOWHERE, House

EVERY = {"URL": NOWHERE, "ON": ["every"]}


@pytest.fixture
def house(furnish: Furnish) -> House:
    return furnish(NOTIFY=[{"URL": NOWHERE}])


class TestWhen:
    def test_a_failure_and_the_recovery_from_it(self, house: House) -> None:
        house.push()
        house.succeed()
        assert house.titles() == []
        for _ in range(2):
            house.push()
            house.fail()
        assert house.titles() == ["Failed: import of course"]
        house.push()
        house.fail("otherwise broken")
        assert house.titles() == ["Failed: import of course"]
        for _ in range(2):
            house.push()
            house.succeed()
        assert house.titles() == ["Works again: import of course"]

    def test_one_that_fails_again_and_again_is_told_once(self, house: House) -> None:
        house.push()
        for tries in range(1, 8):
            house.desk.try_again(house.desk.claim(), 0, tries)
            assert house.titles() == (
                ["Failing again and again: import of course"] if tries == 5 else []
            )
        house.fail("no network")
        assert house.titles() == []
        house.push()
        house.fail("no network")
        assert house.titles() == ["Failed: import of course"]

    def test_one_that_fails_again_and_again_ends_well(self, house: House) -> None:
        house.push()
        house.desk.try_again(house.desk.claim(), 0, 5)
        house.titles()
        house.succeed()
        assert house.titles() == ["Works again: import of course"]

    def test_one_that_goes_on_in_another_job(self, house: House) -> None:
        house.push()
        house.desk.try_again(house.desk.claim(), 0, 5)
        house.titles()
        claimed = house.desk.claim()
        house.push()
        house.desk.try_again(claimed, 0, 6)
        house.desk.try_again(house.desk.claim(), 0, 7)
        assert house.titles() == []

    def test_every_result(self, furnish: Furnish) -> None:
        house = furnish(NOTIFY=[EVERY])
        for _ in range(2):
            house.push()
            house.succeed()
            assert house.titles() == ["Succeeded: import of course"]
        house.push()
        house.succeed(Done(skipped="already imported"))
        house.push()
        house.ledger.cancel(house.desk.claim().job)
        assert house.titles() == []

    def test_only_what_is_asked_for(self, furnish: Furnish) -> None:
        house = furnish(NOTIFY=[{"URL": NOWHERE, "ON": ["alarm"]}])
        house.push()
        house.fail()
        assert house.titles() == []

    def test_the_newest_state_stands_for_what_was_not_told(self, house: House) -> None:
        house.push()
        house.fail()
        house.owed()
        house.push()
        house.succeed()
        [(_, message)] = house.heard()
        assert message.title == "Works again: import of course"
        assert "This stands for 1 message before" in message.body

    def test_throttled(self, furnish: Furnish) -> None:
        house = furnish(NOTIFY=[{**EVERY, "THROTTLE_MINUTES": 10}])
        house.push()
        house.fail()
        assert len(house.titles()) == 1
        for _ in range(3):
            house.push("course", "other")
            house.fail()
            house.fail()
        assert house.titles() == ["Failed: import of other"]
        house.clock.advance(599)
        assert house.titles() == []
        house.clock.advance(2)
        told = [message.body.splitlines()[2] for _, message in house.heard()]
        assert told == ["This stands for 2 messages before, held back or not delivered."]

    def test_who_comes_later_hears_nothing_of_before(self, furnish: Furnish) -> None:
        house = furnish()
        house.push()
        house.fail()
        house.look()
        assert furnish(NOTIFY=[EVERY]).titles() == []


class TestWhom:
    def test_a_checkout_may_have_its_own(self, furnish: Furnish) -> None:
        house = furnish(
            NOTIFY=[EVERY, EVERY],
            REPOS={"own": {"NOTIFY": [EVERY]}, "none": {"NOTIFY": []}},
        )
        house.push("course", "own", "none")
        for _ in range(3):
            house.succeed()
        told = {(place, message.title) for place, message in house.heard()}
        assert told == {
            ("NOTIFY[0]", "Succeeded: import of course"),
            ("NOTIFY[1]", "Succeeded: import of course"),
            ("REPOS.own.NOTIFY[0]", "Succeeded: import of own"),
        }

    def test_it_stays_the_same_where_its_entry_moves(self, furnish: Furnish) -> None:
        one, two = {"URL": NOWHERE}, {"URL": f"{NOWHERE}b"}
        names = [each.name for each in furnish(NOTIFY=[one, two]).tellers]
        assert [each.name for each in furnish(NOTIFY=[two, one]).tellers] == names[::-1]
        assert all("127" not in name for name in names)


class TestWhat:
    def test_a_message(self, house: House) -> None:
        house.push()
        house.fail("course.xml:3: not closed\x1b[31m https://ada:pw@x.example/")
        [(_, message)] = house.heard()
        job = house.ledger.find_jobs()[0].id
        lines = message.body.splitlines()
        assert lines[0] == r"course.xml:3: not closed\x1b[31m https://***@x.example/"
        assert lines[1:7] == [
            *("", "Checkout: course", "Branch: main", f"Revision: {AFTER[:12]}"),
            *("Pushed by: ada", f"Job: {job}"),
        ]
        assert lines[8:] == [f"https://x.example/jobs/{job}"]
        assert message.kind == "failure"

    def test_an_error_calls_nobody(self, house: House) -> None:
        house.push()
        house.fail(
            "<!channel> <!subteam^S1> <@U1> <@&1> @Everyone (@here): x@all.example @ada <!--"
        )
        [(_, message)] = house.heard()
        assert message.body.splitlines()[0] == (
            "<! channel> <! subteam^S1> <@ U1> <@ &1> @ Everyone (@ here): x@all.example @ada <!--"
        )

    def test_templates(self, furnish: Furnish) -> None:
        house = furnish(
            NOTIFY=[
                {**EVERY, "TITLE": "{checkout}\n{state} {action}", "BODY": "{message}\nby {pusher}"}
            ]
        )
        house.desk.sync()
        house.succeed()
        [(_, message)] = house.heard()
        assert (message.title, message.body) == ("course succeeded import", "imported")
        assert message.kind == "success"


class TestDelivery:
    def test_it_is_told_once_also_after_a_restart(self, furnish: Furnish) -> None:
        with inbox.http() as server:
            settings = {"NOTIFY": [{"URL": f"json://127.0.0.1:{server.port}/"}]}
            house = furnish(**settings)
            house.push()
            house.fail()
            house.reporting._decide()  # and then it is killed
            house = furnish(**settings)
            house.look()
            furnish(**settings).look()
            [got] = server.posted
            assert got.json()["title"] == "Failed: import of course"

    def test_it_is_given_up_after_a_day(self, house: House) -> None:
        house.push()
        house.fail()
        [report] = house.owed()
        [notifier] = house.tellers
        notifier._clock = lambda: report.made_at + GIVE_UP_SECONDS + 1  # type: ignore[attr-defined]
        with pytest.raises(PermanentError, match=r"did not take the message: .* tried for a day"):
            notifier.deliver(report, again=True)

    def test_what_is_interrupted_stays_owed(self, furnish: Furnish) -> None:
        with inbox.http() as server:
            server.hanging = True
            house = furnish(NOTIFY=[{"URL": f"json://127.0.0.1:{server.port}/?rto=100"}])
            house.push()
            house.fail()
            house.reporting.attend()
            wait_until(lambda: server.posted)
            house.stopping.set()
            wait_until(house.settled)
            assert [report.tries for report in house.owed()] == [0]
