"""What people ask the ledger."""

from __future__ import annotations

from gitreload.ledger import Ledger
from gitreload.model import Action, State
from helpers import counts

from .builders import Desk, revision


def test_the_queue_shows_running_first_then_in_the_order_of_running(desk: Desk) -> None:
    for directory in ("slow", "later", "soon", "now"):
        desk.push(directory)
        desk.clock.advance(1)
    running = desk.claim()
    later = desk.try_again(desk.claim(), delay=60)
    soon = desk.try_again(desk.claim(), delay=30)
    desk.push("slow")
    shown = desk.ledger.unfinished()
    assert [(job.directory, job.state) for job in shown] == [
        ("slow", State.RUNNING),
        ("now", State.QUEUED),
        ("slow", State.QUEUED),
        ("soon", State.QUEUED),
        ("later", State.QUEUED),
    ]
    assert [shown[0].id, shown[3].id, shown[4].id] == [running.job.id, soon, later]
    assert shown[0].origin == "https://forge.example/org/course.git"


def test_jobs_are_found_newest_first_by_what_is_asked(desk: Desk) -> None:
    done = desk.push("a").jobs[0]
    desk.succeed(desk.claim())
    failed = desk.push("b", action=Action.UPDATE).jobs[0]
    desk.fail(desk.claim())
    queued = desk.push("a").jobs[0]

    def found(**wanted: object) -> list[int]:
        return [job.id for job in desk.ledger.find_jobs(**wanted)]  # type: ignore[arg-type]

    assert found() == [queued, failed, done]
    assert found(limit=2) == [queued, failed]
    assert found(states=[State.FAILED, State.QUEUED]) == [queued, failed]
    assert found(actions=[Action.UPDATE]) == [failed]
    assert found(directories=["a"], states=[State.SUCCEEDED]) == [done]
    assert found(directories=["c"]) == []


def test_a_job_is_followed_to_the_one_that_stands_for_it(desk: Desk) -> None:
    first = desk.push().jobs[0]
    claimed = desk.claim()
    second = desk.push().jobs[0]
    desk.crash(claimed)
    claimed = desk.claim()
    third = desk.push().jobs[0]
    desk.crash(claimed)
    for job_id in (first, second, third):
        standing = desk.ledger.follow(job_id)
        assert standing is not None
        assert standing.id == third
    assert desk.ledger.follow(999) is None


def test_attempts_of_superseded_jobs_are_told_with_it(desk: Desk) -> None:
    desk.push()
    first = desk.claim()
    desk.push()
    desk.crash(first)
    second = desk.claim()
    desk.push()
    standing = desk.crash(second)
    third = desk.claim()
    expected = [claimed.attempt.id for claimed in (first, second, third)]
    assert [attempt.id for attempt in desk.ledger.attempts(standing)] == expected
    assert [attempt.id for attempt in desk.ledger.attempts(first.job.id)] == expected[:1]


def test_the_last_result_of_each_checkout(desk: Desk, ledger: Ledger) -> None:
    desk.push("a", "b")
    desk.succeed(desk.claim(), revision(1))
    claimed = desk.claim()
    newer = desk.push("b").jobs[0]
    desk.crash(claimed)  # superseded: its successor tells the news
    results = ledger.last_results()
    assert set(results) == {"/repos/a", "/repos/b"}
    assert results["/repos/a"].revision == revision(1)
    assert results["/repos/a"].last_job is not None
    assert results["/repos/a"].last_job.state is State.SUCCEEDED
    assert results["/repos/b"].revision is None
    assert results["/repos/b"].last_job == desk.job(newer)


def test_what_is_not_there_is_none(ledger: Ledger) -> None:
    assert ledger.job(1) is None
    assert ledger.attempts(1) == []
    assert ledger.deliveries(1) == []
    assert ledger.last_results() == {}
    assert ledger.next_due() is None
    assert counts(ledger) == (0, 0)
