"""A recorded delivery, taken up again."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.forges import NOW, announced, raw
from gitreload import forges
from gitreload.checkouts import Checkouts
from gitreload.forges.standard import Sender
from gitreload.ledger import Arrival, Ledger, Received, Revisions
from gitreload.model import Action, GitreloadError, Outcome, Reason
from gitreload.receiver import Receiver
from gitreload.replay import replay
from helpers import Remote, git


class Desk:
    def __init__(self, folder: Path, empty: Path, remote: Remote) -> None:
        self.repodir, self.remote = folder / "repos", remote
        self.repodir.mkdir()
        (folder / "state").mkdir()
        shutil.copy(empty, folder / "state")
        self.ledger = Ledger.open(folder / "state", clock=lambda: NOW)
        self.checkouts = Checkouts(self.repodir, {})
        self.paths = forges.Paths()

    def clone(self, name: str) -> Path:
        return self.remote.clone(self.repodir / name)

    def deliver(
        self,
        forge: str = "github",
        action: Action = Action.IMPORT,
        padding: int = 0,
        **facts: Any,
    ) -> Received:
        """As the routes do it; `padding` makes the body longer by so many bytes."""
        told = announced(**{"url": self.remote.url, "secret": None, **facts})
        sender = Sender(self.paths) if forge == "standard" else forges.BY_NAME[forge]
        fields, body = sender.compose(told)
        if padding:
            body = json.dumps(json.loads(body) | {"padding": "x" * padding}).encode()
        headers = raw(fields)
        delivery = forges.read(headers, body, forges.Keys(unsigned=True, paths=self.paths), now=NOW)
        arrival = Arrival(delivery, action, NOW, None, forges.kept(forge, headers), body)
        receiver = Receiver(self.ledger, lambda: self.checkouts, lambda: None)
        receiver.start()
        receipt = asyncio.run(receiver.receive(arrival))
        receiver.stop(30)
        return self.received(receipt.delivery)

    def received(self, number: int) -> Received:
        found = self.ledger.delivery(number)
        assert found is not None
        return found

    def replay(self, delivery: Received) -> list[tuple[str, int, Outcome]]:
        queued = replay(self.ledger, self.checkouts, delivery, self.paths)
        return [(checkout.directory, job, outcome) for checkout, job, outcome in queued]

    def refused(self, delivery: Received) -> str:
        with pytest.raises(GitreloadError) as caught:
            replay(self.ledger, self.checkouts, delivery, self.paths)
        return str(caught.value)

    def succeed(self) -> None:
        claimed = self.ledger.claim("worker")
        assert claimed is not None
        self.ledger.succeed(claimed, Revisions(None, "1f" * 20))
        claimed.lock.release()


@pytest.fixture
def desk(tmp_path: Path, empty_ledger: Path, remote: Remote) -> Iterator[Desk]:
    desk = Desk(tmp_path, empty_ledger, remote)
    yield desk
    desk.ledger.close()


def test_what_was_done_is_done_again(desk: Desk) -> None:
    desk.clone("course")
    delivery = desk.deliver(action=Action.UPDATE)
    desk.succeed()
    assert desk.deliver(action=Action.UPDATE).outcome is Outcome.DUPLICATE
    assert desk.replay(delivery) == [("course", 2, Outcome.QUEUED)]
    job = desk.ledger.job(2)
    assert job is not None
    assert (job.action, job.reason, job.wanted) == (Action.UPDATE, Reason.REPLAY, "2e" * 20)
    assert [(each.job, each.after) for each in desk.ledger.asked_for(delivery)] == [
        (1, "2e" * 20),
        (2, "2e" * 20),
    ]


def test_what_waits_is_joined_and_told_once(desk: Desk) -> None:
    desk.clone("course")
    delivery = desk.deliver()
    assert desk.replay(delivery) == [("course", 1, Outcome.COALESCED)]
    assert desk.replay(delivery) == [("course", 1, Outcome.COALESCED)]
    assert [each.job for each in desk.ledger.asked_for(delivery)] == [1]


def test_it_reaches_what_its_pushes_match_now(desk: Desk) -> None:
    first = desk.clone("first")
    delivery = desk.deliver()
    desk.clone("second")
    git("checkout", "-q", "-b", "other", cwd=first)
    assert desk.replay(delivery) == [("second", 2, Outcome.QUEUED)]


@pytest.mark.parametrize("forge", [name for name in forges.BY_NAME if name != "sourcehut"])
def test_every_forge_is_understood_again(desk: Desk, forge: str) -> None:
    desk.clone("course")
    assert desk.replay(desk.deliver(forge)) == [("course", 1, Outcome.COALESCED)]


def test_a_sender_of_ones_own_is_understood_again(desk: Desk) -> None:
    desk.paths = forges.Paths(event="kind", ref="what.ref", urls=("where",))
    desk.clone("course")
    assert desk.replay(desk.deliver("standard")) == [("course", 1, Outcome.COALESCED)]


def test_where_nothing_matches_now_the_reasons_are_told(desk: Desk) -> None:
    course = desk.clone("course")
    delivery = desk.deliver()
    git("checkout", "-q", "-b", "other", cwd=course)
    assert desk.refused(delivery) == (
        "delivery 1 reaches no checkout now: course follows other, not main"
    )
    git("remote", "set-url", "origin", "https://forge.example/else/course", cwd=course)
    told = desk.refused(delivery)
    assert "this repository is not cloned here" in told
    assert "course follows https://forge.example/else/course" in told
    assert "REPOS.course.REMOTES" in told
    assert desk.ledger.job(2) is None


def test_of_what_is_not_kept_it_is_told_what_to_do(desk: Desk) -> None:
    ignored, ping = desk.deliver(ref="refs/tags/v1"), desk.deliver(ping=True)
    assert desk.refused(ignored) == (
        "of delivery 1 no body is kept, as it was ignored (refs/tags/v1 is not a branch): deliver "
        "it again from the forge, or queue its checkout with `gitreload sync`"
    )
    assert desk.refused(ping) == "delivery 2 was a test call: it asked for nothing"


def test_of_a_body_that_was_cut_it_takes_what_reached_checkouts(desk: Desk) -> None:
    desk.clone("course")
    long = 1_100_000
    delivery = desk.deliver(padding=long, delivery_id="one")
    assert desk.replay(delivery) == [("course", 1, Outcome.COALESCED)]
    desk.succeed()
    duplicate = desk.deliver(padding=long, delivery_id="one")
    assert duplicate.outcome is Outcome.DUPLICATE
    told = desk.refused(duplicate)
    assert told.startswith("what is kept of delivery 2 cannot be read again (")
    assert "gitreload sync" in told
