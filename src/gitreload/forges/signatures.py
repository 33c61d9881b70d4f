"""Is a body signed with one of our secrets? Bytes are compared, in constant time."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence

from gitreload.forges.request import Unauthentic

_SHA256 = re.compile(r"sha256=([0-9a-fA-F]{64})")


def sha256(body: bytes, secret: bytes) -> str:
    """The value of `X-Hub-Signature-256` for `body`."""
    return f"sha256={_digest(secret, body).hex()}"


def require_sha256(header: str, value: str | None, body: bytes, secrets: Sequence[bytes]) -> None:
    """Raise Unauthentic unless `value`, sent as `header`, signs `body` with one of `secrets`.

    Exactly `sha256=` and 64 hex digits are a signature. Every secret is tried, also after one that
    fits, so that the time taken does not tell which. An empty secret, with which anyone could
    sign, never fits.
    """
    if not value:
        raise Unauthentic(
            "no signature",
            f"the signature ({header}) is missing: give this hook one of WEBHOOK_SECRETS as its"
            " secret",
        )
    found = _SHA256.fullmatch(value)
    if found is None:
        raise Unauthentic(
            "malformed signature",
            f"the signature ({header}) is malformed: expected one value, sha256= and 64 hex digits",
        )
    claimed = bytes.fromhex(found[1])
    genuine = False
    for secret in secrets:
        right = hmac.compare_digest(_digest(secret, body), claimed)
        genuine |= right and bool(secret)
    if not genuine:
        raise Unauthentic(
            "wrong secret",
            f"the signature ({header}) was made with another secret: compare this hook's secret"
            " with WEBHOOK_SECRETS",
        )


def _digest(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, body, "sha256")
