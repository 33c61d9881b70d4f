"""GitHub, and an Enterprise Server: https://docs.github.com/en/rest/commits/statuses"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitreload.github_api import api_base
from gitreload.hook_apis import APIS
from gitreload.model import Mark
from gitreload.reporters.status import Shown, Status, newest


class GitHubStatus:
    """Names of contexts are the same in upper and lower case there."""

    name = "GitHub"
    needs = "the permission Commit statuses: Read and write (or the scope repo:status)"
    # More is refused: "description is too long (maximum is 140 characters)".
    longest = 140
    states: Mapping[Mark, str] = {mark: mark.value for mark in Mark}

    def headers(self, token: str) -> Mapping[str, str]:
        return APIS["github"].headers(token)

    def place(self, status: Status) -> str:
        return f"{_base(status)}/statuses/{status.revision}"

    def body(self, status: Status) -> dict[str, Any]:
        return target_body(status, self.states)

    def ask(self, status: Status) -> str:
        return f"{_base(status)}/commits/{status.revision}/statuses?per_page=100"

    def shown(self, answer: Any, status: Status) -> Shown | None:
        return newest(answer, "context", status.context, "state")


def target_body(status: Status, states: Mapping[Mark, str]) -> dict[str, Any]:
    """What GitHub and those who took over its API are sent."""
    body = {
        "state": states[status.mark],
        "context": status.context,
        "description": status.description,
    }
    return body if status.url is None else body | {"target_url": status.url}


def _base(status: Status) -> str:
    return f"{api_base(status.site)}/repos/{status.repository}"
