"""A month of lost hooks, outages, restarts and moved remotes: in the end all is at its tip."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from gitreload.model import Action, State
from helpers import Remote, git

from .conftest import DAY, MINUTES, Host

DAYS = 30
COURSES = 3
# How many hours pass from one event to the next, on average.
PACE = 8
SEED = 1


class Month:
    """What happens to one host and the remotes of its checkouts, the same each time."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.chance = random.Random(SEED)
        self.remotes = [Remote(host.folder / "forge", f"course{n}") for n in range(COURSES)]
        self.away: dict[int, Path] = {}
        self.restarts = 0
        self.commits = 0
        for number, remote in enumerate(self.remotes):
            remote.commit({"course.xml": "<course/>\n"})
            remote.clone(host.repodir / f"course{number}")
        # The first follows the hooks for imports, the second those for updates; nobody ever
        # asked for anything in the third.
        host.sync("course0", Action.IMPORT)
        host.sync("course1", Action.UPDATE)

    def live(self) -> None:
        end = self.host.now + DAYS * DAY
        while self.host.now < end:
            self._pass(self.chance.expovariate(1 / (PACE * 3600)))
            number = self.chance.randrange(COURSES)
            events = (self._push, self._force_push, self._delete, self._outage, self._move)
            [event] = self.chance.choices((*events, self._restart), weights=(10, 2, 2, 3, 2, 3))
            event(number)
        for number in range(COURSES):
            self._repair(number)

    def settle(self) -> None:
        """Let two more rounds pass."""
        self._pass(2 * MINUTES * 60 + 1)

    def _pass(self, seconds: float) -> None:
        """Time passes; jobs run when they are due, and rounds come."""
        until = self.host.now + seconds
        while self.host.now < until:
            self.host.reconciler.attend()
            self.host.work()
            due = self.host.ledger.next_due() or until
            self.host.now = min(until, max(due, self.host.now + 1), self.host.now + MINUTES * 30)

    def _push(self, number: int, *options: str) -> None:
        self._repair(number)
        self.commits += 1
        remote = self.remotes[number]
        (remote.work / "page.html").write_text(f"{self.commits}\n")
        git("add", "-A", cwd=remote.work)
        git("commit", "-qm", "change", cwd=remote.work)
        remote.push("main", *options)
        # Every second hook is lost, and the third course has none.
        if number < 2 and self.chance.random() < 0.5:
            action = (Action.IMPORT, Action.UPDATE)[number]
            self.host.push(remote, git("rev-parse", "HEAD", cwd=remote.work), action)

    def _force_push(self, number: int) -> None:
        git("commit", "-q", "--amend", "-m", "another", cwd=self.remotes[number].work)
        self._push(number, "--force")

    def _delete(self, number: int) -> None:
        self._repair(number)
        git("update-ref", "-d", "refs/heads/main", cwd=self.remotes[number].bare)

    def _outage(self, number: int) -> None:
        self._repair(number)
        bare = self.remotes[number].bare
        self.away[number] = bare.rename(bare.with_suffix(".away"))

    def _move(self, number: int) -> None:
        """The remote gets another URL, and the operator follows."""
        self._repair(number)
        remote = self.remotes[number]
        remote.bare = remote.bare.rename(remote.bare.with_name(f"moved{self.commits}-{number}.git"))
        for clone in (remote.work, self.host.repodir / f"course{number}"):
            git("remote", "set-url", "origin", remote.url, cwd=clone)

    def _restart(self, _: int) -> None:
        self.restarts += 1
        self.host.reconciler.leave()
        self.host.now += self.chance.uniform(0, 20 * 3600)
        self.host.reconciler = self.host.start()

    def _repair(self, number: int) -> None:
        remote = self.remotes[number]
        if number in self.away:
            self.away.pop(number).rename(remote.bare)
        if not git("for-each-ref", "refs/heads/main", cwd=remote.bare):
            remote.push("main", "--force")


def test_after_a_month_all_is_at_its_tip(
    tmp_path: Path,
    empty_ledger: Path,
    calls: list[set[str]],
    record_property: Callable[[str, object], None],
) -> None:
    host = Host(tmp_path, empty_ledger)
    began = host.now
    month = Month(host)
    month.live()
    month.settle()
    for number, remote in enumerate(month.remotes):
        tip = git("rev-parse", "refs/heads/main", cwd=remote.bare)
        assert host.head(f"course{number}") == tip
        assert git("status", "--porcelain", cwd=host.repodir / f"course{number}") == ""
    assert host.importer.imported[-1] == ("course0", host.head("course0"))
    assert all(job.state is not State.QUEUED for job in host.ledger.find_jobs())
    rounds = (host.now - began) / (MINUTES * 60) + month.restarts + 1
    record_property(
        "told",
        f"{month.commits} pushes, {month.restarts} restarts, {rounds:.0f} rounds at most: "
        f"{len(calls)} ls-remote for {COURSES} remotes",
    )
    assert len(calls) <= rounds * COURSES
    host.reconciler.leave()
    host.ledger.close()
