"""GitLab: https://docs.gitlab.com/api/commits/#set-commit-pipeline-status"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gitreload.hook_apis import APIS
from gitreload.model import Mark
from gitreload.reporters.status import Shown, Status, newest


class GitLabStatus:
    """A status is a job of an external pipeline there, which cannot enter a state twice."""

    name = "GitLab"
    needs = "the scope api, of a user or bot with the role Developer (Maintainer where the branch "
    needs += "is protected)"
    longest = 255
    states: Mapping[Mark, str] = {
        Mark.PENDING: "pending",
        Mark.SUCCESS: "success",
        Mark.FAILURE: "failed",
    }

    def headers(self, token: str) -> Mapping[str, str]:
        return APIS["gitlab"].headers(token)

    def place(self, status: Status) -> str:
        return f"{_base(status)}/statuses/{status.revision}"

    def body(self, status: Status) -> dict[str, Any]:
        body = {
            "state": self.states[status.mark],
            "name": status.context,
            "description": status.description,
        }
        return body if status.url is None else body | {"target_url": status.url}

    def ask(self, status: Status) -> str:
        name = quote(status.context, safe="")
        return f"{_base(status)}/repository/commits/{status.revision}/statuses?name={name}"

    def shown(self, answer: Any, status: Status) -> Shown | None:
        return newest(answer, "name", status.context, "status")


def _base(status: Status) -> str:
    return f"{status.site}/api/v4/projects/{quote(status.repository, safe='')}"
