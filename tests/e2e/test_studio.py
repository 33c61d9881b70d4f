"""Courses of a whole gitreload, imported into a Studio elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.deployment import Deployment, deployment
from fakes.studio import CLIENT_SECRET, StudioServer, studio
from helpers import Remote, wait_until

KEY = "course-v1:Brook+sicp+2026"


@pytest.fixture
def server() -> Iterator[StudioServer]:
    with studio() as running:
        running.courses = {KEY: {}}
        running.at_once = True
        yield running


@pytest.fixture
def here(tmp_path: Path, server: StudioServer) -> Iterator[Deployment]:
    with deployment(
        tmp_path / "host", IMPORTER="studio", STUDIO=server.settings, NUM_THREADS=2
    ) as made:
        yield made


def deliver(here: Deployment, remote: Remote) -> None:
    assert here.deliver(remote).body["outcome"] == "queued"


def test_a_course_in_two_checkouts_goes_to_studio_whatever_is_killed(
    here: Deployment, server: StudioServer
) -> None:
    """Two imports of one course at once would break each other, and one goes on without us."""
    remote = here.course("sicp")
    remote.clone(here.repodir / "again")
    first = here.start()
    server.held_at = "Updating"
    deliver(here, remote)
    wait_until(lambda: [task for task in server.uploads if task.state == "Updating"])
    wait_until(lambda: [*(here.state_dir / "studio").glob("*.json")])
    here.kill(first, tree=True)
    server.held_at = None
    here.start()
    here.settle()
    assert [job["state"] for job in here.jobs()] == ["succeeded", "succeeded"]
    assert [task.state for task in server.uploads] == ["Succeeded", "Succeeded"]
    assert server.courses[KEY]["course.xml"] == (remote.work / "course.xml").read_bytes()
    assert not any(name.startswith(".git/") for name in server.courses[KEY])
    logs = [here.run("logs", str(job["id"])) for job in here.jobs()]
    assert any("an earlier attempt has uploaded just this" in log for log in logs)
    told = "".join([*logs, here.run("config"), here.log.read_text()])
    assert CLIENT_SECRET not in told
    assert not any(token in told for token in server.tokens)

    server.findings = ["ERROR InvalidXML chapter/rivers.xml", "ERROR TagMismatch x.xml"]
    remote.commit({"about/overview.html": "<p>Another</p>"})
    deliver(here, remote)
    here.settle()
    newest = max(here.jobs(), key=lambda job: int(job["id"]))
    assert newest["state"] == "failed"
    assert "ERROR InvalidXML chapter/rivers.xml (and 1 more)" in newest["error"]
    assert "ERROR TagMismatch x.xml" in here.run("logs", str(newest["id"]))
