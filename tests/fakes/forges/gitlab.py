"""GitLab: https://docs.gitlab.com/user/project/integrations/webhook_events/#push-events

How hooks prove themselves: https://docs.gitlab.com/user/project/integrations/webhooks/
System hooks: https://docs.gitlab.com/administration/system_hooks/
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Sequence
from typing import Any

from fakes.forges import NOW, SECRET
from fakes.forges.sender import JSON, Move, Request, Sender, encoded
from gitreload.forges import Keys

SIGNING_TOKEN = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PROJECT = {
    "id": 15,
    "name": "Course",
    "web_url": "https://gitlab.example.org/org/course",
    "git_ssh_url": "git@gitlab.example.org:org/course.git",
    "git_http_url": "https://gitlab.example.org/org/course.git",
    "namespace": "Org",
    "path_with_namespace": "org/course",
    "default_branch": "main",
}


class GitLab(Sender):
    forge = "gitlab"
    kind = "token"
    keys = Keys((SECRET, SIGNING_TOKEN))
    identity = "gitlab.example.org/org/course"

    def push(self, moves: Sequence[Move]) -> list[Request]:
        return [
            self._sent("Tag Push Hook" if move.is_tag else "Push Hook", _push(move))
            for move in moves
        ]

    def test(self) -> Request:
        """An event that might have been."""
        return self.push([Move()])[0]

    def other(self) -> Request:
        changes = {"updated_at": {"previous": "2026-11-23", "current": "2026-11-24"}}
        payload = {"object_kind": "issue", "event_type": "issue", "changes": changes}
        return self._sent("Issue Hook", payload | {"project": PROJECT})

    def _sent(self, event: str, payload: dict[str, Any], number: str | None = None) -> Request:
        body = encoded(payload)
        number = number or str(uuid.uuid4())
        headers = {
            "Content-Type": JSON,
            "User-Agent": "GitLab/18.6.0",
            "Idempotency-Key": number,
            "X-Gitlab-Event": event,
            # The hook's, not the delivery's.
            "X-Gitlab-Webhook-UUID": "6a05b4b3-1a6b-4b0c-9d47-e1a2e27bbf6c",
            "X-Gitlab-Event-UUID": "13792a34-cac6-4fda-95a8-c58e00a3954e",
            "X-Gitlab-Instance": "https://gitlab.example.org",
            **self._proof(number, body),
        }
        return Request(headers, body)

    def _proof(self, _number: str, _body: bytes) -> dict[str, str]:
        return {"X-Gitlab-Token": SECRET.decode()}


class GitLabSigned(GitLab):
    kind = "signature"

    def again(self, request: Request) -> Request:
        number = request.headers["webhook-id"]
        return Request({**request.headers, **self._proof(number, request.body, 60)}, request.body)

    def _proof(self, number: str, body: bytes, later: int = 0) -> dict[str, str]:
        seconds = int(NOW) + later
        key = base64.b64decode(SIGNING_TOKEN.removeprefix(b"whsec_"))
        mac = hmac.new(key, f"{number}.{seconds}.".encode() + body, hashlib.sha256)
        return {
            "webhook-id": number,
            "webhook-timestamp": str(seconds),
            "webhook-signature": f"v1,{base64.b64encode(mac.digest()).decode()}",
        }


class GitLabSystem(GitLab):
    """One hook for the instance, that is told of all refs of a push at once."""

    kind = "system"

    def push(self, moves: Sequence[Move]) -> list[Request]:
        changes = [{"before": m.before, "after": m.after, "ref": m.ref} for m in moves]
        payload = {
            "event_name": "repository_update",
            "user_id": 1,
            "user_name": "ada",
            "project_id": 15,
            "project": PROJECT,
            "changes": changes,
            "refs": sorted({move.ref for move in moves}),
        }
        return [self._sent("System Hook", payload)]

    def other(self) -> Request:
        payload = {"event_name": "project_create", "name": "Course", "project_id": 15}
        return self._sent("System Hook", payload)


def _push(move: Move) -> dict[str, Any]:
    kind = "tag_push" if move.is_tag else "push"
    commit = {"id": move.head, "title": "Mend", "added": [], "modified": ["a"], "removed": []}
    return {
        "object_kind": kind,
        "event_name": kind,
        "before": move.before,
        "after": move.after,
        "ref": move.ref,
        "ref_protected": True,
        "checkout_sha": None if move.deleted else move.after,
        "user_id": 4,
        "user_name": "Ada Lovelace",
        "user_username": "ada",
        "user_email": "ada@example.org",
        "project_id": 15,
        "project": PROJECT,
        "commits": [] if move.deleted else [commit],
        "total_commits_count": 0 if move.deleted else 1,
        "repository": {
            "name": "Course",
            "url": "git@gitlab.example.org:org/course.git",
            "homepage": "https://gitlab.example.org/org/course",
        },
    }


SENDERS: tuple[Sender, ...] = (GitLab(), GitLabSigned(), GitLabSystem())
