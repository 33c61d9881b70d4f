"""A runtime starts whole or not at all, and outlives what its disk does to it."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from gitreload import config, runtime
from gitreload.ledger import Ledger, LedgerUnavailable
from gitreload.runtime import Runtime
from helpers import wait_until


@pytest.fixture
def made(tmp_path: Path, empty_ledger: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.setattr(runtime, "TICK_SECONDS", 0.01)
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
        with pytest.raises(LedgerUnavailable, match="not open yet"):
            made.ready()
        made.start_patiently()
    wait_until(lambda: made.receiver)
    wait_until(lambda: len(list((tmp_path / "state" / "workers").iterdir())) == 1)
    wait_until(lambda: not any(thread.name == "starter" for thread in threading.enumerate()))
    made.ready()
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
    made.start_patiently()
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
    made.ready()
    made.stop(5)


def test_slots_that_cannot_be_taken_now_are_taken_later(
    made: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slots = tmp_path / "state" / "slots"
    slots.write_text("in the way")
    made.start()
    wait_until(lambda: "no worker slot can be taken now" in caplog.text)
    made.ready()
    slots.unlink()
    wait_until(lambda: any(thread.name == "worker 0" for thread in threading.enumerate()))
    made.stop(5)
