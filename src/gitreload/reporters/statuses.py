"""Commit statuses: what became of a push, shown at its commit by the forge that it came from.

A token goes to the host of `origin`, or to that of a configured URL, and to no other: redirects
that lead elsewhere are not followed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urljoin

from gitreload.github_api import is_limit, message, wait_seconds
from gitreload.github_app import STATUSES
from gitreload.http_client import Answer, HttpClient
from gitreload.model import PermanentError, TransientError
from gitreload.remotes import http_site
from gitreload.reporters import News, shorten
from gitreload.reporters.status import Status, StatusApi
from gitreload.reporters.targets import Target, Targets
from gitreload.settings import Settings
from gitreload.visible import visible

T = TypeVar("T")


class Statuses:
    """The reporter of commit statuses."""

    name = "commit status"

    def __init__(self, settings: Settings) -> None:
        self._targets = Targets(settings)

    def wants(self, news: News) -> bool:
        return news.revision is not None and self._targets.site(news.job) is not None

    def place(self, news: News) -> str:
        return self._targets.site(news.job) or ""

    def deliver(self, news: News, *, again: bool) -> None:
        target = self._targets.of(news.job, news.forge)
        assert news.revision is not None, "others are not wanted"
        status = Status(
            target.site,
            target.repository,
            news.revision,
            target.context,
            news.mark,
            shorten(news.sentence, target.api.longest),
            news.url,
        )
        token = target.token(STATUSES)
        with HttpClient(target.api.name) as client:
            _Exchange(client, target, token).give(status, again=again)


@dataclass(frozen=True, slots=True)
class _Exchange:
    """What is said to one forge about one commit."""

    client: HttpClient
    target: Target
    token: str

    def give(self, status: Status, *, again: bool) -> None:
        """Have the commit show the status, once, where it may show it already."""
        if again and self._shows(status):
            return
        api = self.target.api
        url = api.place(status)
        answer = self._ask("POST", url, api.body(status))
        if answer.ok:
            _read(answer.json, api, url)  # a page for people answers 200 to everything
        elif not self._is_the_same(answer) or not self._shows(status, mark=True):
            raise self._refusal(answer, url)

    def _is_the_same(self, answer: Answer) -> bool:
        """Whether GitLab refuses it only because it shows that already.

        https://gitlab.com/gitlab-org/gitlab/-/issues/25807
        """
        return answer.status == 400 and "Cannot transition status" in answer.text

    def _shows(self, status: Status, *, mark: bool = False) -> bool:
        """Whether the forge says that this is what it shows; by `mark`, with whatever text."""
        api = self.target.api
        url = api.ask(status)
        answer = self._ask("GET", url)
        if answer.status == 404:  # the POST tells whether it is the commit that is missing
            return False
        if not answer.ok:
            raise self._refusal(answer, url)
        shown = _read(lambda: api.shown(answer.json(), status), api, url)
        if shown is None or shown.state != api.states[status.mark]:
            return False
        return mark or (shown.description or "") == status.description

    def _ask(self, method: str, url: str, body: dict[str, Any] | None = None) -> Answer:
        headers = self.target.api.headers(self.token)
        answer = self.client.ask(method, url, json=body, headers=headers)
        moved = _moved(answer, url)
        if moved is not None and _origin(moved) == _origin(url):
            # A repository that was renamed: GitHub, GitLab and Gitea lead to it.
            return self.client.ask(method, moved, json=body, headers=headers)
        return answer

    def _refusal(self, answer: Answer, url: str) -> TransientError | PermanentError:
        api, name = self.target.api, visible(self.target.repository)
        where = f"{api.name} at {_origin(url)}"
        said = answer.said([self.token], message(answer.text))
        told = f"{where} answers {answer.status} for the status of a commit of {name}: {said}"
        if answer.status == 429 or (answer.status == 403 and is_limit(answer.headers, answer.text)):
            error = TransientError(f"{where} takes no more requests now: the rate limit is reached")
            error.seconds = wait_seconds(answer.headers, time.time())
            return error
        if answer.status >= 500 or answer.status == 408:
            return TransientError(told)
        return PermanentError(f"{told}. {self._cure(answer)}")

    def _cure(self, answer: Answer) -> str:
        of, needs = self.target.token_place, self.target.api.needs
        match answer.status:
            case 401:
                return f"The {of} is wrong or has expired: it needs {needs}"
            case 403 | 404:
                return (
                    "Either there is no such repository or commit, or it may not be marked with "
                    f"the {of}: it needs {needs}"
                )
            case status if 300 <= status < 400:
                return (
                    "It leads to another address, where no token is sent: correct origin (git "
                    "remote set-url origin URL), or set URL in STATUS"
                )
        return "Is STATUS right, and the commit still there?"


def _moved(answer: Answer, url: str) -> str | None:
    """Where a redirect leads; None where it is none, or leads nowhere."""
    if not 300 <= answer.status < 400:
        return None
    try:
        return urljoin(url, answer.headers.get("Location", ""))
    except ValueError:
        return None


def _read(look: Callable[[], T], api: StatusApi, url: str) -> T:
    try:
        return look()
    except (ValueError, TypeError, KeyError, AttributeError):
        raise PermanentError(
            f"what answers at {visible(url)} is not the API of {api.name}: set FORGE or URL in "
            "STATUS"
        ) from None


def _origin(url: str) -> str | None:
    site = http_site(url)
    return None if site is None else site.url
