"""The signatures of the Standard Webhooks specification, which GitLab uses too.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256

from gitreload.forges.request import Headers, Keys
from gitreload.forges.signatures import (
    SECONDS,
    TOLERANCE_SECONDS,
    ed25519_fits,
    ed25519_signature,
    hmac_sha256,
    malformed,
    require,
    require_recent,
    require_seconds,
    unsigned,
)
from gitreload.webhook_keys import PUBLIC, public, strict_base64, symmetric

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"

MOST_SIGNATURES = 8  # of one delivery; a sender that changes its key sends two
_SIZES = {"v1": 32, "v1a": 64}  # bytes of an HMAC, and of an Ed25519 signature


def require_signature(headers: Headers, body: bytes, keys: Keys, now: float) -> tuple[int, ...]:
    """The places of the keys with which `body` is signed, at least one.

    Raises Unsigned where there is no signature, and Unauthentic where none is made with one of our
    keys, or where it was made more than five minutes from `now`.
    """
    if not headers.get(SIGNATURE):
        raise unsigned("signature", SIGNATURE)
    # The parts are joined by dots, so one in the id could move the borders between them.
    name = headers.short(ID)
    if name is None or "." in name:
        raise malformed(ID, "up to 128 characters without a dot", what="id")
    seconds = require_seconds(TIMESTAMP, headers.get(TIMESTAMP))
    signed = f"{name}.{headers.get(TIMESTAMP)}.".encode() + body
    claimed = _signatures(headers.get(SIGNATURE) or "")
    places = require(
        SIGNATURE, list(enumerate(keys.secrets)), lambda secret: _fits(secret, claimed, signed)
    )
    # Afterwards, so that a wrong secret is not mistaken for a wrong clock.
    require_recent(TIMESTAMP, seconds, now)
    return places


def once(headers: Headers, body: bytes) -> tuple[tuple[str, ...], float | None]:
    """`Delivery.nonces` and `fresh_until` of a request; without a signature there are none.

    It is of all that is signed: the id alone stays when a sender tries again, and a sender whose
    ids are not as unique as they should be must not lose a push.
    """
    stamp = headers.get(TIMESTAMP) or ""
    if not headers.get(SIGNATURE) or SECONDS.fullmatch(stamp) is None:
        return (), None
    text = f"{headers.get(ID)}.{stamp}.".encode("latin-1") + body
    # Longer than the time lets it pass, as it may wait between that check and the ledger.
    return (sha256(text).hexdigest(),), int(stamp) + 2 * TOLERANCE_SECONDS


def sign(name: str, seconds: int, body: bytes, key: bytes) -> str:
    """The value of `webhook-signature` for one HMAC key."""
    digest = hmac_sha256(_signed(name, seconds, body), key)
    return f"v1,{base64.b64encode(digest).decode()}"


def sign_with(secret: bytes, name: str, seconds: int, body: bytes) -> str | None:
    """As `sign` with a `whsec_` or `whsk_` secret; None where it is neither."""
    key = symmetric(secret)
    if key is not None:
        return sign(name, seconds, body, key)
    signature = ed25519_signature(secret, _signed(name, seconds, body))
    return None if signature is None else f"v1a,{base64.b64encode(signature).decode()}"


def _signed(name: str, seconds: int, body: bytes) -> bytes:
    return f"{name}.{seconds}.".encode() + body


def _fits(secret: bytes, claimed: Sequence[tuple[str, bytes]], signed: bytes) -> bool:
    if secret.startswith(PUBLIC):
        key = public(secret) or b""
        return any(ed25519_fits(key, value, signed) for kind, value in claimed if kind == "v1a")
    key = symmetric(secret) or b""
    digest = hmac_sha256(signed, key)
    right = [hmac.compare_digest(digest, value) for kind, value in claimed if kind == "v1"]
    return any(right) and bool(key)


def _signatures(text: str) -> list[tuple[str, bytes]]:
    """Those of the kinds we know; at least one. New kinds may stand beside them."""
    pairs = [entry.partition(",") for entry in text.split(" ", MOST_SIGNATURES)]
    known = [(kind, strict_base64(value)) for kind, _, value in pairs if kind in _SIZES]
    found = [(kind, value) for kind, value in known if value and len(value) == _SIZES[kind]]
    if not found or len(found) < len(known) or len(pairs) > MOST_SIGNATURES:
        raise malformed(SIGNATURE, f"up to {MOST_SIGNATURES} of v1, or v1a, and Base64")
    return found
