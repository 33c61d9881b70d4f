"""Does what came along prove that the sender has one of our secrets?

Bytes are compared, in constant time. Every secret is tried, also after one that fits, so that the
time taken does not tell which. What fits is told by the secrets' places in `Keys.secrets`.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable
from hmac import compare_digest

from gitreload.forges.request import Headers, Keys, Unauthentic, Unsigned
from gitreload.webhook_keys import ED25519_BYTES, private

_HEX = re.compile(r"[0-9a-fA-F]{64}")
# Not \d: that takes the digits of every script, and so does int().
SECONDS = re.compile(r"[0-9]{1,12}")

TOLERANCE_SECONDS = 300


def sha256(text: bytes, secret: bytes) -> str:
    """The HMAC of `text` as most forges write it: 64 hex digits in lower case."""
    return hmac_sha256(text, secret).hex()


def require_sha256(
    header: str, headers: Headers, text: bytes, keys: Keys, *, prefix: str = ""
) -> tuple[int, ...]:
    """The places of the secrets with which the header's value signs `text`; at least one.

    Exactly `prefix` and 64 hex digits are a signature. Raises Unsigned where there is none, and
    Unauthentic where it is not made with one of our secrets.
    """
    value = headers.get(header.lower())
    if not value:
        raise unsigned("signature", header)
    if not value.startswith(prefix) or _HEX.fullmatch(value, len(prefix)) is None:
        expected = f"{prefix} and 64 hex digits" if prefix else "64 hex digits"
        raise malformed(header, f"one value, {expected}")
    claimed = bytes.fromhex(value[len(prefix) :])
    return require(header, keys.plain, lambda key: compare_digest(hmac_sha256(text, key), claimed))


def require_token(header: str, headers: Headers, keys: Keys) -> tuple[int, ...]:
    """The places of the secrets that the header's value is; raises as `require_sha256`."""
    value = headers.get(header.lower())
    if not value:
        raise unsigned("token", header)
    claimed = value.encode("latin-1")  # the bytes that came
    return require(header, keys.plain, lambda key: compare_digest(key, claimed), what="token")


def require(
    header: str,
    keys: Iterable[tuple[int, bytes]],
    fits: Callable[[bytes], bool],
    *,
    what: str = "signature",
) -> tuple[int, ...]:
    """The places of the keys that fit; raises Unauthentic where none does."""
    places = tuple([place for place, key in keys if fits(key)])
    if not places:
        raise Unauthentic(
            "wrong secret",
            f"the signature ({header}) was made with another secret: compare this hook's secret"
            " with WEBHOOK_SECRETS, or with its repository's SECRETS"
            if what == "signature"
            else f"the {what} ({header}) is another: compare this hook's {what} with"
            " WEBHOOK_SECRETS, or with its repository's SECRETS",
        )
    return places


def require_seconds(header: str, value: str | None) -> int:
    """The time that the header tells, in seconds since 1970; raises Unauthentic."""
    if value is None or SECONDS.fullmatch(value) is None:
        raise malformed(header, "seconds since 1970 in digits", what="timestamp")
    return int(value)


def require_recent(header: str, seconds: float, now: float) -> None:
    """Raise Unauthentic unless the time that the header told is within five minutes of `now`."""
    skew = now - seconds
    if abs(skew) > TOLERANCE_SECONDS:
        raise Unauthentic(
            "clock skew",
            f"the timestamp ({header}) is {abs(skew):.0f} s {'old' if skew > 0 else 'ahead'}, and"
            f" may be {TOLERANCE_SECONDS}: set the clocks of both machines, or deliver anew",
        )


def unsigned(what: str, header: str) -> Unsigned:
    """What is said where a hook has no secret; `what` is "signature" or "token"."""
    return Unsigned(
        f"no {what}",
        f"the {what} ({header}) is missing: give this hook one of WEBHOOK_SECRETS as its secret",
    )


def malformed(header: str, expected: str, *, what: str = "signature") -> Unauthentic:
    return Unauthentic(
        f"malformed {what}", f"the {what} ({header}) is malformed: expected {expected}"
    )


def ed25519_fits(public: bytes, signature: bytes, text: bytes) -> bool:
    """Whether the owner of the raw public key (32 bytes) signed `text`."""
    # Takes 30 ms to load, and few need it.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(public) != ED25519_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except InvalidSignature:
        return False
    return True


def ed25519_signature(secret: bytes, text: bytes) -> bytes | None:
    """`text` signed with the key in a `whsk_` secret; None where that holds none."""
    # Takes 30 ms to load, and few need it.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = private(secret)
    return Ed25519PrivateKey.from_private_bytes(key).sign(text) if key else None


def hmac_sha256(text: bytes, secret: bytes) -> bytes:
    """The HMAC of `text`, 32 bytes."""
    return hmac.digest(secret, text, "sha256")
