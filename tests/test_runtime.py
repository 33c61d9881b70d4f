"""A runtime starts whole or not at all, and outlives what its disk does to it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from gitreload import config, keeper, runtime
from gitreload.checkouts import RepodirError
from gitreload.ledger import Ledger, LedgerUnavailable
from gitreload.locks import Lock, slot_path
from gitreload.model import GitreloadError, PermanentError, TransientError
from gitreload.runtime import Runtime
from helpers import wait_until


@pytest.fixture
def made(tmp_path: Path, empty_ledger: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.setattr(keeper, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(runtime, "START_RETRY_SECONDS", 0.01)
    (tmp_path / "repos").mkdir()
    (tmp_path / "state").mkdir()
    shutil.copy(empty_ledger, tmp_path / "state")
    values = {"REPODIR": str(tmp_path / "repos"), "STATE_DIR": str(tmp_path / "state")}
    file = tmp_path / "gr.env.json"
    file.write_text(json.dumps(values))
    return Runtime(config.load({"GITRELOAD_CONFIG": str(file), "HOME": str(tmp_path)}))


def test_a_start_that_fails_leaves_nothing_and_is_repeated(
    made: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise LedgerUnavailable("the disk is full")

    before = set(threading.enumerate())
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "enter_worker", full)
        with pytest.raises(LedgerUnavailable):
            made.start()
        assert set(threading.enumerate()) == before
        assert list((tmp_path / "state" / "workers").iterdir()) == []
        with pytest.raises(LedgerUnavailable, match="not open yet: it is starting"):
            made.ready()
        made.start_patiently(2)
    wait_until(lambda: made.receiver)
    wait_until(lambda: len(list((tmp_path / "state" / "workers").iterdir())) == 1)
    wait_until(lambda: not any(thread.name == "starter" for thread in threading.enumerate()))
    wait_until(lambda: is_ready(made))
    made.stop(5)


def test_a_start_that_ends_after_the_stop_leaves_nothing(
    made: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter, tries = Ledger.enter_worker, iter([False, True])
    starting, go_on = threading.Event(), threading.Event()

    def slow(ledger: Ledger, worker: str) -> None:
        enter(ledger, worker)
        if not next(tries):
            raise LedgerUnavailable("the disk is full")
        starting.set()
        go_on.wait(30)

    before = set(threading.enumerate())
    monkeypatch.setattr(Ledger, "enter_worker", slow)
    made.start_patiently(2)
    assert starting.wait(30)
    made.stop(5)
    go_on.set()
    wait_until(lambda: set(threading.enumerate()) == before)
    assert (made.ledger, made.receiver) == (None, None)
    assert list((tmp_path / "state" / "workers").iterdir()) == []


@pytest.mark.parametrize("serving", [True, False])
def test_the_token_is_made_by_who_serves(made: Runtime, tmp_path: Path, serving: bool) -> None:
    started = Runtime(made.config, serving=serving)
    started.start()
    assert (tmp_path / "state" / "token").exists() is serving
    started.stop(5)


def test_a_token_that_cannot_be_made_keeps_nobody_from_serving(
    made: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state" / "token").symlink_to("/nowhere/token")
    made.start()
    assert "there is no token" in caplog.text
    wait_until(lambda: is_ready(made))
    made.stop(5)


class TestReady:
    def test_needs_a_process_that_works(
        self, made: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        slots = tmp_path / "state" / "slots"
        slots.write_text("in the way")
        made.start()
        wait_until(lambda: "cannot take worker slots now" in caplog.text)
        with pytest.raises(TransientError, match="no process on this host holds a worker slot"):
            made.ready()
        slots.unlink()
        wait_until(lambda: is_ready(made))
        made.stop(5)
        assert caplog.text.count("cannot take worker slots now") == 1
        assert "can take worker slots again" in caplog.text

    def test_is_as_good_with_the_workers_of_another_process(self, made: Runtime) -> None:
        other = Runtime(made.config, serving=False)
        other.start()
        wait_until(lambda: is_ready(other))
        made.start()
        made.ready()
        other.stop(5)
        made.stop(5)
        with pytest.raises(TransientError, match="is stopping"):
            made.ready()

    def test_names_threads_that_ended(self, made: Runtime) -> None:
        made.start()
        wait_until(lambda: is_ready(made))
        assert made.receiver is not None
        made.receiver._look.stop()
        made.receiver._look.thread.join()
        with pytest.raises(PermanentError, match=r"ended unexpectedly \(looks\): restart"):
            made.ready()
        made.stop(5)

    def test_says_that_repodir_is_away(self, made: Runtime, tmp_path: Path) -> None:
        made.start()
        wait_until(lambda: is_ready(made))
        (tmp_path / "repos").rename(tmp_path / "away")
        wait_until(lambda: not is_ready(made))
        with pytest.raises(RepodirError, match=f"REPODIR {tmp_path}/repos does not exist"):
            made.ready()
        made.stop(5)

    def test_does_not_commit_for_everybody_who_asks(
        self, made: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made.start()
        wait_until(lambda: is_ready(made))
        monkeypatch.setattr(runtime, "READY_SECONDS", 0.0)
        reader = sqlite3.connect(tmp_path / "state" / "ledger.sqlite3")

        def changed_by_a_look() -> bool:
            before = reader.execute("PRAGMA data_version").fetchone()
            made.ready()
            return bool(reader.execute("PRAGMA data_version").fetchone() != before)

        wait_until(changed_by_a_look)  # the last look is forgotten
        monkeypatch.setattr(runtime, "READY_SECONDS", 3600.0)
        made.ready()
        assert not changed_by_a_look()
        reader.close()
        made.stop(5)


def is_ready(started: Runtime) -> bool:
    try:
        started.ready()
    except GitreloadError:
        return False
    return True


def test_one_duty_that_fails_keeps_no_other_from_being_done(
    made: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object) -> None:
        raise LedgerUnavailable("the disk is full")

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    pruned = threading.Event()
    monkeypatch.setattr(Ledger, "running_workers", away)
    monkeypatch.setattr(Ledger, "cancelling", broken)
    monkeypatch.setattr(Ledger, "prune", lambda *_: pruned.set())
    made.start()
    wait_until(lambda: is_ready(made))
    assert pruned.wait(30)
    made.stop(5)
    told = "cannot recover the jobs of dead workers now: the disk is full"
    assert caplog.messages.count(told) == 1
    assert "cannot look for jobs to cancel now: an error that should not be" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_who_lost_the_first_slot_leads_no_more(
    made: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def end(*_: object) -> None:
        ended.set()
        raise SystemExit  # ends the worker's thread

    leads: list[int] = []
    ticks: list[int] = []

    def tick(_: Ledger) -> tuple[int, ...]:
        ticks.append(1)
        return ()

    monkeypatch.setattr(Ledger, "claim", end)
    monkeypatch.setattr(Runtime, "_lead", lambda _: leads.append(1))
    monkeypatch.setattr(Ledger, "prune", lambda *_: None)
    made.start()
    assert ended.wait(30)
    slot = wait_until(lambda: Lock.take(slot_path(tmp_path / "state", 0)), what="a free slot")
    monkeypatch.setattr(Ledger, "cancelling", tick)

    def after_ticks(number: int) -> int:
        until = len(ticks) + number
        wait_until(lambda: len(ticks) >= until)
        return len(leads)

    assert after_ticks(2) == after_ticks(3)
    slot.release()
    made.stop(5)


def test_of_several_the_one_that_gets_the_first_slot_tells_the_rest(
    made: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    other = Runtime(made.config)
    for each in (made, other):
        each.start_patiently(2)
        each.tell("serves", alone=False)
    wait_until(lambda: any("checkouts followed" in line for line in caplog.messages))
    made.stop(5)
    wait_until(lambda: sum("checkouts followed" in line for line in caplog.messages) == 2)
    other.stop(5)
    assert sum(" serves; git " in line for line in caplog.messages) == 2
    assert sum(line.startswith("deliveries: ") for line in caplog.messages) == 2
