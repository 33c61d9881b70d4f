"""GitHub as a sender: deliveries like its own, for every test that needs one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from fakes.forges import AFTER, BEFORE, SECRET
from gitreload.forges.github import body_of, headers_of, push_payload

# The addresses that GitHub adds to every repository and user make most of a payload's 7 KB.
_OF_REPOSITORIES = """
    archive assignees blobs branches collaborators comments commits compare contents contributors
    deployments downloads events forks git_commits git_refs git_tags hooks issue_comment
    issue_events issues keys labels languages merges milestones notifications pulls releases
    stargazers statuses subscribers subscription tags teams trees
"""
_OF_USERS = """
    avatar events followers following gists organizations received_events repos starred
    subscriptions
"""


def github_push(
    url: str = "https://github.com/Org/course",
    ref: str = "refs/heads/main",
    before: str = BEFORE,
    after: str = AFTER,
    *,
    large: bool = False,
    **overrides: Any,
) -> dict[str, Any]:
    """A push's payload; `large` fills it up to GitHub's usual 7 KB. `overrides` replace keys."""
    payload = push_payload(url, ref, before, after)
    if large:
        _fill(payload)
    return payload | overrides


def headers(
    body: bytes,
    secret: bytes | None = None,
    event: str = "push",
    delivery: str | None = None,
    form: bool = False,
) -> dict[str, str]:
    """What GitHub would send with `body`; the delivery id is new unless one is given."""
    return headers_of(
        event, body, delivery_id=delivery or str(uuid.uuid4()), secret=secret, form=form
    )


def signed(
    payload: Mapping[str, Any],
    secret: bytes | None = SECRET,
    event: str = "push",
    delivery: str | None = None,
    form: bool = False,
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a whole delivery."""
    body = body_of(payload, form=form)
    return headers(body, secret, event, delivery, form), body


def _fill(payload: dict[str, Any]) -> None:
    api = "https://api.github.com"
    repository = payload["repository"]
    repository |= _addresses(f"{api}/repos/{repository['full_name']}", _OF_REPOSITORIES)
    ada = {"login": "ada", "id": 1, "type": "User", "site_admin": False}
    ada |= _addresses(f"{api}/users/ada", _OF_USERS)
    payload |= {"sender": ada, "organization": ada}
    payload["commits"] *= 7
    repository["owner"] = ada


def _addresses(base: str, words: str) -> dict[str, str]:
    return {f"{word}_url": f"{base}/{word}{{/{word}_id}}" for word in words.split()}
