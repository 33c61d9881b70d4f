"""An author sees at the commit what became of it, whatever is killed meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.deployment import Deployment, deployment
from fakes.status_api import TOKEN, StatusApi, status_api
from gitreload.ledger import Ledger
from helpers import Remote, git, wait_until


@pytest.fixture
def forge() -> Iterator[StatusApi]:
    with status_api("gitea") as server:
        yield server


@pytest.fixture
def here(tmp_path: Path, forge: StatusApi) -> Iterator[Deployment]:
    status = {"TOKEN": TOKEN, "URL": forge.site, "FORGE": "gitea"}
    with deployment(tmp_path / "host", STATUS=status, PUBLIC_URL="https://x.example") as made:
        yield made


def course(here: Deployment, forge: StatusApi) -> Remote:
    """A course whose origin is at the forge, and which git finds on this disk all the same."""
    remote = here.course("course")
    checkout = here.repodir / "course"
    git("remote", "set-url", "origin", forge.origin, cwd=checkout)
    git("config", f"url.{remote.url}.insteadOf", forge.origin, cwd=checkout)
    return remote


def told(here: Deployment) -> list[tuple[str, str]]:
    """The marks of the newest job, and what became of each; nothing while one is owed."""
    ledger = Ledger.open(here.state_dir)
    try:
        reports = ledger.reports(ledger.find_jobs(limit=1)[0].id)
    finally:
        ledger.close()
    owed = any(report.result == "owed" for report in reports)
    return [] if owed else [(report.mark, report.result) for report in reports]


def test_a_mistake_is_red_with_its_place_and_the_next_commit_green(
    here: Deployment, forge: StatusApi
) -> None:
    remote = course(here, forge)
    here.start()
    right = (remote.work / "course.xml").read_text()
    wrong = remote.commit({"chapter/week1.xml": "<chapter>\n<sequential>\n</chapter>\n"})
    here.deliver(remote, wrong)
    wait_until(lambda: forge.marks[-1:] == ["failure"])
    red = forge.given[-1]
    assert (red.sha, red.context) == (wrong, "gitreload/course")
    assert red.description.startswith("chapter/week1.xml:3:3: "), red.description
    fixed = remote.commit({"chapter/week1.xml": "<chapter/>\n", "course.xml": right})
    here.deliver(remote, fixed)
    wait_until(lambda: forge.marks[-1:] == ["success"])
    assert forge.given[-1].sha == fixed
    for sha, ends in ((wrong, "failure"), (fixed, "success")):
        marks = [given.mark for given in forge.given if given.sha == sha]
        assert marks in (["pending", ends], [ends])
    job = here.jobs()[0]["id"]
    assert forge.given[-1].url == f"https://x.example/jobs/{job}"
    assert wait_until(lambda: told(here))[-1] == ("success", "delivered")


def test_a_kill_in_the_middle_of_telling_tells_nothing_twice(
    here: Deployment, forge: StatusApi
) -> None:
    remote = course(here, forge)
    forge.hanging, forge.hangs = threading.Event(), "success"
    process = here.start()
    sha = remote.commit({"about/overview.html": "<p>new</p>\n"})
    here.deliver(remote, sha, route="/update")
    wait_until(lambda: any(asked.endswith(" success") for asked in forge.requests))
    here.kill(process, tree=True)
    # The forge keeps what the killed one had sent, and nobody knows.
    forge.hanging.set()
    wait_until(lambda: forge.marks[-1:] == ["success"])
    here.start()
    assert wait_until(lambda: told(here))[-1] == ("success", "delivered")
    assert forge.marks in (["pending", "success"], ["success"])
    assert forge.strangers == []
