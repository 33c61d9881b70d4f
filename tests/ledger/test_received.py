"""Deliveries as they were recorded."""

from __future__ import annotations

from gitreload.ledger import Ledger
from gitreload.model import Action, Outcome, State

from .builders import HEADERS, Desk, a_checkout, a_push, an_entry, revision


def test_deliveries_are_found_newest_first_by_what_is_asked(desk: Desk, ledger: Ledger) -> None:
    start = desk.clock.now
    first = desk.push(forge="github").delivery
    desk.clock.advance(10)
    [second, third] = ledger.record(
        [
            an_entry(at=desk.clock(), forge="gitlab", detail="course follows main, not dev"),
            an_entry(at=desk.clock(), forge="gitlab", outcome=Outcome.PONG),
        ]
    )

    def found(**wanted: object) -> list[int]:
        return [each.id for each in ledger.find_deliveries(**wanted)]  # type: ignore[arg-type]

    assert found() == [third.delivery, second.delivery, first]
    assert found(limit=1) == [third.delivery]
    assert found(forges=["github"]) == [first]
    assert found(outcomes=[Outcome.IGNORED, Outcome.QUEUED]) == [second.delivery, first]
    assert found(since=start + 10) == [third.delivery, second.delivery]
    assert found(repositories=["org/course"], forges=["gitlab"], limit=1) == [third.delivery]
    assert found(repositories=["org"]) == []


def test_all_that_is_known_of_one(desk: Desk, ledger: Ledger) -> None:
    body = b'{"ref":"refs/heads/main"}'
    push = a_push(revision(7), "refs/heads/main")
    ledger.record([an_entry(a_checkout("other"), at=desk.clock(), body=b"before")])
    [recorded] = ledger.record(
        [
            an_entry(a_checkout("other"), at=desk.clock(), body=b"beside"),
            an_entry(
                a_checkout("a"), a_checkout("b"), at=desk.clock(), body=body, push=push,
                delivery_id="id-7", action=Action.UPDATE, detail="a at main, b at main",
            ),
        ]
    )[1:]  # fmt: skip
    delivery = ledger.delivery(recorded.delivery)
    assert delivery is not None
    assert (delivery.received_at, delivery.peer) == (desk.clock.now, "127.0.0.1")
    assert (delivery.forge, delivery.event, delivery.delivery_id) == ("github", "push", "id-7")
    assert (delivery.action, delivery.outcome) == (Action.UPDATE, Outcome.QUEUED)
    assert (delivery.repository, delivery.detail) == ("org/course", "a at main, b at main")
    assert delivery.body_size == len(body)
    kept = ledger.kept(delivery)
    assert (kept.headers, kept.body) == (HEADERS, body)
    asked = ledger.asked_for(delivery)
    assert [(each.job, each.directory) for each in asked] == list(
        zip(recorded.jobs, ("a", "b"), strict=True)
    )
    assert {(each.state, each.action) for each in asked} == {(State.QUEUED, Action.UPDATE)}
    assert {(each.ref, each.before, each.after, each.pusher) for each in asked} == {
        ("refs/heads/main", revision(0xB), revision(7), "ada")
    }
    assert {each.origin for each in asked} == {"https://forge.example/org/course.git"}


def test_of_what_is_ignored_there_is_no_body_and_of_what_is_huge_its_beginning(
    desk: Desk, ledger: Ledger
) -> None:
    huge = b"x" * 1_500_000
    recorded = ledger.record(
        [
            an_entry(at=desk.clock(), body=b"ignored"),
            an_entry(a_checkout(), at=desk.clock(), body=huge),
        ]
    )
    ignored, cut = (ledger.delivery(each.delivery) for each in recorded)
    assert ignored is not None
    assert cut is not None
    assert ledger.kept(ignored).body is None
    assert (ledger.kept(ignored).headers, ledger.asked_for(ignored)) == (HEADERS, [])
    assert ledger.kept(cut).body == huge[: 1024 * 1024]
    assert (cut.body_size, ignored.body_size) == (len(huge), 7)


def test_a_delivery_that_is_not_there_is_none(ledger: Ledger) -> None:
    assert ledger.delivery(1) is None
    assert ledger.find_deliveries() == []
