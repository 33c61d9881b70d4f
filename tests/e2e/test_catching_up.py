"""What was pushed while nobody was here is found at the start, whatever ends the one that looks."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.deployment import Deployment, deployment
from fakes.git_http import GitServer, git_server
from helpers import git, wait_until


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Deployment]:
    with deployment(tmp_path / "host", RECONCILE_MINUTES=30) as made:
        yield made


@pytest.fixture
def slow(here: Deployment) -> Iterator[GitServer]:
    """The remote of a checkout `slow`, which is behind, but whose server answers nobody."""
    with git_server(here.folder / "forge") as server:
        remote = here.course("slow")
        git("remote", "set-url", "origin", server.url("slow.git"), cwd=here.repodir / "slow")
        remote.commit({"a": "lost\n"})
        server.stall = True
        yield server


def test_the_import_of_a_lost_push_comes_at_the_start(here: Deployment) -> None:
    remote = here.course("rivers")
    server = here.start()
    assert here.deliver(remote, remote.commit({"a": "one\n"})).status == 200
    here.settle()
    here.stop(server)
    lost = remote.commit({"a": "lost\n"})
    os.utime(here.state_dir / "reconcile.lock", (0, 0))  # it was long ago
    here.start()
    wait_until(lambda: here.head("rivers") == lost)
    here.settle()
    [job, _] = json.loads(here.run("jobs", "--json"))
    assert (job["reason"], job["action"], job["state"]) == ("reconcile", "import", "succeeded")
    here.logs("rivers is behind")


def test_one_that_is_killed_while_it_looks_begins_anew(here: Deployment, slow: GitServer) -> None:
    server = here.start()
    wait_until(lambda: slow.seen)
    server.kill()
    server.wait()
    slow.stall = False
    slow.released.set()
    os.utime(here.state_dir / "reconcile.lock", (0, 0))  # a minute passes
    here.start()
    tip = git("rev-parse", "main", cwd=here.folder / "forge/slow.git")
    wait_until(lambda: here.head("slow") == tip)


def test_one_that_looks_stops_when_it_is_told_to(here: Deployment, slow: GitServer) -> None:
    server = here.start()
    wait_until(lambda: slow.seen)
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=25) == 0
    assert "stopped" in here.log.read_text()
    assert "error that should not be" not in here.log.read_text()
