"""Senders of one's own, signing as
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md has it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fakes.forges import NOW
from fakes.forges.sender import JSON, Move, Request, Sender, encoded
from gitreload.forges import Keys, Paths

KEY = b"a key of twenty-four byte"
SYMMETRIC = b"whsec_" + base64.b64encode(KEY)
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"the seed of somebody's own key.!")
PUBLIC = b"whpk_" + base64.b64encode(PRIVATE.public_key().public_bytes_raw())


class Standard(Sender):
    """In the shape that is read without a word of configuration: one ref a request."""

    forge = "standard"
    keys = Keys((SYMMETRIC,))
    identity = "git.example.org/org/course"

    def push(self, moves: Sequence[Move]) -> list[Request]:
        return [self._sent("push", _told(move) | _about()) for move in moves]

    def test(self) -> Request:
        return self._sent("ping", {})

    def other(self) -> Request:
        return self._sent("build.finished", _about())

    def again(self, request: Request) -> Request:
        number = request.headers["webhook-id"]
        return Request(
            {**request.headers, **self._proof(number, int(NOW) + 60, request.body)}, request.body
        )

    def _sent(self, event: str, data: dict[str, Any]) -> Request:
        body = encoded({"type": event, "timestamp": "2026-11-24T09:45:42Z", "data": data})
        proof = self._proof(f"msg_{uuid.uuid4().hex}", int(NOW), body)
        return Request({"Content-Type": JSON, **proof}, body)

    def _proof(self, number: str, seconds: int, body: bytes) -> dict[str, str]:
        return {
            "webhook-id": number,
            "webhook-timestamp": str(seconds),
            "webhook-signature": self._signature(f"{number}.{seconds}.".encode() + body),
        }

    def _signature(self, text: bytes) -> str:
        mac = hmac.new(KEY, text, hashlib.sha256).digest()
        return f"v1,{base64.b64encode(mac).decode()}"


class StandardList(Standard):
    """With paths to a list of refs, signed with a private key."""

    kind = "list"
    keys = Keys(
        (PUBLIC,),
        paths=Paths(
            each="data.updates",
            ref="ref",
            before="before",
            after="after",
            urls=("data.repository.clone_url",),
        ),
    )

    def push(self, moves: Sequence[Move]) -> list[Request]:
        updates = [_told(move) for move in moves]
        return [self._sent("push", {"updates": updates} | _about())]

    def _signature(self, text: bytes) -> str:
        return f"v1a,{base64.b64encode(PRIVATE.sign(text)).decode()}"


def _told(move: Move) -> dict[str, Any]:
    return {"ref": move.ref, "before": move.before, "after": move.after}


def _about() -> dict[str, Any]:
    clone = "https://git.example.org/org/course.git"
    return {
        "repository": {"full_name": "org/course", "clone_url": clone},
        "pusher": {"name": "ada"},
    }


SENDERS: tuple[Sender, ...] = (Standard(), StandardList())
