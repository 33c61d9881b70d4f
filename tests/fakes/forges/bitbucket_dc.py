"""Bitbucket Data Center:
https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from fakes.forges.sender import JSON, Move, Request, Sender, digest, encoded

REPOSITORY = {
    "slug": "course",
    "id": 84,
    "name": "course",
    "scmId": "git",
    "state": "AVAILABLE",
    "forkable": True,
    "project": {"key": "ORG", "id": 84, "name": "Org", "public": False, "type": "NORMAL"},
    "public": False,
    "links": {
        "clone": [
            {"href": "ssh://git@bitbucket.example.org:7999/org/course.git", "name": "ssh"},
            {"href": "https://bitbucket.example.org/scm/org/course.git", "name": "http"},
        ],
        "self": [{"href": "https://bitbucket.example.org/projects/ORG/repos/course/browse"}],
    },
}
ACTOR = {"name": "ada", "emailAddress": "ada@example.org", "id": 1, "displayName": "Ada Lovelace"}


class BitbucketDC(Sender):
    forge = "bitbucket-dc"
    identity = "bitbucket.example.org/scm/org/course"
    repository = "ORG/course"
    repeats = False  # it gives up at once, and has no button for it

    def push(self, moves: Sequence[Move]) -> list[Request]:
        changes = [_change(move) for move in moves]
        return [self._sent("repo:refs_changed", {"actor": ACTOR, "changes": changes})]

    def test(self) -> Request:
        return self._signed("diagnostics:ping", b'{"test": true}')

    def other(self) -> Request:
        return self._sent("repo:forked", {"actor": ACTOR})

    def _sent(self, event: str, payload: dict[str, Any]) -> Request:
        told = {"eventKey": event, "date": "2026-11-24T09:45:32+1000", "repository": REPOSITORY}
        return self._signed(event, encoded(told | payload))

    def _signed(self, event: str, body: bytes) -> Request:
        headers = {
            "Content-Type": f"{JSON}; charset=utf-8",
            "User-Agent": "Atlassian HttpClient 4.2.3 / Bitbucket-9.4.1",
            "X-Event-Key": event,
            "X-Request-Id": str(uuid.uuid4()),
            "X-Hub-Signature": f"sha256={digest(body)}",
        }
        return Request(headers, body)


class BitbucketMirror(BitbucketDC):
    """A mirror that has caught up; it does not tell who pushed."""

    kind = "mirror"
    pusher = None

    def push(self, moves: Sequence[Move]) -> list[Request]:
        payload = {
            "mirrorServer": {"id": "B9PQ-44YD-BUKI-QZW5", "name": "mirror"},
            "syncType": "INCREMENTAL",
            "refLimitExceeded": False,
            "changes": [_change(move) for move in moves],
        }
        return [self._sent("mirror:repo_synchronized", payload)]


def _change(move: Move) -> dict[str, Any]:
    kind = "ADD" if move.created else "DELETE" if move.deleted else "UPDATE"
    return {
        "ref": {
            "id": move.ref,
            "displayId": move.name,
            "type": "TAG" if move.is_tag else "BRANCH",
        },
        "refId": move.ref,
        "fromHash": move.before,
        "toHash": move.after,
        "type": kind,
    }


SENDERS: tuple[Sender, ...] = (BitbucketDC(), BitbucketMirror())
