"""Gitea and Forgejo: https://docs.gitea.com/api/#tag/repository/operation/repoCreateStatus"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitreload.hook_apis import APIS
from gitreload.model import Mark
from gitreload.reporters.status import Shown, Status, newest
from gitreload.reporters.status.github import target_body


@dataclass(frozen=True)
class GiteaStatus:
    """As GitHub's API, but a list names the state otherwise than what is sent."""

    name: str
    needs: str = "the scope write:repository, of a user who may write there"
    longest: int = 255

    @property
    def states(self) -> Mapping[Mark, str]:
        return {mark: mark.value for mark in Mark}

    def headers(self, token: str) -> Mapping[str, str]:
        return APIS["gitea"].headers(token)

    def place(self, status: Status) -> str:
        return f"{status.site}/api/v1/repos/{status.repository}/statuses/{status.revision}"

    def body(self, status: Status) -> dict[str, Any]:
        return target_body(status, self.states)

    def ask(self, status: Status) -> str:
        # Pages have 50 at most: https://docs.gitea.com/administration/config-cheat-sheet#api-api
        return f"{self.place(status)}?sort=recentupdate&limit=50"

    def shown(self, answer: Any, status: Status) -> Shown | None:
        return newest(answer, "context", status.context, "status")
