"""SourceHut: https://man.sr.ht/graphql.md#webhooks, and before https://man.sr.ht/git.sr.ht/api.md

Signatures: https://man.sr.ht/api-conventions.md#webhook-signatures
"""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fakes.forges.sender import JSON, Move, Request, Sender, encoded
from gitreload.forges import Keys

SEED = b"the seed of an instance's key..!"
PRIVATE = Ed25519PrivateKey.from_private_bytes(SEED)
PUBLIC = PRIVATE.public_key().public_bytes_raw()


def sign(text: bytes) -> str:
    return base64.b64encode(PRIVATE.sign(text)).decode()


class SourceHut(Sender):
    forge = "sourcehut"
    keys = Keys(public=(PUBLIC,))
    repeats = False
    identity: str | None = "git.sr.ht/~org/course"
    repository: str | None = "~org/course"
    pusher = "~ada"

    def push(self, moves: Sequence[Move]) -> list[Request]:
        told = {
            "repository": {"name": "course", "owner": {"canonicalName": "~org"}},
            "pusher": {"canonicalName": "~ada"},
            "updates": [_update(move) | {"ref": {"name": move.ref}} for move in moves],
        }
        return [self._sent("GIT_POST_RECEIVE", _webhook("GIT_POST_RECEIVE", told))]

    def other(self) -> Request:
        return self._sent("REPO_UPDATE", _webhook("REPO_UPDATE", {}))

    def _sent(self, event: str, payload: dict[str, Any]) -> Request:
        body, nonce = encoded(payload), secrets.token_hex(8)
        headers = {
            "Content-Type": JSON,
            "X-Webhook-Event": event,
            "X-Webhook-Delivery": str(uuid.uuid4()),
            "X-Payload-Nonce": nonce,
            "X-Payload-Signature": sign(body + nonce.encode()),
        }
        return Request(headers, body)


class OldSourceHut(SourceHut):
    """The payload does not tell whose refs these are."""

    kind = "old"
    identity = None
    repository = None

    def push(self, moves: Sequence[Move]) -> list[Request]:
        payload = {
            "push": str(uuid.uuid4()),
            "push_options": {},
            "pusher": {"canonical_name": "~ada", "name": "ada"},
            "refs": [_update(move) | {"name": move.ref} for move in moves],
        }
        return [self._sent("repo:post-update", payload)]

    def other(self) -> Request:
        return self._sent("repo:update", {"id": 1, "name": "course"})


def _webhook(event: str, told: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"webhook": {"uuid": str(uuid.uuid4()), "event": event} | told}}


def _update(move: Move) -> dict[str, Any]:
    return {
        "old": None if move.created else {"id": move.before, "message": "Begin"},
        "new": None if move.deleted else {"id": move.after, "message": "Mend"},
    }


SENDERS: tuple[Sender, ...] = (SourceHut(), OldSourceHut())
