"""Bitbucket Cloud: https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Push"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from fakes.forges.sender import JSON, Move, Request, Sender, digest, encoded

API = "https://api.bitbucket.org/2.0/repositories/org/course"
REPOSITORY = {
    "type": "repository",
    "full_name": "org/course",
    "links": {
        "self": {"href": API},
        "html": {"href": "https://bitbucket.org/org/course"},
        "avatar": {"href": "https://bytebucket.org/ravatar/1"},
    },
    "name": "Course",
    "scm": "git",
    "workspace": {"type": "workspace", "slug": "org", "name": "Org"},
    "is_private": True,
    "uuid": "{673a6070-3421-46c9-9d48-90745f7bfe8e}",
}
ACTOR = {"type": "user", "nickname": "ada", "display_name": "Ada Lovelace", "account_id": "1:2"}


class BitbucketCloud(Sender):
    forge = "bitbucket-cloud"
    identity = "bitbucket.org/org/course"

    def push(self, moves: Sequence[Move]) -> list[Request]:
        return [self._sent("repo:push", {"push": {"changes": [_change(m) for m in moves]}})]

    def other(self) -> Request:
        return self._sent("repo:fork", {"fork": REPOSITORY})

    def again(self, request: Request) -> Request:
        return request.with_headers(X_Attempt_Number="2")

    def _sent(self, event: str, payload: dict[str, Any]) -> Request:
        body = encoded(payload | {"repository": REPOSITORY, "actor": ACTOR})
        headers = {
            "Content-Type": JSON,
            "User-Agent": "Bitbucket-Webhooks/2.0",
            "X-Event-Key": event,
            "X-Hook-UUID": "10d0abcb-1bd6-4a6b-b1a3-6a1cc1d7ad5f",
            "X-Request-UUID": str(uuid.uuid4()),
            "X-Attempt-Number": "1",
            "X-Hub-Signature": f"sha256={digest(body)}",
        }
        return Request(headers, body)


def _change(move: Move) -> dict[str, Any]:
    return {
        "old": None if move.created else _side(move, move.before),
        "new": None if move.deleted else _side(move, move.after),
        "created": move.created,
        "closed": move.deleted,
        "forced": move.forced,
        "truncated": False,
        "links": {"commits": {"href": f"{API}/commits?include={move.head}"}},
        "commits": [{"type": "commit", "hash": move.head, "message": "Mend"}],
    }


def _side(move: Move, commit: str) -> dict[str, Any]:
    kind, place = ("tag", "tags") if move.is_tag else ("branch", "branches")
    return {
        "type": kind,
        "name": move.name,
        "target": {"type": "commit", "hash": commit, "message": "Mend", "parents": []},
        "links": {"self": {"href": f"{API}/refs/{place}/{move.name}"}},
    }


SENDERS: tuple[Sender, ...] = (BitbucketCloud(),)
