"""Idle checkouts are tidied: real git, a clock that the test moves."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gitreload.git import tidying
from gitreload.housekeeping import IDLE_SECONDS, NICENESS, PAUSE_SECONDS, Housekeeper
from gitreload.model import Action
from gitreload.process import proc
from helpers import Remote, git, wait_until

from .conftest import DAY, Host


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


def age(host: Host, days: float) -> None:
    """Let all objects be so old, and have been given up by refs so long ago."""
    git_dir = host.repodir / "course/.git"
    for file in (git_dir / "objects").rglob("*"):
        os.utime(file, (then := time.time() - days * DAY, then))
    for log in (git_dir / "logs").rglob("*"):
        if log.is_file():
            log.write_text(re.sub(r"(?<=> )\d+", "1500000000", log.read_text()))


def there(host: Host, revision: str) -> bool:
    command = ["git", "cat-file", "-e", revision]
    return subprocess.run(command, cwd=host.repodir / "course", check=False).returncode == 0


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A git that, told to tidy, writes its id, niceness and command into this file, and hangs."""
    note = tmp_path / "note"
    real = shutil.which("git")
    script = tmp_path / "bin/git"
    script.parent.mkdir()
    script.write_text(
        '#!/bin/sh\nif [ "$1" = repack ] || [ "$1" = gc ]; then\n'
        f'echo $$ $(nice) $1 > "{note}.new"; mv "{note}.new" "{note}"; exec sleep 600\nfi\n'
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


@pytest.mark.parametrize("what", ["repack", "gc"])
def test_a_push_ends_it_at_once(host: Host, remote: Remote, slow: Path, what: str) -> None:
    updated(host, remote, 4 if what == "repack" else 1)
    if what == "gc":
        (host.repodir / "course/dropped").write_text("dropped\n")
        git("hash-object", "-w", "dropped", cwd=host.repodir / "course")
    host.now += IDLE_SECONDS + 1
    thread = threading.Thread(target=keeper(host).attend)
    thread.start()
    wait_until(slow.exists)
    pid, niceness, command = slow.read_text().split()
    assert (int(niceness), command) == (NICENESS, what)
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


class TestDropped:
    """What no ref leads to any more: the history before a push that rewrote it."""

    @pytest.fixture
    def dropped(self, host: Host, remote: Remote) -> str:
        before = updated(host, remote, 1)
        git("commit", "-q", "--amend", "-m", "another", cwd=remote.work)
        remote.push("main", "--force")
        host.sync(action=Action.UPDATE)
        host.work()
        assert host.head() != before
        host.now += IDLE_SECONDS + 1
        return before

    def test_goes_once_it_is_old_and_all_else_stays(
        self, host: Host, dropped: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        course = host.repodir / "course"
        made = []
        for number in range(3):
            git("switch", "-q", "--detach", cwd=course)
            git("commit", "-q", "--allow-empty", "-m", f"only here {number}", cwd=course)
            made.append(git("rev-parse", "HEAD", cwd=course))
            git("switch", "-q", "main", cwd=course)
        git("branch", "mine", made[0], cwd=course)
        git("worktree", "add", "-q", "--detach", str(tmp_path / "tree"), made[1], cwd=course)
        for text in ("first", "second"):
            (course / "a").write_text(text)
            git("stash", "-q", cwd=course)
        made += git("rev-parse", "stash@{0}", "stash@{1}", cwd=course).splitlines()
        (course / "staged").write_text("staged\n")
        git("add", "staged", cwd=course)
        made.append(git("rev-parse", ":staged", cwd=course))
        given_up = made.pop(2)
        age(host, 15)
        keeper(host).attend()
        assert not there(host, dropped)
        assert not there(host, given_up)
        assert all(there(host, each) for each in (*made, "origin/main", "HEAD"))
        assert "objects that were dropped long ago" in caplog.text
        git("fsck", "--strict", cwd=course)
        assert git("for-each-ref", "--format=%(refname)", "refs/heads", cwd=course).split() == [
            "refs/heads/main",
            "refs/heads/mine",
        ]

    def test_stays_for_two_weeks_and_no_longer_though_packs_are_joined(
        self, host: Host, remote: Remote, dropped: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        age(host, 13)
        keeper(host).attend()
        assert there(host, dropped)
        before = packs(host)
        updated(host, remote, 4)
        host.now += IDLE_SECONDS + 1
        keeper(host).attend()
        assert len(set(packs(host)) - set(before)) == 1
        # A few days later.
        monkeypatch.setattr(tidying, "GRACE", "12.days.ago")
        host.now += tidying.WEEK
        keeper(host).attend()
        assert not there(host, dropped)

    def test_stays_where_a_reflog_leads_to_it(self, host: Host, dropped: str) -> None:
        keeper(host).attend()
        assert there(host, "main@{1}")
        assert there(host, dropped)

    def test_it_is_looked_for_once_a_week(self, host: Host, dropped: str) -> None:
        keeper(host).attend()
        age(host, 15)
        host.now += tidying.WEEK - 1
        keeper(host).attend()
        assert there(host, dropped)
        host.now += 1
        keeper(host).attend()
        assert not there(host, dropped)


def test_where_nothing_was_dropped_nothing_is_written_anew(host: Host, remote: Remote) -> None:
    updated(host, remote, 1)
    host.now += IDLE_SECONDS + 1
    before = [(pack, pack.stat().st_mtime_ns) for pack in packs(host)]
    keeper(host).attend()
    assert [(pack, pack.stat().st_mtime_ns) for pack in packs(host)] == before
    assert not (host.repodir / "course/.git/refs/heads/main").exists()


def test_what_fails_is_told_once_and_tried_once_a_day(
    host: Host, remote: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    updated(host, remote, 4)
    lost = host.repodir / "course/.git/objects/pack/tmp_pack_lost"
    lost.mkdir()
    own = keeper(host)
    for _ in range(3):
        host.now += PAUSE_SECONDS
        own.attend()
    assert caplog.text.count("course cannot be tidied, and is tried once a day") == 1
    lost.rmdir()
    before = packs(host)
    own.attend()
    assert packs(host) == before
    host.now += PAUSE_SECONDS
    own.attend()
    assert len(packs(host)) < 3


def test_packs_that_are_not_joined_do_not_count(host: Host, remote: Remote) -> None:
    updated(host, remote, 4)
    for pack in packs(host):
        pack.with_suffix(".keep").touch()
    host.now += IDLE_SECONDS + 1
    assert tidying.untidy(host.checkout(), host.now)
    keeper(host).attend()
    assert not tidying.untidy(host.checkout(), host.now)


KILLED = """
import os, sys, threading
from pathlib import Path
from gitreload import config, housekeeping
from gitreload.attempt import Tools
from gitreload.checkouts import Checkouts
from gitreload.git import tidying
from gitreload.ledger import Ledger

tidying.MOST_PACKS = 2
settings = config.load(os.environ, Path("/")).settings
tools = Tools(settings, Checkouts.of(settings), None)
ledger = Ledger.open(settings.state_dir, "pool", lambda: float(sys.argv[1]))
housekeeping.Housekeeper(ledger, lambda: tools, print, threading.Event()).attend()
"""


def test_what_a_killed_process_left_running_is_ended_by_the_next(
    host: Host, remote: Remote, slow: Path
) -> None:
    updated(host, remote, 4)
    host.now += IDLE_SECONDS + 1
    folders = {"REPODIR": host.repodir, "STATE_DIR": host.folder / "state"}
    environ = os.environ | {f"GITRELOAD_{name}": str(path) for name, path in folders.items()}
    killed = subprocess.Popen([sys.executable, "-c", KILLED, str(host.now)], env=environ)
    wait_until(slow.exists)
    pid = slow.read_text().split()[0]
    killed.kill()
    killed.wait()
    tip = remote.commit({"a": "pushed"})
    host.sync(action=Action.UPDATE)
    assert host.work() == []
    woken = threading.Event()
    successor = Housekeeper(host.ledger, lambda: host.tools, woken.set, host.stopping)
    thread = threading.Thread(target=successor.run)
    thread.start()
    assert woken.wait(60)
    assert not proc.in_group(int(pid))
    host.work()
    assert host.head() == tip
    host.stopping.set()
    thread.join(60)
