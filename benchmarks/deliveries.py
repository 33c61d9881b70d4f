"""GitHub's push deliveries, of the size that GitHub sends, and clients that send them."""

from __future__ import annotations

import http.client
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks.errors import BenchError
from gitreload.forges import github

SECRET = "a secret of the benchmark, long enough"
# The URLs of a repository object, by the last part of each: most of a delivery is made of them.
# https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
REPOSITORY_URLS = (
    "forks keys{/key_id} collaborators{/collaborator} teams hooks issues/events{/number} events "
    "assignees{/user} branches{/branch} tags git/blobs{/sha} git/tags{/sha} git/refs{/sha} "
    "git/trees{/sha} statuses/{sha} languages stargazers contributors subscribers subscription "
    "commits{/sha} git/commits{/sha} comments{/number} issues/comments{/number} contents/{+path} "
    "compare/{base}...{head} merges {archive_format}{/ref} downloads issues{/number} "
    "pulls{/number} milestones{/number} notifications{?since,all,participating} labels{/name} "
    "releases{/id} deployments"
)
USER_URLS = (
    "followers following{/other_user} gists{/gist_id} starred{/owner}{/repo} subscriptions orgs "
    "repos events{/privacy} received_events"
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request: its header fields and its body, signed with SECRET."""

    headers: dict[str, str]
    body: bytes


def push(url: str, after: str, before: str = "0" * 39 + "1") -> Delivery:
    """A push to `main` of the repository at `url`, about 7 KB as GitHub's are."""
    payload = github.push_payload(url, "refs/heads/main", before, after)
    payload["repository"] |= _repository()
    payload["sender"] |= _user()
    payload["commits"] = [_commit(after), _commit(before)]
    payload["head_commit"] = _commit(after)
    body = github.body_of(payload)
    secret = SECRET.encode()
    headers = github.headers_of("push", body, delivery_id=str(uuid.uuid4()), secret=secret)
    return Delivery(headers, body)


def _repository() -> dict[str, Any]:
    api = "https://api.github.com/repos/university/course-of-the-year"
    urls = {_name(last): f"{api}/{last}" for last in REPOSITORY_URLS.split()}
    return urls | {
        "node_id": "R_kgDOGfWJ8w",
        "private": True,
        "owner": _user(),
        "description": "A course of the benchmark",
        "fork": False,
        "created_at": 1700000000,
        "updated_at": "2025-01-01T00:00:00Z",
        "pushed_at": 1735689600,
        "size": 26421,
        "stargazers_count": 3,
        "language": "HTML",
        "open_issues_count": 4,
        "default_branch": "main",
        "topics": [],
        "visibility": "private",
    }


def _user() -> dict[str, Any]:
    api = "https://api.github.com/users/university"
    return {"id": 583231, "avatar_url": "https://avatars.githubusercontent.com/u/583231?v=4"} | {
        _name(last): f"{api}/{last}" for last in USER_URLS.split()
    }


def _name(last: str) -> str:
    return last.partition("{")[0].strip("/").replace("/", "_") + "_url"


def _commit(revision: str) -> dict[str, Any]:
    author = {"name": "Ada Author", "email": "ada@example.org", "username": "ada"}
    return {
        "id": revision,
        "tree_id": revision,
        "distinct": True,
        "message": "Explain the second problem of the third week better",
        "timestamp": "2025-01-01T00:00:00Z",
        "author": author,
        "committer": author,
        "added": [],
        "removed": [],
        "modified": ["problem/week3-problem2.xml", "html/week3-introduction.html"],
    }


class Sender:
    """One keep-alive connection, as a forge's hook service has them."""

    def __init__(self, port: int, path: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._path = path

    def send(self, delivery: Delivery) -> None:
        """Deliver; raises BenchError unless it is acknowledged."""
        self._connection.request("POST", self._path, delivery.body, delivery.headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise BenchError(f"a delivery was answered {answer.status}: {text!r}")

    def close(self) -> None:
        self._connection.close()


def send_all(port: int, path: str, deliveries: Sequence[Delivery], connections: int) -> None:
    """Send all, in order, over so many connections at once; all are acknowledged on return."""
    left = iter(deliveries)

    def work(_number: int) -> None:
        sender = Sender(port, path)
        # A list's iterator may be advanced by many threads; each item goes to one of them.
        for delivery in left:
            sender.send(delivery)
        sender.close()

    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(work, range(connections)))
