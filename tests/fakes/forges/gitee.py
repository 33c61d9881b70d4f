"""Gitee: https://help.gitee.com/webhook/gitee-webhook-push-data-format

The two proofs: https://gitee.com/help/articles/4290
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

from fakes.forges import NOW, SECRET
from fakes.forges.sender import JSON, Move, Request, Sender, encoded

REPOSITORY = {
    "id": 120249025,
    "name": "course",
    "path": "course",
    "full_name": "org/course",
    "path_with_namespace": "org/course",
    "html_url": "https://gitee.com/org/course",
    "ssh_url": "git@gitee.com:org/course.git",
    "clone_url": "https://gitee.com/org/course.git",
    "git_http_url": "https://gitee.com/org/course.git",
    "git_ssh_url": "git@gitee.com:org/course.git",
    "git_url": "git://gitee.com/org/course.git",
}


class Gitee(Sender):
    forge = "gitee"
    kind = "password"
    identity = "gitee.com/org/course"

    def push(self, moves: Sequence[Move]) -> list[Request]:
        return [
            self._sent("Tag Push Hook" if move.is_tag else "Push Hook", _push(move))
            for move in moves
        ]

    def test(self) -> Request:
        request = self.push([Move()])[0]
        return request.with_headers(X_Gitee_Ping="true")

    def other(self) -> Request:
        return self._sent("Note Hook", {"hook_name": "note_hooks", "action": "comment"})

    def _sent(self, event: str, payload: dict[str, Any]) -> Request:
        stamp = str(int(NOW * 1000))
        proof = self._proof(stamp)
        echoed = {"password": proof, "sign": proof, "timestamp": stamp, "hook_id": 1234}
        headers = {
            "Content-Type": JSON,
            "User-Agent": "git-oschina-hook",
            "X-Gitee-Event": event,
            "X-Gitee-Ping": "false",
            "X-Gitee-Timestamp": stamp,
            "X-Gitee-Token": proof,
            "X-Git-Oschina-Event": event,
        }
        return Request(headers, encoded(payload | echoed | {"repository": REPOSITORY}))

    def _proof(self, _stamp: str) -> str:
        return SECRET.decode()


class GiteeSigned(Gitee):
    kind = "signature"

    def _proof(self, stamp: str) -> str:
        mac = hmac.new(SECRET, f"{stamp}\n".encode() + SECRET, hashlib.sha256)
        return base64.b64encode(mac.digest()).decode()


def _push(move: Move) -> dict[str, Any]:
    return {
        "hook_name": "tag_push_hooks" if move.is_tag else "push_hooks",
        "ref": move.ref,
        "before": move.before,
        "after": move.after,
        "created": move.created,
        "deleted": move.deleted,
        "compare": "https://gitee.com/org/course/compare/1f1f1f1f...2e2e2e2e",
        "commits": None if move.deleted else [{"id": move.after, "message": "Mend"}],
        "total_commits_count": 0 if move.deleted else 1,
        "pusher": {"name": "Ada Lovelace", "username": "ada", "email": "ada@example.org"},
        "user": {"name": "Ada Lovelace", "username": "ada"},
    }


SENDERS: tuple[Sender, ...] = (Gitee(), GiteeSigned())
