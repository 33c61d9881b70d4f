"""Gogs: https://gogs.io/docs/features/webhook, and what Gitea and Forgejo have kept of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from fakes.forges import SECRET
from fakes.forges.sender import JSON, Move, Request, Sender, digest, encoded

USER = {"id": 1, "login": "ada", "full_name": "", "email": "ada@example.org", "username": "ada"}


class Gogs(Sender):
    forge = "gogs"
    brands: tuple[str, ...] = ("Gogs",)  # whose headers it sends
    identity = "gogs.example.org/org/course"

    def push(self, moves: Sequence[Move]) -> list[Request]:
        return [
            self._sent("delete", self._deletion(move))
            if move.deleted
            else self._sent("push", self._push(move))
            for move in moves
        ]

    def test(self) -> Request:
        """A push that moves nothing."""
        return self.push([Move(before=Move().after)])[0]

    def other(self) -> Request:
        """It sends this beside the push of a new branch."""
        return self._sent("create", {"ref": "main", "ref_type": "branch", "sender": USER})

    def _sent(self, event: str, payload: dict[str, Any]) -> Request:
        body = self._body(payload | {"repository": self._repository()})
        number = str(uuid.uuid4())
        headers = {"Content-Type": JSON, "User-Agent": f"{self.brands[0]}Server"}
        for brand in self.brands:
            headers |= {f"X-{brand}-Delivery": number, f"X-{brand}-Event": event}
        return Request({**headers, **self._proof(body)}, body)

    def _body(self, payload: dict[str, Any]) -> bytes:
        return encoded(payload)

    def _proof(self, body: bytes) -> dict[str, str]:
        return {"X-Gogs-Signature": digest(body)}

    def _repository(self) -> dict[str, Any]:
        return {
            "id": 140,
            "owner": USER,
            "name": "course",
            "full_name": "org/course",
            "html_url": f"https://{self.identity}",
            "ssh_url": f"git@{self.identity.replace('/', ':', 1)}.git",
            "clone_url": f"https://{self.identity}.git",
            "default_branch": "main",
        }

    def _push(self, move: Move) -> dict[str, Any]:
        return {
            "ref": move.ref,
            "before": move.before,
            "after": move.after,
            "compare_url": f"https://{self.identity}/compare/1f1f1f1f...2e2e2e2e",
            "commits": [{"id": move.after, "message": "Mend", "added": [], "modified": ["a"]}],
            "pusher": USER,
            "sender": USER,
        }

    def _deletion(self, move: Move) -> dict[str, Any]:
        kind = "tag" if move.is_tag else "branch"
        return {"ref": move.name, "ref_type": kind, "pusher_type": "user", "sender": USER}


class OldGogs(Gogs):
    """Before 0.9 nothing was signed: https://github.com/gogs/gogs/releases/tag/v0.9.113"""

    kind = "old"

    def _body(self, payload: dict[str, Any]) -> bytes:
        return super()._body({"secret": SECRET.decode()} | payload)

    def _proof(self, _body: bytes) -> dict[str, str]:
        return {}


SENDERS: tuple[Sender, ...] = (Gogs(), OldGogs())
