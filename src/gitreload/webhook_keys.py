"""Secrets that say by a prefix what key they hold, as the Standard Webhooks specification has them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii

SYMMETRIC, PUBLIC, PRIVATE = b"whsec_", b"whpk_", b"whsk_"

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


def private(secret: bytes) -> bytes | None:
    """The 32 bytes of the private Ed25519 key in a `whsk_` secret; None where it is not one."""
    key = _decoded(secret, PRIVATE)
    return key if key and len(key) == ED25519_BYTES else None


def private_key(text: bytes) -> bytes | None:
    """The `whsk_` secret that a file holds, as such or in PEM without a password; else None."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if private(text.strip()):
        return text.strip()
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it has a password
        return None
    if not isinstance(key, Ed25519PrivateKey):
        return None
    return PRIVATE + base64.b64encode(key.private_bytes_raw())


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
