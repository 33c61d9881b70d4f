"""Signatures that nobody here made agree with ours: vendors' vectors, and other implementations."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import gidgethub
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gidgethub.sansio import validate_event
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from fakes.forges import raw
from gitreload.forges import BY_NAME, Announcement, Keys, Refusal, read
from gitreload.forges.request import Unauthentic
from gitreload.forges.signatures import require_sha256, sha256
from gitreload.forges.standard_webhooks import require_signature, sign
from gitreload.webhook_keys import symmetric

# Of the specification's own tests:
# https://github.com/standard-webhooks/standard-webhooks/tree/main/libraries
ID, SECONDS, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
KEY = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
ED25519_SEED = base64.b64decode("VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=")
ED25519_SIGNATURE = (
    "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50).map(str.encode)
keys = st.binary(min_size=24, max_size=64)


def test_githubs_vector() -> None:
    """https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""
    body, secret = b"Hello, World!", b"It's a Secret to Everybody"
    digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert sha256(body, secret) == digest
    headers = raw({"X-Hub-Signature-256": f"sha256={digest}"})
    name = "X-Hub-Signature-256"
    assert require_sha256(name, headers, body, Keys((secret,)), prefix="sha256=") == (0,)


def test_bitbuckets_vector() -> None:
    """https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/"""
    digest = "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    assert sha256(b"Hello World!", b"It's a Secret to Everybody") == digest


def standard(signature: str, seconds: int = SECONDS) -> dict[str, str]:
    return {"webhook-id": ID, "webhook-timestamp": str(seconds), "webhook-signature": signature}


def test_the_vectors_of_standard_webhooks() -> None:
    public = Ed25519PrivateKey.from_private_bytes(ED25519_SEED).public_key().public_bytes_raw()
    both = Keys((b"whpk_" + base64.b64encode(public), KEY))
    assert sign(ID, SECONDS, BODY, symmetric(KEY) or b"") == SIGNATURE
    for signature, place in ((ED25519_SIGNATURE, 0), (SIGNATURE, 1)):
        assert require_signature(raw(standard(signature)), BODY, both, SECONDS) == (place,)
        with pytest.raises(Unauthentic, match="another secret"):
            require_signature(raw(standard(signature)), BODY + b" ", both, SECONDS)


@given(body=texts, key=keys)
def test_their_signatures_are_right_here(body: bytes, key: bytes) -> None:
    secret = b"whsec_" + base64.b64encode(key)
    theirs = Webhook(secret.decode()).sign(ID, datetime.fromtimestamp(SECONDS, UTC), body.decode())
    assert sign(ID, SECONDS, body, key) == theirs
    assert require_signature(raw(standard(theirs)), body, Keys((secret,)), SECONDS) == (0,)


@pytest.mark.parametrize("name", ["standard", "gitlab"])
def test_our_signatures_are_right_there(name: str) -> None:
    now = datetime.now(UTC).timestamp()
    told = Announcement(
        "https://forge.example/a", "refs/heads/main", "1" * 40, "2" * 40, ID, now, KEY
    )
    headers, body = BY_NAME[name].compose(told)
    assert Webhook(KEY.decode()).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(KEY.decode()).verify(body + b" ", headers)


@given(body=texts, secret=st.text(st.characters(codec="ascii"), min_size=1, max_size=20))
def test_gidgethub_agrees(body: bytes, secret: str) -> None:
    validate_event(body, signature=f"sha256={sha256(body, secret.encode())}", secret=secret)


@pytest.mark.parametrize("name", ["github", "gitea", "forgejo"])
def test_gidgethub_takes_what_we_send(name: str) -> None:
    secret = b"a secret of good length"
    told = Announcement(
        "https://forge.example/a", "refs/heads/main", "1" * 40, "2" * 40, ID, 0, secret
    )
    headers, body = BY_NAME[name].compose(told)
    signature = headers["X-Hub-Signature-256"]
    validate_event(body, signature=signature, secret=secret.decode())
    with pytest.raises(gidgethub.ValidationFailure):
        validate_event(body + b" ", signature=signature, secret=secret.decode())
    with pytest.raises(Refusal):
        read(raw(headers), body + b" ", Keys((secret,)), now=0)
