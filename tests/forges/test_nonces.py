"""What is signed once only: by it a copy is told from what an honest sender tries again."""

from __future__ import annotations

import base64

import pytest
from msgspec import structs

from fakes.forges import NOW, SECRET, announced, raw
from fakes.forges.everyone import SENDERS
from fakes.forges.sender import Move
from gitreload.forges import BY_NAME, Keys, read
from gitreload.forges.standard_webhooks import sign
from gitreload.model import Delivery
from gitreload.webhook_keys import symmetric

FIRST, SECOND = (b"whsec_" + base64.b64encode(byte * 32) for byte in (b"a", b"b"))
BOTH = Keys((SECRET, FIRST, SECOND))
SIGNED = ("standard", "gitlab")


def delivered(
    forge: str, keys: Keys = BOTH, signature: str | None = None, **facts: object
) -> Delivery:
    headers, body = BY_NAME[forge].compose(announced(**{"secret": FIRST, **facts}))  # type: ignore[arg-type]
    if signature is not None:
        headers["webhook-signature"] = signature
    return read(raw(headers), body, keys, now=NOW)


@pytest.mark.parametrize("forge", SIGNED)
def test_a_copy_has_the_nonce_of_its_original_and_nothing_else_has(forge: str) -> None:
    original = delivered(forge)
    assert len(original.nonces) == 1
    assert delivered(forge).nonces == original.nonces
    again = delivered(forge, now=NOW + 1)
    assert again.delivery_id == original.delivery_id
    others = (again, delivered(forge, delivery_id="two"), delivered(forge, ref="refs/heads/b"))
    assert len({original.nonces, *(other.nonces for other in others)}) == 4


@pytest.mark.parametrize("forge", SIGNED)
def test_it_is_to_be_remembered_for_longer_than_a_copy_passes(forge: str) -> None:
    fresh_until = delivered(forge).fresh_until
    assert fresh_until is not None
    assert NOW + 300 < fresh_until < NOW + 1000


def test_hooks_with_secrets_of_their_own_have_nonces_of_their_own() -> None:
    first, second = delivered("standard"), delivered("standard", secret=SECOND)
    assert not {*first.nonces} & {*second.nonces}
    # It goes by the secret, not by its place among them, which a change of configuration moves.
    assert delivered("standard", Keys((FIRST,))).nonces == first.nonces


def test_a_copy_with_but_one_of_several_signatures_is_known() -> None:
    _, body = BY_NAME["standard"].compose(announced(secret=FIRST))
    signatures = [sign("one", int(NOW), body, symmetric(key) or b"") for key in (FIRST, SECOND)]
    original = delivered("standard", signature=" ".join(signatures))
    assert len(original.nonces) == 2
    for signature in signatures:
        assert {*delivered("standard", signature=signature).nonces} < {*original.nonces}


def test_what_is_not_signed_has_none() -> None:
    assert delivered("gitlab", secret=SECRET).nonces == ()
    for forge in SIGNED:
        headers, body = BY_NAME[forge].compose(announced(secret=None))
        assert read(raw(headers), body, Keys(unsigned=True), now=NOW).nonces == ()
        strange = raw({**headers, "webhook-signature": "v1,x", "webhook-timestamp": "²"})
        assert read(strange, body, Keys(unsigned=True), now=NOW).nonces == ()


def test_which_forges_have_one() -> None:
    having = {
        str(sender)
        for sender in SENDERS
        for request in sender.push([Move()])
        if read(raw(request.headers), request.body, sender.keys, now=NOW).nonces
    }
    assert having == {"gitlab-signature", "standard", "standard-list"} | {
        str(sender) for sender in SENDERS if sender.forge == "sourcehut"
    }


def test_that_of_sourcehut_never_gets_stale() -> None:
    [sender, *_] = [sender for sender in SENDERS if sender.forge == "sourcehut"]
    [request] = sender.push([Move()])
    delivery = read(raw(request.headers), request.body, sender.keys, now=NOW)
    assert delivery.nonces == (request.headers["X-Payload-Nonce"],)
    assert delivery.fresh_until is None
    bare = raw(request.with_headers(X_Payload_Signature="").headers)
    unsigned = read(bare, request.body, Keys(unsigned=True), now=NOW)
    assert unsigned == structs.replace(delivery, nonces=())
