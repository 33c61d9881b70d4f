"""A day of all forges, with outages: no hook is switched off, no push that was taken is lost."""

from __future__ import annotations

import base64
import heapq
import itertools
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from fakes.forges import NOW, SECRET, ZERO, gitlab, sourcehut, standard
from fakes.forges.everyone import SENDERS
from fakes.forges.rules import DAY, HOUR, MINUTE, Hook, Steadfast, hook_of
from fakes.forges.sender import Move, Request, Sender
from gitreload import receiver
from gitreload.web import hooks
from helpers import Remote

from .conftest import Site

# That whose payloads are read by other paths, and that whose hooks have to name the repository.
TOLD_OTHERWISE = ("standard-list", "sourcehut-old")
SENDING = tuple(sender for sender in SENDERS if str(sender) not in TOLD_OTHERWISE)
EVENTS_A_DAY = 24  # of each sender
# When REPODIR is away, in seconds of the day: for moments, minutes and an hour.
OUTAGES = ((2 * HOUR, 30.0), (7 * HOUR, 10 * MINUTE), (13 * HOUR, HOUR), (20 * HOUR, 3 * MINUTE))


@dataclass
class Sent:
    """A hook of a sender, and what it was answered, with the time of day."""

    sender: Sender
    hook: Hook
    answers: list[tuple[float, int]] = field(default_factory=list)

    @property
    def outside_outages(self) -> Counter[int]:
        return Counter(status for now, status in self.answers if not away(now))


def away(now: float) -> bool:
    return any(start <= now < start + length for start, length in OUTAGES)


@pytest.fixture
def site(
    tmp_path: Path, empty_ledger: Path, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    """With a checkout of every forge's repository, and all secrets that they use."""
    secrets = [SECRET, gitlab.SIGNING_TOKEN, standard.SYMMETRIC]
    made = Site(
        tmp_path,
        empty_ledger,
        WEBHOOK_SECRETS=[secret.decode() for secret in secrets],
        BASIC_AUTH={"ada": SECRET.decode()},
        SOURCEHUT_KEYS=[base64.b64encode(sourcehut.PUBLIC).decode()],
        REPOS={
            sender.forge: {"REMOTES": [f"https://{sender.identity}"]}
            | ({"FORGE": "sourcehut"} if sender.forge == "sourcehut" else {})
            for sender in SENDING
        },
    )
    monkeypatch.setattr(receiver, "LOOK_SECONDS", 0.0)
    for forge in {sender.forge for sender in SENDING}:
        remote.clone(made.repodir / forge)
    # Proofs that hold for five minutes are made for one moment: only the forges' day goes by.
    monkeypatch.setattr(hooks, "time", SimpleNamespace(time=lambda: NOW))
    yield made
    made.close()


def day_of(sender: Sender, chance: random.Random) -> Iterator[tuple[float, Request]]:
    """What happens in its repository: most of it is none of our business."""
    for _ in range(EVENTS_A_DAY):
        kinds = [
            lambda: sender.push([Move()]),
            lambda: sender.push([Move("refs/heads/other")]),
            lambda: sender.push([Move("refs/tags/v1", before=ZERO)]),
            lambda: sender.push([Move("refs/heads/old", after=ZERO)]),
            lambda: [sender.other()],
            lambda: [sender.test() or sender.other()],
        ]
        when = chance.uniform(0, DAY)
        yield from ((when, request) for request in chance.choice(kinds)())
    # Work goes on while we are away.
    for start, length in OUTAGES:
        yield from ((start + length * part / 8, sender.push([Move()])[0]) for part in range(6))
    yield DAY - 1, sender.push([Move()])[0]


def live(site: Site) -> list[Sent]:
    """Let the day go by."""
    chance = random.Random(1)
    sent = [Sent(sender, hook_of(sender.forge)) for sender in SENDING]
    order = itertools.count()
    events = [
        (when, next(order), one, request, 1)
        for one in sent
        for when, request in day_of(one.sender, chance)
    ]
    heapq.heapify(events)
    hidden = site.repodir.with_name("away")
    while events:
        now, _, one, request, attempt = heapq.heappop(events)
        if away(now) != hidden.exists():
            shutil.move(*((site.repodir, hidden) if away(now) else (hidden, site.repodir)))
        if not one.hook.delivers(now):
            continue
        answer = site.post(request.headers, request.body, path="/update")
        one.answers.append((now, answer.status))
        again = one.hook.answered(answer.status, attempt, now)
        if again is not None:
            repeated = one.sender.again(request)
            heapq.heappush(events, (now + again, next(order), one, repeated, attempt + 1))
    return sent


def test_no_hook_is_switched_off(site: Site) -> None:
    sent = live(site)
    assert {job.directory for job in site.jobs()} == {sender.forge for sender in SENDING}
    for one in sent:
        name = str(one.sender)
        assert one.hook.delivers(DAY), name
        # A push has to wait; what is ignored anyway needs no REPODIR.
        told = {status for now, status in one.answers if away(now)}
        assert told in ({503}, {200, 503}), name
        assert set(one.outside_outages) == {200}, (name, one.outside_outages)
        _, status = one.answers[-1]
        assert status == 200, name


def test_nor_is_one_of_many_repositories_of_which_one_is_here(site: Site, remote: Remote) -> None:
    shutil.rmtree(site.repodir)
    site.repodir.mkdir()
    remote.clone(site.repodir / "another")
    for one in live(site):
        assert one.hook.delivers(DAY), str(one.sender)
        told = {404, 200} if isinstance(one.hook, Steadfast) else {200}
        assert set(one.outside_outages) <= told, str(one.sender)
