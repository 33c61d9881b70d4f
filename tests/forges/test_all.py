"""The same push is the same to us, whatever forge tells of it.

What the forges send is written after their descriptions, in `fakes.forges`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.forges import AFTER, BEFORE, NOW, ZERO, raw
from fakes.forges.everyone import SENDERS
from fakes.forges.sender import Move, Request, Sender
from gitreload.forges import FORGES, Keys, Refusal, kept, read, redacted
from gitreload.forges import pushes as stored_pushes
from gitreload.model import Delivery, Push
from gitreload.remotes import canonical

everyone = pytest.mark.parametrize("sender", SENDERS, ids=str)

PROOFS = frozenset[bytes]().union(*(forge.proofs for forge in FORGES))
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
def test_what_is_stored_of_a_delivery_tells_its_pushes_again(sender: Sender) -> None:
    for request in sender.push(TABLE["several refs"]):
        headers = raw(request.headers)
        stored = kept(sender.forge, headers), redacted(sender.forge, request.body, 2**20)
        assert not {name.encode() for name, _ in stored[0]} & PROOFS
        again = stored_pushes(sender.forge, *stored, sender.keys.paths)
        assert again == understood(sender, request).pushes


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


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=4,
)
SOME_OF_EACH = [
    (sender, request)
    for sender in SENDERS
    for request in (sender.push(TABLE["several refs"])[0], sender.other())
    if not request.body.startswith(b"payload=")  # what is in a form is read as without it
]


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """All values in a tree, as what holds them and where."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield node, key
        if isinstance(value, dict | list):
            yield from places(value)


@given(data=st.data(), value=anything)
def test_a_payload_with_something_else_in_it_is_read_or_refused(data: Any, value: Any) -> None:
    sender, request = data.draw(st.sampled_from(SOME_OF_EACH))
    payload = json.loads(request.body)
    holder, key = data.draw(st.sampled_from(list(places(payload))))
    holder[key] = value
    keys = Keys(unsigned=True, paths=sender.keys.paths)
    pushes: tuple[Push, ...] = ()
    refused = None
    try:
        pushes = read(raw(request.headers), json.dumps(payload).encode(), keys, now=NOW).pushes
    except Refusal as refusal:
        refused = refusal.status
    assert refused in (None, 400)
    for push in pushes:
        assert push.ref.startswith("refs/")
        assert {len(known) for known in (push.before, push.after) if known} <= {40}
