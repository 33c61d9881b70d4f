"""The same push is the same to us, whatever forge tells of it.

What the forges send is written after their descriptions, in `fakes.forges`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from fakes.forges import AFTER, BEFORE, NOW, ZERO, raw
from fakes.forges.everyone import SENDERS
from fakes.forges.sender import Move, Request, Sender
from gitreload.forges import FORGES, Keys, Refusal, read
from gitreload.model import Delivery, Push
from gitreload.remotes import canonical

everyone = pytest.mark.parametrize("sender", SENDERS, ids=str)

TABLE = {
    "branch update": [Move()],
    "branch with a slash": [Move("refs/heads/feature/a")],
    "branch create": [Move(before=ZERO)],
    "branch delete": [Move(after=ZERO)],
    "tag": [Move("refs/tags/v1", before=ZERO)],
    "tag of a branch's name": [Move("refs/tags/main", before=ZERO)],
    "tag moved": [Move("refs/tags/v1", forced=True)],
    "tag delete": [Move("refs/tags/v1", after=ZERO)],
    "force": [Move(before=AFTER, after=BEFORE, forced=True)],
    "several refs": [
        Move(),
        Move("refs/heads/new", before=ZERO),
        Move("refs/heads/old", after=ZERO),
        Move("refs/tags/main", before=ZERO),
    ],
}


def understood(sender: Sender, request: Request, now: float = NOW) -> Delivery:
    return read(raw(request.headers), request.body, sender.keys, now=now)


def pushes(sender: Sender, moves: Sequence[Move]) -> list[Push]:
    deliveries = [understood(sender, request) for request in sender.push(moves)]
    assert {delivery.forge for delivery in deliveries} == {sender.forge}
    assert not any(delivery.ping or delivery.ignored for delivery in deliveries)
    return [push for delivery in deliveries for push in delivery.pushes]


def normal(push: Push) -> tuple[Any, ...]:
    """Where a ref was before it was deleted, not all of them tell, and nobody asks."""
    return push.ref, push.branch, None if push.deleted else push.before, push.after, push.deleted


def meant(move: Move) -> tuple[Any, ...]:
    branch = None if move.is_tag else move.name
    before = None if move.created or move.deleted else move.before
    return move.ref, branch, before, None if move.deleted else move.after, move.deleted


def test_every_forge_has_a_sender() -> None:
    assert {sender.forge for sender in SENDERS} == {forge.name for forge in FORGES}


@pytest.mark.parametrize("moves", TABLE.values(), ids=TABLE.keys())
@everyone
def test_the_same_push_is_the_same_from_all(sender: Sender, moves: list[Move]) -> None:
    told = pushes(sender, moves)
    assert [normal(push) for push in told] == [meant(move) for move in moves]
    assert {push.repository for push in told} == {sender.repository}
    assert {push.pusher for push in told} == {sender.pusher}
    for push in told:
        found = {canonical(url) for url in push.urls}
        assert found >= {sender.identity} if sender.identity else not found


@pytest.mark.parametrize("sender", [sender for sender in SENDERS if sender.test()], ids=str)
def test_what_a_test_button_sends_is_understood(sender: Sender) -> None:
    request = sender.test()
    assert request is not None
    delivery = understood(sender, request)
    assert delivery.forge == sender.forge
    assert delivery.ignored is None
    # Some send a push instead; like every push it leads to what the remote says.
    assert delivery.ping is not bool(delivery.pushes)


@pytest.mark.parametrize("sender", [sender for sender in SENDERS if sender.repeats], ids=str)
def test_what_is_delivered_again_is_the_same_push(sender: Sender) -> None:
    first = sender.push([Move()])[0]
    again = sender.again(first)
    before, after = understood(sender, first), understood(sender, again, NOW + 60)
    assert before.pushes == after.pushes
    assert (before.delivery_id == after.delivery_id) is sender.keeps_id
    assert before.hook == after.hook


@everyone
def test_deliveries_have_ids_of_their_own(sender: Sender) -> None:
    ids = {understood(sender, sender.push([Move()])[0]).delivery_id for _ in range(2)}
    assert len(ids) == 2 or ids == {None}
    assert (ids == {None}) is (sender.forge == "gitee")  # it sends none


@everyone
def test_other_events_are_ignored_with_the_reason(sender: Sender) -> None:
    delivery = understood(sender, sender.other())
    assert delivery.forge == sender.forge
    assert delivery.ignored == f"the event {delivery.event} is not a push"
    assert not delivery.pushes
    assert not delivery.ping


@everyone
def test_a_forge_that_is_named_reads_the_same(sender: Sender) -> None:
    request = sender.push([Move()])[0]
    headers = raw(request.headers)
    named = read(headers, request.body, sender.keys, forge=sender.forge, now=NOW)
    assert named == understood(sender, request)


@everyone
def test_without_the_right_key_nothing_is_read(sender: Sender) -> None:
    wrong = Keys((b"another secret of good length",), public=(b"another key, of 32 bytes, truly!",))
    for request in (sender.push([Move()])[0], sender.other(), sender.test()):
        if request is not None:
            with pytest.raises(Refusal) as caught:
                read(raw(request.headers), request.body, wrong, now=NOW)
            assert (caught.value.status, caught.value.forge) == (401, sender.forge)


@everyone
def test_which_forges_never_disable_a_hook(sender: Sender) -> None:
    lenient = {"github", "gitea", "forgejo", "gogs", "sourcehut"}
    delivery = understood(sender, sender.push([Move()])[0])
    assert delivery.never_disabled is (sender.forge in lenient)
