"""What is broken around us gives the right answer and a clear line, and mends without a restart."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.deployment import Answer, Deployment, deployment
from helpers import Remote, needs_mount, tmpfs, wait_until


@needs_mount
def test_a_full_disk_is_refused_and_forgotten_once_there_is_room(tmp_path: Path) -> None:
    with (
        tmpfs(tmp_path / "small", "8m"),
        deployment(tmp_path / "host", STATE_DIR=str(tmp_path / "small/state")) as here,
    ):
        remote = here.course("rivers")
        here.start()
        ballast = tmp_path / "small/ballast"
        with pytest.raises(OSError, match="No space"):
            _fill(ballast)
        answer = wait_until(lambda: _refused(here, remote), what="a refusal")
        assert answer.headers["retry-after"]
        assert "disk is full" in answer.body["msg"]
        here.logs("disk is full")
        ballast.unlink()
        revision = remote.commit({"a": "after\n"})
        assert here.deliver(remote, revision).status == 200
        here.settle()
        assert here.head("rivers") == revision


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as opened:
        while True:
            opened.write(b"\0" * 4096)


def _refused(here: Deployment, remote: Remote) -> Answer | None:
    answer = here.deliver(remote)
    return answer if answer.status == 503 else None


@needs_mount
def test_a_read_only_state_directory(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", "16m"):
        state = tmp_path / "small/state"
        state.mkdir()
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "small")], check=True)
        with deployment(tmp_path / "host", STATE_DIR=str(state)) as here:
            remote = here.course("rivers")
            here.start()
            answer = here.deliver(remote)
            assert answer.status == 503
            assert here.get("/readyz").status == 503
            here.logs(str(state))
            subprocess.run(["mount", "-o", "remount,rw", str(tmp_path / "small")], check=True)
            wait_until(lambda: here.get("/readyz").status == 200, what="a start")
            assert here.deliver(remote).status == 200
            here.settle()
            assert here.jobs()[0]["state"] == "succeeded"


def test_a_missing_repodir(here: Deployment) -> None:
    remote = here.course("rivers")
    away = here.repodir.rename(here.folder / "away")
    here.start()
    answer = here.deliver(remote)
    assert answer.status == 503
    assert str(here.repodir) in answer.body["msg"]
    away.rename(here.repodir)
    assert here.deliver(remote).status == 200
    here.settle()
    assert here.jobs()[0]["state"] == "succeeded"


def test_a_missing_platform_is_tried_again(here: Deployment) -> None:
    remote = here.course("rivers")
    away = here.platform.edx_platform.rename(here.folder / "away")
    here.start()
    [job] = here.deliver(remote).body["jobs"]
    wait_until(lambda: _show(here, job)["error"], what="a failed try")
    shown = _show(here, job)
    assert shown["state"] == "queued"
    assert "EDX_PLATFORM" in str(shown["error"])
    away.rename(here.platform.edx_platform)
    here.settle()
    assert _show(here, job)["state"] == "succeeded"


def test_a_remote_that_refuses_then_answers(here: Deployment) -> None:
    remote = here.course("rivers")
    away = remote.bare.rename(here.folder / "away")
    here.start()
    [job] = here.deliver(remote, "ab" * 20, route="/update").body["jobs"]
    wait_until(lambda: _show(here, job)["error"], what="a failed try")
    away.rename(remote.bare)
    revision = remote.commit({"a": "1\n"})
    here.deliver(remote, revision, route="/update")
    here.settle()
    assert here.head("rivers") == revision


def test_a_remote_that_stalls_does_not_hold_other_checkouts_for_ever(tmp_path: Path) -> None:
    with (
        _stalling_server() as url,
        deployment(tmp_path / "host", GIT_TIMEOUT_SECONDS=1, NUM_THREADS=1) as here,
    ):
        stalled = here.course("stalled")
        other = here.course("other")
        subprocess.run(
            ["git", "remote", "set-url", "origin", url], cwd=here.repodir / "stalled", check=True
        )
        here.write_config(REPOS={"stalled": {"REMOTES": [stalled.url]}})
        here.start()
        [job] = here.deliver(stalled, route="/update").body["jobs"]
        wait_until(lambda: _show(here, job)["error"], what="the end of the first try")
        revision = other.commit({"a": "1\n"})
        here.deliver(other, revision, route="/update")
        wait_until(lambda: here.head("other") == revision, what="the other checkout to be current")
        assert "GIT_TIMEOUT_SECONDS" in str(_show(here, job)["error"])


def _show(here: Deployment, job: int) -> dict[str, object]:
    return dict(json.loads(here.run("show", "--json", str(job)))["job"])


@contextmanager
def _stalling_server() -> Iterator[str]:
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/a/stalled.git"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for connection in held:
                connection.close()
