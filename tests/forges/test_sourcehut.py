"""SourceHut: a key for all its users, a nonce for every delivery."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fakes.forges import AFTER, BEFORE, NOW, SECRET, announced, raw
from fakes.forges.sender import Move, Request
from fakes.forges.sourcehut import PUBLIC, SEED, OldSourceHut, SourceHut, sign
from gitreload.forges import Keys, Refusal, read
from gitreload.forges.sourcehut import KEY, compose
from gitreload.model import Delivery, GitreloadError, Push

KEYS = Keys((SECRET,), public=(KEY, PUBLIC))
URL = "https://git.sr.ht/~org/course"


def understood(request: Request, keys: Keys = KEYS) -> Delivery:
    return read(raw(request.headers), request.body, keys, now=NOW)


def refused(request: Request, keys: Keys = KEYS) -> Refusal:
    with pytest.raises(Refusal) as caught:
        understood(request, keys)
    return caught.value


def pushed() -> Request:
    return SourceHut().push([Move()])[0]


def signed(
    payload: Any, event: str = "GIT_POST_RECEIVE", nonce: str = "0123456789abcdef"
) -> Request:
    body = json.dumps(payload).encode()
    headers = {
        "Content-Type": "application/json",
        "X-Webhook-Event": event,
        "X-Payload-Nonce": nonce,
        "X-Payload-Signature": sign(body + nonce.encode()),
    }
    return Request(headers, body)


def answer(**told: Any) -> dict[str, Any]:
    return {"data": {"webhook": told}}


def test_a_push() -> None:
    request = pushed()
    assert understood(request) == Delivery(
        forge="sourcehut",
        event="GIT_POST_RECEIVE",
        delivery_id=request.headers["X-Webhook-Delivery"],
        pushes=(
            Push(
                ref="refs/heads/main",
                urls=(URL,),
                repository="~org/course",
                before=BEFORE,
                after=AFTER,
                pusher="~ada",
            ),
        ),
        never_disabled=True,
        nonces=(request.headers["X-Payload-Nonce"],),
    )


def test_the_key_of_sr_ht_is_shipped() -> None:
    assert base64.b64encode(KEY) == b"uX7KWyyDNMaBma4aVbJ/cbUQpdjqczuCyK/HxzV/u+4="
    Ed25519PublicKey.from_public_bytes(KEY)


def test_an_instance_has_to_be_trusted() -> None:
    for keys in (Keys((SECRET,)), Keys((SECRET,), public=(KEY,)), Keys(basic=True)):
        refusal = refused(pushed(), keys)
        assert (refusal.status, refusal.why) == (401, "unknown key")
        assert '"FORGE": "sourcehut"' in str(refusal)


def test_a_key_of_standard_webhooks_is_not_an_instances() -> None:
    assert refused(pushed(), Keys((b"whpk_" + base64.b64encode(PUBLIC),))).why == "unknown key"


@pytest.mark.parametrize(
    ("header", "value", "why"),
    [
        ("X-Payload-Signature", "", "no signature"),
        ("X-Payload-Signature", "AAAA", "malformed signature"),
        ("X-Payload-Signature", "!!!!" + "A" * 84 + "==", "malformed signature"),
        ("X-Payload-Signature", "A" * 86 + "==", "unknown key"),
        ("X-Payload-Signature", "\xe9", "malformed signature"),
        ("X-Payload-Nonce", "", "malformed nonce"),
        ("X-Payload-Nonce", "a" * 65, "malformed nonce"),
        ("X-Payload-Nonce", "0123456789abcdef, 0123456789abcdef", "malformed nonce"),
        ("X-Payload-Nonce", "\xb2", "malformed nonce"),
        ("X-Payload-Nonce", "0123456789abcdef", "unknown key"),
    ],
)
def test_what_proves_nothing(header: str, value: str, why: str) -> None:
    request = pushed()
    refusal = refused(Request({**request.headers, header: value}, request.body))
    assert (refusal.status, refusal.why) == (401, why)


def test_a_basic_credential_stands_in_for_a_missing_signature_only() -> None:
    request = pushed().with_headers(X_Payload_Signature="")
    assert understood(request, Keys(basic=True)).pushes
    assert refused(pushed().with_headers(X_Payload_Nonce="x"), Keys(basic=True)).status == 401


def test_a_used_nonce_cannot_be_made_to_look_new() -> None:
    """Body and nonce are signed without a border between them; here it is moved."""
    request = pushed()
    nonce = request.headers["X-Payload-Nonce"]
    to_body = Request(request.headers, request.body + nonce[:4].encode())
    assert refused(to_body.with_headers(X_Payload_Nonce=nonce[4:])).status == 400
    to_nonce = Request(request.headers, request.body[:-1])
    assert refused(to_nonce.with_headers(X_Payload_Nonce="}" + nonce)).why == "malformed nonce"


def test_a_payload_without_repository_tells_no_url() -> None:
    (push,) = understood(OldSourceHut().push([Move()])[0]).pushes
    assert (push.urls, push.repository, push.pusher) == ((), None, "~ada")
    updates = [{"ref": {"name": "refs/heads/main"}, "new": {"id": AFTER}}]
    (push,) = understood(signed(answer(updates=updates))).pushes
    assert (push.urls, push.repository, push.pusher) == ((), None, None)


def test_a_ref_that_is_gone_has_no_name() -> None:
    gone = {"ref": None, "old": {"id": BEFORE}, "new": None}
    left = {"ref": {"name": "refs/heads/main"}, "old": None, "new": {"id": AFTER}}
    delivery = understood(signed(answer(updates=[gone, left])))
    assert [push.branch for push in delivery.pushes] == ["main"]
    assert understood(signed(answer(updates=[gone]))).ignored == (
        "no ref that it tells of is there any more"
    )


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        ([], "expected object, got array"),
        ({}, "data: missing"),
        ({"data": None, "errors": [{"message": "no"}]}, "data: expected object, got null"),
        ({"data": {}}, "data.webhook: missing"),
        (answer(), "data.webhook.updates: missing"),
        (answer(updates=None), "data.webhook.updates: "),
        (answer(updates=[{"ref": {}}]), "data.webhook.updates[0].ref.name: missing"),
        (answer(updates=[{"ref": {"name": "main"}}]), "expected a full ref"),
        (answer(updates=[{"new": "x"}]), "data.webhook.updates[0].new: "),
        (answer(updates=[], repository={"name": "x"}), "data.webhook.repository.owner: missing"),
        (
            answer(updates=[], repository={"name": "x", "owner": {}}),
            "data.webhook.repository.owner.canonicalName: missing",
        ),
        (answer(updates=[], pusher={"canonicalName": 1}), "data.webhook.pusher.canonicalName: "),
    ],
)
def test_what_cannot_be_read_is_named(payload: Any, where: str) -> None:
    refusal = refused(signed(payload))
    assert refusal.status == 400
    assert where in str(refusal)


def test_what_cannot_be_read_of_the_old_form_is_named() -> None:
    for payload, where in (
        ({}, "refs: missing"),
        ({"refs": [None]}, "refs[0]: "),
        ({"refs": [{"name": 1}]}, "refs[0].name: "),
        ({"refs": [{"name": "refs/heads/a", "new": {"id": 1}}]}, "refs[0].new.id: "),
        ({"refs": [], "pusher": {"canonical_name": "\x00"}}, "pusher.canonical_name: "),
    ):
        assert where in str(refused(signed(payload, "repo:post-update")))


def test_a_composed_push_is_signed_with_a_key_of_ones_own() -> None:
    secret = b"whsk_" + base64.b64encode(SEED)
    headers, body = compose(announced(url="git@git.sr.ht:~org/course", secret=secret))
    nonce = headers["X-Payload-Nonce"].encode()
    signature = base64.b64decode(headers["X-Payload-Signature"])
    # As https://man.sr.ht/api-conventions.md#webhook-signatures has it.
    Ed25519PublicKey.from_public_bytes(PUBLIC).verify(signature, body + nonce)
    (push,) = read(raw(headers), body, KEYS, now=NOW).pushes
    assert push.urls == (URL,)


@pytest.mark.parametrize("secret", [SECRET, b"whsk_", b"whsk_AAAA", b"whsk_!", b"whsec_AAAA"])
def test_nothing_is_composed_with_a_key_that_is_none(secret: bytes) -> None:
    with pytest.raises(GitreloadError, match="whsk_"):
        compose(announced(url=URL, secret=secret))


@pytest.mark.parametrize(
    "url",
    ["https://forge.example/~org/course", "/srv/git.sr.ht/~org/course", "https://git.sr.ht/x"],
)
def test_only_repositories_of_git_sr_ht_are_told_of(url: str) -> None:
    with pytest.raises(GitreloadError, match=r"only of repositories on git\.sr\.ht"):
        compose(announced(url=url, secret=None))
