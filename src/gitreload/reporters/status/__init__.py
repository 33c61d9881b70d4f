"""Marks at commits, by the APIs of forges: what is sent, and where. Nothing here does I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gitreload.model import Mark


@dataclass(frozen=True, slots=True)
class Status:
    """What a commit of a forge is to show.

    `site` is the forge's address ("https://git.example.org/below"), `repository` the path there
    ("org/course"), as the API names it. `context` tells this status from those that others give.
    """

    site: str
    repository: str
    revision: str
    context: str
    mark: Mark
    description: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a forge says that a commit shows, in its own words."""

    state: str
    description: str | None


class StatusApi(Protocol):
    """How one forge is told."""

    @property
    def name(self) -> str:
        """The forge's name, for people."""

    @property
    def needs(self) -> str:
        """What the token has to be allowed, in the forge's own words."""

    @property
    def longest(self) -> int:
        """How many characters a description may have."""

    @property
    def states(self) -> Mapping[Mark, str]:
        """What the forge calls the marks."""

    def headers(self, token: str) -> Mapping[str, str]:
        """What proves who asks."""

    def place(self, status: Status) -> str:
        """Where a status is sent to, by POST."""

    def body(self, status: Status) -> dict[str, Any]:
        """What is sent."""

    def ask(self, status: Status) -> str:
        """Where it is asked what the commit shows, by GET. 404 means that it shows nothing."""

    def shown(self, answer: Any, status: Status) -> Shown | None:
        """What it shows, by the JSON of that answer; may raise what such a look raises."""


def newest(found: Iterable[Mapping[str, Any]], key: str, context: str, state: str) -> Shown | None:
    """The newest status of a context in a list, whatever its order: ids grow."""
    ours = [each for each in found if str(each[key]).lower() == context.lower()]
    if not ours:
        return None
    last = max(ours, key=lambda each: int(each["id"]))
    return Shown(str(last[state]), last.get("description"))
