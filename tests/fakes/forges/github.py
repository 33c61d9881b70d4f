"""GitHub: https://docs.github.com/en/webhooks/webhook-events-and-payloads#push"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from fakes.forges.sender import JSON, Move, Request, Sender, digest, encoded

REPOSITORY = {
    "id": 35129377,
    "name": "course",
    "full_name": "org/course",
    "private": False,
    "owner": {"login": "org", "id": 6752317, "type": "Organization"},
    "html_url": "https://github.com/org/course",
    "url": "https://github.com/org/course",
    "git_url": "git://github.com/org/course.git",
    "ssh_url": "git@github.com:org/course.git",
    "clone_url": "https://github.com/org/course.git",
    "default_branch": "main",
}
SENDER = {"login": "ada", "id": 6752317, "type": "User", "site_admin": False}


class GitHub(Sender):
    forge = "github"
    identity = "github.com/org/course"

    def push(self, moves: Sequence[Move]) -> list[Request]:
        return [self._sent("push", _push(move)) for move in moves]

    def test(self) -> Request:
        payload = {
            "zen": "Design for failure.",
            "hook_id": 292430182,
            "hook": {"type": "Repository", "id": 292430182, "events": ["push"], "active": True},
        }
        return self._sent("ping", payload)

    def other(self) -> Request:
        """Beside its push, a new branch makes it send this, where the hook asks for it."""
        payload = {"ref": "main", "ref_type": "branch", "pusher_type": "user"}
        return self._sent("create", payload)

    def _sent(self, event: str, payload: dict[str, Any]) -> Request:
        body = self._body(payload | {"repository": REPOSITORY, "sender": SENDER})
        headers = {
            "Accept": "*/*",
            "Content-Type": self._content_type(),
            "User-Agent": "GitHub-Hookshot/044aadd",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-GitHub-Event": event,
            "X-GitHub-Hook-ID": "292430182",
            "X-GitHub-Hook-Installation-Target-ID": "35129377",
            "X-GitHub-Hook-Installation-Target-Type": "repository",
            "X-Hub-Signature": "sha1=2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
            "X-Hub-Signature-256": f"sha256={digest(body)}",
        }
        return Request(headers, body)

    def _body(self, payload: dict[str, Any]) -> bytes:
        return encoded(payload)

    def _content_type(self) -> str:
        return JSON


class GitHubForm(GitHub):
    """As its settings page has it at first; signed is the form."""

    kind = "form"

    def _body(self, payload: dict[str, Any]) -> bytes:
        return urlencode({"payload": super()._body(payload)}).encode()

    def _content_type(self) -> str:
        return "application/x-www-form-urlencoded"


def _push(move: Move) -> dict[str, Any]:
    commit = {"id": move.head, "message": "Mend", "added": [], "removed": [], "modified": ["a"]}
    return {
        "ref": move.ref,
        "before": move.before,
        "after": move.after,
        "created": move.created,
        "deleted": move.deleted,
        "forced": move.forced,
        "base_ref": None,
        "compare": "https://github.com/org/course/compare/1f1f1f1f1f1f...2e2e2e2e2e2e",
        "commits": [] if move.deleted else [commit],
        "head_commit": None if move.deleted else commit,
        "pusher": {"name": "ada", "email": "ada@example.org"},
    }


SENDERS: tuple[Sender, ...] = (GitHub(), GitHubForm())
