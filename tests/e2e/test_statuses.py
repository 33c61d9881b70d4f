"""A whole deployment marks commits at a forge, and is killed meanwhile."""

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
