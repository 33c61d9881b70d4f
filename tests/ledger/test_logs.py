"""Attempts' logs: complete up to a size, then their head and their tail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitreload.ledger import LedgerUnavailable, logs
from gitreload.ledger.logs import AttemptLog
from helpers import wait_until

from .builders import Desk

LINE = "x" * 1023
ROUND = 1024


@pytest.fixture
def attempt(desk: Desk) -> Iterator[int]:
    desk.push()
    claimed = desk.claim()
    yield claimed.attempt.id
    claimed.lock.release()


def text(desk: Desk, attempt: int, after: int = 0) -> str:
    return "".join(part for _, part in desk.ledger.log(attempt, after))


def test_lines_arrive_while_the_attempt_runs(desk: Desk, attempt: int) -> None:
    log = desk.ledger.logs.open(attempt)
    log.write("first")
    wait_until(lambda: text(desk, attempt) == "first\n")
    seen = desk.ledger.log(attempt)[-1][0]
    log.write("second")
    log.write("third")
    wait_until(lambda: text(desk, attempt, seen) == "second\nthird\n")
    desk.ledger.logs.close(log)
    assert text(desk, attempt) == "first\nsecond\nthird\n"


def test_closing_writes_what_is_left(desk: Desk, attempt: int) -> None:
    log = desk.ledger.logs.open(attempt)
    for number in range(1000):
        log.write(f"line {number}")
    desk.ledger.logs.close(log)
    assert text(desk, attempt).splitlines() == [f"line {number}" for number in range(1000)]


def test_a_line_may_hold_what_no_file_can_encode(desk: Desk, attempt: int) -> None:
    log = desk.ledger.logs.open(attempt)
    log.write("caf\udce9 😀")
    desk.ledger.logs.close(log)
    assert text(desk, attempt) == "caf\\udce9 😀\n"


@pytest.mark.parametrize("flushes", [1, 40], ids=["at once", "bit by bit"])
def test_what_is_too_long_keeps_head_and_tail(desk: Desk, attempt: int, flushes: int) -> None:
    """4 MiB: whether it comes as one flood between two flushes or in the course of time."""
    writer = desk.ledger.logs
    log = AttemptLog(attempt, lambda: None)
    lines = [f"{number:07} {LINE[8:]}" for number in range(4 * ROUND)]
    step = len(lines) // flushes
    for start in range(0, len(lines), step):
        for line in lines[start : start + step]:
            log.write(line)
        writer.close(log)
    kept = text(desk, attempt)
    assert len(kept) <= 1024 * ROUND + 2 * logs.CHUNK_CHARACTERS
    whole = "".join(line + "\n" for line in lines)
    head, gap, tail = kept.partition("[… ")
    count, _, tail = tail.partition(" characters left out …]\n")
    assert gap
    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert len(head) >= 512 * ROUND
    assert len(tail) >= 512 * ROUND - logs.CHUNK_CHARACTERS
    assert len(head) + int(count) + len(tail) == len(whole)


def test_a_flood_does_not_fill_the_memory(attempt: int) -> None:
    log = AttemptLog(attempt, lambda: None)
    for _ in range(8 * ROUND):
        log.write(LINE)
    changes = log.take()
    assert sum(map(len, changes.chunks.values())) < 1024 * ROUND + 2 * logs.CHUNK_CHARACTERS


def test_what_could_not_be_written_is_written_later(
    desk: Desk, attempt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "RETRY_SECONDS", 0.01)
    log = desk.ledger.logs.open(attempt)
    log.write("before")
    wait_until(lambda: text(desk, attempt) == "before\n")
    tried = []

    def unavailable(*_args: object, **_options: object) -> None:
        tried.append(1)
        raise LedgerUnavailable("the disk is full")

    with monkeypatch.context() as outage:
        outage.setattr(desk.ledger.database, "write", unavailable)
        log.write("during")
        wait_until(lambda: tried)
        log.write("the end")
        with pytest.raises(LedgerUnavailable):
            desk.ledger.logs.close(log)
    desk.ledger.logs.close(log)
    assert text(desk, attempt) == "before\nduring\nthe end\n"


def test_one_that_cannot_be_written_hinders_no_other(
    desk: Desk, attempt: int, caplog: pytest.LogCaptureFixture
) -> None:
    unknown, log = desk.ledger.logs.open(999), desk.ledger.logs.open(attempt)
    for each in (unknown, log):
        each.write("before")
    wait_until(lambda: text(desk, attempt) == "before\n")
    assert "the log of attempt 999 cannot be written now" in caplog.text
    log.write("after")
    wait_until(lambda: text(desk, attempt) == "before\nafter\n")
    desk.ledger.logs.close(log)


def test_many_logs_at_once(desk: Desk) -> None:
    desk.push("a", "b", "c")
    claimed = [desk.claim() for _ in range(3)]
    opened = [desk.ledger.logs.open(one.attempt.id) for one in claimed]
    for number in range(300):
        opened[number % 3].write(f"{number}")
    for log in opened:
        desk.ledger.logs.close(log)
    for place, one in enumerate(claimed):
        expected = [f"{number}" for number in range(place, 300, 3)]
        assert text(desk, one.attempt.id).splitlines() == expected


@given(
    st.lists(
        st.one_of(st.integers(0, 30), st.just("flush"), st.just("fail")), min_size=1, max_size=60
    )
)
def test_bounds_hold_for_any_rhythm(steps: list[int | str]) -> None:
    """Chunks as a database would hold them, with small limits: nothing twice, nothing amiss."""
    with pytest.MonkeyPatch.context() as small:
        small.setattr(logs, "HEAD_CHARACTERS", 40)
        small.setattr(logs, "TAIL_CHARACTERS", 40)
        small.setattr(logs, "CHUNK_CHARACTERS", 16)
        log = AttemptLog(1, lambda: None)
        stored: dict[int, str] = {}
        gap = 0
        written = ""
        for step in [*steps, "flush"]:
            if isinstance(step, int):
                line = chr(ord("a") + step % 26) * step
                written += line + "\n"
                log.write(line)
                continue
            changes = log.take()
            if step == "fail":
                log.give_back(changes)
                continue
            assert not stored.keys() & changes.chunks.keys()
            stored = {
                seq: chunk
                for seq, chunk in (stored | changes.chunks).items()
                if not logs.GAP_SEQ < seq <= changes.dropped
            }
            gap = changes.gap or gap
    head = "".join(stored[seq] for seq in sorted(stored) if seq < logs.GAP_SEQ)
    tail = "".join(stored[seq] for seq in sorted(stored) if seq > logs.GAP_SEQ)
    assert len(head) + gap + len(tail) == len(written)
    assert written.startswith(head)
    assert written.endswith(tail)
    assert len(head) < 40 + 16
    assert len(tail) <= 40
    if gap:
        assert len(head) >= 40
