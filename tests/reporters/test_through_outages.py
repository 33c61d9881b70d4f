"""Commit statuses arrive in order, once for each state, whatever fails on the way."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from itertools import count, pairwise

import pytest

from fakes.status_api import TOKEN, StatusApi, status_api
from gitreload import config
from gitreload.ledger import Arrival, Claimed, Entry, Target
from gitreload.model import Action, Delivery, Push
from gitreload.reporters.statuses import Statuses
from ledger.builders import a_checkout, revision

from .room import Room

STEPS = 60
FINAL = ("success", "failure")


class Life:
    """What happens to one host and one forge, at random."""

    def __init__(self, room: Room, forge: StatusApi, seed: int) -> None:
        self.room = room
        self.forge = forge
        self.dice = random.Random(seed)
        self.numbers = count(1)
        self.claimed: list[Claimed] = []
        environ = {
            "HOME": "/nowhere",
            "GITRELOAD_STATUS": f'{{"TOKEN": "{TOKEN}", "URL": "{forge.site}"}}',
        }
        settings = config.load(environ, room.ledger.state_dir).settings
        room.reporters = [Statuses(settings)]
        self.checkouts = [a_checkout(name, forge.origin) for name in ("one", "two")]

    def push(self) -> None:
        push = Push("refs/heads/main", (self.forge.origin,), after=revision(next(self.numbers)))
        delivery = Delivery(self.forge.forge, "push", f"{push.after}", pushes=(push,))
        arrival = Arrival(delivery, Action.IMPORT, self.room.clock(), None, (), b"{}")
        targets = tuple(Target(checkout, push) for checkout in self.checkouts)
        self.room.ledger.record([Entry(arrival, targets[: self.dice.randint(1, 2)])])

    def claim(self) -> None:
        claimed = self.room.ledger.claim("worker")
        if claimed is not None:
            self.claimed.append(claimed)

    def end(self) -> None:
        if not self.claimed:
            return
        claimed = self.claimed.pop(self.dice.randrange(len(self.claimed)))
        desk = self.room.desk
        end = self.dice.choice(["succeed", "fail", "again", "failing", "crash"])
        if end == "succeed":
            desk.succeed(claimed, claimed.job.wanted or revision(1))
        elif end == "fail":
            desk.fail(claimed, f"x.xml:{claimed.job.id}: it is broken")
        elif end == "crash":
            desk.crash(claimed)
        else:
            desk.try_again(claimed, 1, 7 if end == "failing" else 1)

    def outage(self) -> None:
        kind = self.dice.choice(["none", "none", "5xx", "limit", "lost"])
        answers = {"5xx": (503, {}, "down"), "limit": (429, {"Retry-After": "9"}, "slow down")}
        self.forge.answer = answers.get(kind)
        self.forge.dropping = kind == "lost"

    def later(self) -> None:
        self.room.clock.advance(self.dice.choice([1.0, 10.0, 400.0]))

    def kill(self) -> None:
        self.room.reporting.attend()
        self.room.restart()

    def step(self) -> None:
        room = self.room
        happenings: list[Callable[[], None]] = [self.push, self.claim, self.end, self.outage]
        happenings += [self.later, self.kill, room.look, room.look]
        self.dice.choice(happenings)()

    def settle(self) -> None:
        """All is well again, and every job comes to its end."""
        self.forge.answer, self.forge.dropping = None, False
        for _ in range(100):
            self.room.clock.advance(1000)
            self.room.look()
            self.claim()
            if not self.claimed:
                break
            claimed = self.claimed.pop()
            self.room.desk.succeed(claimed, claimed.job.wanted or revision(1))
        for _ in range(20):
            self.room.clock.advance(1000)
            self.room.look()


@pytest.mark.parametrize("seed", range(6))
def test_they_arrive_in_order_and_once_for_each_state(room: Room, seed: int) -> None:
    name = ("github", "gitlab", "gitea", "forgejo", "bitbucket-cloud", "bitbucket-dc")[seed]
    with status_api(name) as forge:
        life = Life(room, forge, seed)
        for _ in range(STEPS):
            life.step()
        life.settle()
        shown: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        for given in forge.given:
            shown[given.context, given.sha].append((given.mark, given.description))
        assert len(shown) > 3
        for commit, marks in shown.items():
            assert all(before != after for before, after in pairwise(marks)), (commit, marks)
            assert marks[-1][0] in FINAL, (commit, marks)
        assert forge.strangers == []
        assert room.ledger.due_reports(0) == []
