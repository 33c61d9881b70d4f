"""Secrets that say by a prefix what key they hold, as the Standard Webhooks specification has them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii

SYMMETRIC, PUBLIC = b"whsec_", b"whpk_"

SHORTEST_KEY = 24  # bytes; the specification's
ED25519_BYTES = 32


def fault(secret: bytes) -> str | None:
    """What is wrong with a key that begins with `whsec_` or `whpk_`; None for any other secret."""
    if secret.startswith(SYMMETRIC):
        key = symmetric(secret)
        if key is None or len(key) < SHORTEST_KEY:
            return f"after whsec_ comes the Base64 of {SHORTEST_KEY} bytes or more"
    elif secret.startswith(PUBLIC) and len(public(secret) or b"") != ED25519_BYTES:
        return f"after whpk_ comes the Base64 of the {ED25519_BYTES} bytes of an Ed25519 key"
    return None


def symmetric(secret: bytes) -> bytes | None:
    """The HMAC key in a `whsec_` secret; None where it is not one."""
    return _decoded(secret, SYMMETRIC) or None


def public(secret: bytes) -> bytes | None:
    """The Ed25519 key in a `whpk_` secret; None where it is not one."""
    return _decoded(secret, PUBLIC) or None


def strict_base64(text: str | bytes) -> bytes | None:
    """The bytes that Base64 stands for; None where anything else is in it."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        return None


def _decoded(secret: bytes, prefix: bytes) -> bytes | None:
    """The bytes after the prefix; None where there are none, also for what has another prefix."""
    if not secret.startswith(prefix):
        return None
    text = secret[len(prefix) :].rstrip(b"=")  # some senders leave the padding out
    return strict_base64(text + b"=" * (-len(text) % 4))
