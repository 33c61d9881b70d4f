"""Azure DevOps: https://learn.microsoft.com/azure/devops/service-hooks/events#git.push"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from fakes.forges import SECRET
from fakes.forges.sender import JSON, Move, Request, Sender, encoded
from gitreload.forges import Keys

SAMPLE = "03c164c2-8912-4d5e-8009-3707d5f83734"
REPOSITORY = {
    "id": "278d5cd2-584d-4b63-824a-2ba458937249",
    "name": "course",
    "url": "https://dev.azure.com/org/_apis/git/repositories/278d5cd2-584d-4b63-824a-2ba458937249",
    "project": {
        "id": "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c",
        "name": "Teaching",
        "state": "wellFormed",
    },
    "defaultBranch": "refs/heads/main",
    "remoteUrl": "https://org@dev.azure.com/org/Teaching/_git/course",
}


class Azure(Sender):
    """With a user and a password, which the web server's layer looks at."""

    forge = "azure"
    kind = "basic"
    keys = Keys((SECRET,), basic=True)
    identity = "dev.azure.com/org/Teaching/_git/course"
    repository = "Teaching/course"
    pusher = "ada@example.org"

    def push(self, moves: Sequence[Move]) -> list[Request]:
        return [self._sent("git.push", _resource(moves))]

    def test(self) -> Request:
        return self._sent("git.push", _resource([Move()]), SAMPLE)

    def other(self) -> Request:
        resource = {"pullRequestId": 1, "status": "active", "repository": REPOSITORY}
        return self._sent("git.pullrequest.created", resource)

    def again(self, request: Request) -> Request:
        return request.with_headers(X_Vss_ActivityId=str(uuid.uuid4()))

    def _sent(self, event: str, resource: dict[str, Any], number: str | None = None) -> Request:
        payload = {
            "subscriptionId": "4f6e6328-0251-4814-a009-c01dfa368e3f",
            "notificationId": 10,
            "id": number or str(uuid.uuid4()),
            "eventType": event,
            "publisherId": "tfs",
            "message": {"text": "Ada Lovelace pushed updates to course:main."},
            "detailedMessage": {"text": "Ada Lovelace pushed a commit to course:main."},
            "resource": resource,
            "resourceVersion": "1.0",
            "createdDate": "2026-11-24T09:45:49.3448928Z",
        }
        headers = {
            "Content-Type": f"{JSON}; charset=utf-8",
            "User-Agent": "VSServices/19.252.35902.1 (TFS/19.252)",
            "X-Vss-ActivityId": str(uuid.uuid4()),
            "X-Vss-SubscriptionId": "4f6e6328-0251-4814-a009-c01dfa368e3f",
            **self._proof(),
        }
        return Request(headers, encoded(payload))

    def _proof(self) -> dict[str, str]:
        return {"Authorization": "Basic YWRhOmEgc2VjcmV0IG9mIGdvb2QgbGVuZ3Ro"}


class AzureToken(Azure):
    """With a header field of one's own."""

    kind = "token"
    keys = Keys((SECRET,))

    def _proof(self) -> dict[str, str]:
        return {"X-Gitreload-Token": SECRET.decode()}


def _resource(moves: Sequence[Move]) -> dict[str, Any]:
    return {
        "commits": [{"commitId": move.head, "comment": "Mend"} for move in moves],
        "refUpdates": [
            {"name": move.ref, "oldObjectId": move.before, "newObjectId": move.after}
            for move in moves
        ],
        "repository": REPOSITORY,
        "pushedBy": {
            "id": "00067FFED5C7AF52@Live.com",
            "displayName": "Ada Lovelace",
            "uniqueName": "ada@example.org",
        },
        "pushId": 14,
        "date": "2026-11-24T09:45:42.8315767Z",
    }


SENDERS: tuple[Sender, ...] = (Azure(), AzureToken())
