"""Idle checkouts are tidied: real git, a clock that the test moves."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from gitreload.git import tidying
from gitreload.housekeeping import IDLE_SECONDS, NICENESS, Housekeeper
from gitreload.model import Action
from helpers import Remote, git, wait_until

from .conftest import Host


def packs(host: Host) -> list[Path]:
    return list((host.repodir / "course/.git/objects/pack").glob("*.pack"))


def keeper(host: Host) -> Housekeeper:
    return Housekeeper(host.ledger, lambda: host.tools, lambda: None, host.stopping)


def updated(host: Host, remote: Remote, times: int) -> str:
    for number in range(times):
        tip = remote.commit({"a": str(number)})
        host.sync(action=Action.UPDATE)
        host.work()
    return tip


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A git whose repack first writes its id and niceness into this file, then takes ages."""
    note = tmp_path / "note"
    real = shutil.which("git")
    script = tmp_path / "bin/git"
    script.parent.mkdir()
    script.write_text(
        '#!/bin/sh\nif [ "$1" = repack ]; then\n'
        f'echo $$ $(nice) > "{note}.new"; mv "{note}.new" "{note}"; exec sleep 600\nfi\n'
        f'exec {real} "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    return note


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "MOST_PACKS", 2)


def test_packs_are_joined_once_it_is_idle(
    host: Host, remote: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    updated(host, remote, 4)
    before = len(packs(host))
    assert before > 3
    keeper(host).attend()
    assert len(packs(host)) == before
    host.now += IDLE_SECONDS + 1
    keeper(host).attend()
    assert len(packs(host)) < 3
    assert f"tidied course: joined {before} packs into {len(packs(host))}" in caplog.text
    git("fsck", "--strict", cwd=host.repodir / "course")


def test_one_that_is_owed_a_job_or_locked_is_left_alone(host: Host, remote: Remote) -> None:
    updated(host, remote, 4)
    before = len(packs(host))
    host.now += IDLE_SECONDS + 1
    lock = host.ledger.lock_checkout(host.checkout().path)
    assert lock is not None
    with lock:
        keeper(host).attend()
    host.sync()
    keeper(host).attend()
    assert len(packs(host)) == before


def test_a_push_ends_it_at_once(host: Host, remote: Remote, slow: Path) -> None:
    updated(host, remote, 4)
    host.now += IDLE_SECONDS + 1
    thread = threading.Thread(target=keeper(host).attend)
    thread.start()
    pid, niceness = wait_until(lambda: slow.read_text().split() if slow.exists() else None)
    assert int(niceness) == NICENESS
    assert host.ledger.claim("worker") is None
    host.push(remote, tip := remote.commit({"a": "pushed"}), Action.UPDATE)
    thread.join(60)
    assert not thread.is_alive()
    assert not Path("/proc", pid).exists()
    host.work()
    assert host.head() == tip


def test_what_a_killed_repack_left_is_sound_and_tidied_later(
    host: Host, remote: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    tip = updated(host, remote, 4)
    course = host.repodir / "course"
    for delay in (0.0, 0.005, 0.01, 0.02):
        command = ["git", "repack", "--geometric=2", "-d", "-l", "-q"]
        with subprocess.Popen(command, cwd=course, start_new_session=True) as repack:
            time.sleep(delay)  # wherever it is by then
            os.killpg(repack.pid, signal.SIGKILL)
        git("fsck", "--strict", cwd=course)
        assert host.head() == tip
    (course / ".git/objects/pack/tmp_pack_half").write_bytes(b"PACK")
    (course / ".git/objects/pack/.tmp-1-pack-half.pack").write_bytes(b"PACK")
    caplog.set_level(logging.INFO)
    host.now += IDLE_SECONDS + 1
    keeper(host).attend()
    assert "of packs that were never finished" in caplog.text
    names = os.listdir(course / ".git/objects/pack")  # noqa: PTH208
    assert not [name for name in names if "tmp" in name]
    git("fsck", "--strict", cwd=course)
