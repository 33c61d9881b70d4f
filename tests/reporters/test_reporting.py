"""What is told of jobs: by a real ledger and real threads, to a reporter that the test is."""

from __future__ import annotations

import logging
import threading

import pytest

from gitreload import reporting
from gitreload.ledger import Done
from gitreload.model import Mark, PermanentError, TransientError
from gitreload.reporting import Reporting
from helpers import wait_until
from ledger.builders import a_checkout, a_push, revision

from .room import Room

A, B, C = revision(0xA), revision(0xB), revision(0xC)


def test_a_commit_is_pending_and_then_ends(room: Room) -> None:
    room.desk.push()
    room.look()
    room.look()
    assert room.board.marks == [(A, Mark.PENDING)]
    job = room.end(A)
    room.look()
    room.look()
    assert room.board.marks == [(A, Mark.PENDING), (A, Mark.SUCCESS)]
    first, last = room.board.told
    assert (first.sentence, last.sentence) == ("waiting to be imported", "imported")
    assert last.url == f"https://x.example/jobs/{job}"
    assert last.forge == "github"
    assert [each.result for each in room.reports(job)] == ["delivered", "delivered"]


def test_a_failure_has_the_error_as_its_sentence_without_secrets(room: Room) -> None:
    room.desk.push()
    room.desk.fail(room.desk.claim(), "https://ada:pass@x.example/ is\nbroken")
    room.look()
    (news,) = room.board.told
    assert (news.mark, news.sentence) == (Mark.FAILURE, r"https://***@x.example/ is\nbroken")


def test_all_pushes_that_one_job_stands_for_end_as_it_ends(room: Room) -> None:
    room.desk.push(push=a_push(A))
    room.look()
    room.desk.push(push=a_push(B))
    room.look()
    room.end(C)
    room.look()
    pending = [(A, Mark.PENDING), (B, Mark.PENDING)]
    ended = [(C, Mark.SUCCESS), (A, Mark.SUCCESS), (B, Mark.SUCCESS)]
    assert room.board.marks[:2] == pending
    assert sorted(room.board.marks[2:]) == sorted(ended)
    about = {news.revision: news.sentence for news in room.board.told}
    assert about[A] == f"imported, with {C[:12]}"
    assert about[C] == "imported"


def test_the_marks_of_a_job_that_was_superseded_end_with_the_one_that_stands_for_it(
    room: Room,
) -> None:
    room.desk.push(push=a_push(A))
    claimed = room.desk.claim()
    room.look()
    room.desk.push(push=a_push(B))
    room.look()
    standing = room.desk.try_again(claimed)
    room.look()
    room.end(B)
    room.look()
    assert set(room.board.marks[2:]) == {(A, Mark.SUCCESS), (B, Mark.SUCCESS)}
    assert {each.revision for each in room.reports(standing)} == {A, B}


def test_a_transient_failure_stays_pending_until_it_lasts(room: Room) -> None:
    room.desk.push()
    room.look()
    for tries in range(1, 8):
        room.desk.try_again(room.desk.claim(), 0, tries)
        room.look()
        assert (room.board.marks[-1][1] is Mark.FAILURE) is (tries >= 5)
    assert room.board.marks == [(A, Mark.PENDING), (A, Mark.FAILURE)]
    assert room.board.told[-1].sentence == "failing, and still tried: no network"
    room.end(A)
    room.look()
    assert room.board.marks[2:] == [(A, Mark.SUCCESS)]


def test_a_retry_of_what_failed_is_pending_again(room: Room) -> None:
    room.desk.push()
    room.look()
    claimed = room.desk.claim()
    room.desk.fail(claimed)
    room.look()
    room.ledger.retry(claimed.job)
    room.look()
    room.end(A)
    room.look()
    marks = [Mark.PENDING, Mark.FAILURE, Mark.PENDING, Mark.SUCCESS]
    assert room.board.marks == [(A, mark) for mark in marks]


def test_what_is_held_or_cancelled_says_so(room: Room) -> None:
    room.ledger.hold(a_checkout())
    recorded = room.desk.push()
    room.look()
    room.ledger.cancel(room.desk.job(recorded.jobs[0]))
    room.look()
    assert [(news.mark, news.sentence) for news in room.board.told] == [
        (Mark.PENDING, "held: it waits until its checkout is released"),
        (Mark.FAILURE, "cancelled by hand"),
    ]


def test_a_job_by_hand_tells_of_what_it_found_and_only_what_is_new(room: Room) -> None:
    room.desk.sync()
    room.look()
    assert room.board.marks == []
    room.end(B)
    room.look()
    room.desk.sync()
    room.end(B, Done(skipped="already imported"))
    room.look()
    assert room.board.marks == [(B, Mark.SUCCESS)]
    room.desk.push(push=a_push(C))
    room.end(C, Done(skipped="already imported"))
    room.look()
    assert room.board.told[-1].sentence == "already imported"


def test_what_was_not_told_before_the_job_ended_is_not_told_any_more(room: Room) -> None:
    room.desk.push()
    room.board.trouble = TransientError("no network")
    room.look()
    job = room.end(A)
    room.board.trouble = None
    room.clock.advance(reporting.MOST_RETRY_SECONDS)
    room.look()
    assert room.board.marks == [(A, Mark.SUCCESS)]
    assert [each.result for each in room.reports(job)] == ["outdated", "delivered"]


def test_a_place_that_is_away_is_tried_again_with_patience(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    room.desk.push()
    room.board.trouble = TransientError("no network")
    room.look()
    for wait in (5, 10, 20):
        tries = room.board.tries
        room.clock.advance(wait - 1)
        room.look()
        assert room.board.tries == tries
        room.clock.advance(1)
        room.look()
        assert room.board.tries == tries + 1
    assert caplog.text.count("cannot be told now") == 1
    limit = TransientError("the rate limit is reached")
    limit.seconds = 900
    room.board.trouble = limit
    room.clock.advance(40)
    room.look()
    room.board.trouble = None
    room.clock.advance(899)
    room.look()
    assert room.board.told == []
    # The clock of the machine is set right, by years.
    room.clock.advance(-1e8)
    room.look()
    assert room.board.marks == [(A, Mark.PENDING)]
    assert room.board.again == [True]
    assert "can be told again" in caplog.text


def test_what_is_refused_for_good_is_not_tried_again_and_logged_once(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    room.board.trouble = PermanentError("the token may not do that")
    for number in (A, B):
        room.desk.push(push=a_push(number))
        job = room.end(number)
        room.look()
        room.clock.advance(reporting.LONGEST_SECONDS)
        room.look()
    assert room.board.tries == 2
    assert caplog.text.count("the token may not do that") == 1
    (refused,) = room.reports(job)
    assert (refused.result, refused.error) == ("refused", "the token may not do that")
    # Once that is mended, the same result is told.
    room.board.trouble = None
    room.desk.sync()
    room.end(B)
    room.look()
    assert room.board.marks == [(B, Mark.SUCCESS)]


def test_one_that_hangs_keeps_no_other_waiting(room: Room) -> None:
    room.board.hanging = threading.Event()
    room.desk.push("hanging", "course")
    room.reporting.attend()
    wait_until(lambda: room.board.told)
    assert [news.directory for news in room.board.told] == ["course"]
    # While it hangs, a newer state of the same commit waits for its turn.
    claimed = room.desk.claim()
    assert claimed.job.directory == "hanging"
    room.desk.succeed(claimed)
    room.reporting.attend()
    room.board.hanging.set()
    wait_until(lambda: room.settled() and len(room.board.told) == 3)
    hung = [news.mark for news in room.board.told if news.directory == "hanging"]
    assert hung == [Mark.PENDING, Mark.SUCCESS]


def test_after_a_kill_it_goes_on_and_knows_what_may_have_been_told(room: Room) -> None:
    room.desk.push()
    # It was killed after the board was told, and before that was noted.
    room.reporting.attend()
    room.restart()
    room.look()
    job = room.end(A)
    room.look()
    assert room.board.marks == [(A, Mark.PENDING), (A, Mark.PENDING), (A, Mark.SUCCESS)]
    assert room.board.again == [False, True, False]
    assert [each.result for each in room.reports(job)] == ["delivered", "delivered"]


def test_jobs_from_before_there_were_reporters_are_not_told(room: Room) -> None:
    room.reporters = []
    for number in range(3):
        room.desk.push(push=a_push(revision(number + 1)))
        room.end(revision(number + 1))
    room.look()
    room.desk.push(push=a_push(C))
    room.reporters = [room.board]
    room.look()
    assert room.board.marks == [(C, Mark.PENDING)]


def test_what_nobody_tells_any_more_is_outdated(room: Room) -> None:
    recorded = room.desk.push()
    room.board.trouble = TransientError("no network")
    room.look()
    room.reporters = []
    room.clock.advance(60)
    room.look()
    assert [each.result for each in room.reports(recorded.jobs[0])] == ["outdated"]


def test_a_job_that_only_runs_after_is_not_told(room: Room) -> None:
    room.ledger.owe_after_rollback(a_checkout(), 0)
    room.end(A)
    room.look()
    assert room.board.told == []


def test_reports_leave_with_their_job(room: Room) -> None:
    room.desk.push()
    job = room.end(A)
    room.look()
    room.clock.advance(40 * 86_400)
    room.ledger.prune(30, 1024)
    assert room.reports(job) == []


def test_one_process_reports_and_another_takes_over(
    room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reporting, "TICK_SECONDS", 0.02)
    stops = [threading.Event(), threading.Event()]
    threads = [
        threading.Thread(
            target=Reporting(room.ledger, lambda: room.reporters, lambda: None, stop).run
        )
        for stop in stops
    ]
    for thread in threads:
        thread.start()
    try:
        for stop, thread, known in zip(stops, threads, (0, 2), strict=True):
            room.desk.push(push=a_push(revision(known + 1)))
            wait_until(lambda known=known: len(room.board.told) == known + 1)  # type: ignore[misc]
            room.end(revision(known + 1))
            wait_until(lambda known=known: len(room.board.told) == known + 2)  # type: ignore[misc]
            stop.set()
            thread.join()
    finally:
        for stop in stops:
            stop.set()
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
