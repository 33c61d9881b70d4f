"""GitHub's REST API, as far as gitreload asks it: requests one after the other, and their refusals.

https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, Self

from gitreload.http_client import Answer as HttpAnswer
from gitreload.http_client import HttpClient
from gitreload.model import GitreloadError, PermanentError, TransientError
from gitreload.remotes import canonical, http_site

# The most that one page can have.
PER_PAGE = 100

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
# What to wait where GitHub does not say for how long; and at most, as its limits are for an hour:
# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
_PATIENCE_SECONDS = 60.0
_MOST_PATIENCE_SECONDS = 3600.0


class RefusedError(PermanentError):
    """GitHub does not do what it was asked. `said` is its reason, safe to show."""

    def __init__(self, status: int, said: str, url: str) -> None:
        self.status = status
        self.said = said
        super().__init__(f"GitHub answers {status} at {url}: {said}")


class RateLimitError(TransientError):
    """GitHub wants no more requests for `seconds`."""

    seconds: float

    def __init__(self, url: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            f"GitHub takes no more requests at {url} for {seconds:.0f} s: the rate limit is reached"
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """`json` is None where nothing came. `etag` asks for what is newer, `next` for the rest."""

    status: int
    json: Any
    etag: str | None
    next: str | None

    @property
    def unchanged(self) -> bool:
        """Whether it is what the `etag` of the request stands for, and so is not sent again."""
        return self.status == 304


def api_base(url: str) -> str | None:
    """The base URL of the API of the GitHub that an http or https URL leads to; None for others.

    https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api, for an
    Enterprise Server https://docs.github.com/en/enterprise-server@latest/rest, for data residency
    https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency
    """
    site = http_site(url)
    if site is None or not site.private:
        return None
    scheme, host = site.url.partition("://")[0], site.host
    if host == "github.com" or host.endswith(".ghe.com"):
        return f"{scheme}://api.{host}"
    return f"{site.url}/api/v3"


def repository_at(url: str) -> str | None:
    """The repository ("org/course") that the URL of one of GitHub's names, in its own spelling."""
    _, _, path = (canonical(url) or "").partition("/")
    named = "/".join(url.rstrip("/").removesuffix(".git").replace(":", "/").split("/")[-2:])
    return named if path.count("/") == 1 and named.lower() == path.lower() else None


class GitHubApi:
    """That at `base`. `bearer` gives the token for each request, of which no error tells."""

    def __init__(self, base: str, bearer: Callable[[], str]) -> None:
        self.base = base
        self._bearer = bearer
        # A renamed repository is found again.
        self._client = HttpClient("GitHub", headers=HEADERS, follow_redirects=True)

    def with_bearer(self, bearer: Callable[[], str]) -> Self:
        """The same, over the same connections, with another token."""
        other = copy(self)
        other._bearer = bearer  # noqa: SLF001 - its own class
        return other

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        etag: str | None = None,
    ) -> Answer:
        """What GitHub says to it, if it is no refusal. `path` starts with "/".

        Raises `RefusedError`, `RateLimitError`, `TransientError` where it cannot be reached or has
        troubles of its own, `PermanentError` where something else is there, and what `bearer` does.
        """
        return self._ask(method, f"{self.base}{path}", body, etag)

    def pages(self, path: str, *, etag: str | None = None, most: int = 10) -> Iterator[Answer]:
        """The pages of a list, `most` of them; an `etag` is that of the first. Raises as `ask`."""
        answer = self.ask("GET", path, etag=etag)
        yield answer
        for _ in range(most - 1):
            # https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
            if answer.next is None or not answer.next.startswith(f"{self.base}/"):
                return
            answer = self._ask("GET", answer.next, None, None)
            yield answer

    def _ask(self, method: str, url: str, body: object, etag: str | None) -> Answer:
        bearer = self._bearer()
        headers = {"Authorization": f"Bearer {bearer}"}
        if etag is not None:
            headers["If-None-Match"] = etag
        answer = self._client.ask(method, url, json=body, headers=headers)
        if not answer.ok and answer.status != 304:
            raise _refusal(answer, url, bearer)
        try:
            found = answer.json()
        except ValueError:
            raise PermanentError(
                f"what answers at {url} is not GitHub's API: is that host a GitHub?"
            ) from None
        return Answer(answer.status, found, answer.headers.get("ETag"), answer.next)


def _refusal(answer: HttpAnswer, url: str, bearer: str) -> GitreloadError:
    status, text = answer.status, answer.text
    said = answer.said([bearer], message(text))
    if status == 429 or (status == 403 and is_limit(answer.headers, text)):
        return RateLimitError(url, wait_seconds(answer.headers, time.time()))
    if status >= 500:
        return TransientError(f"GitHub answers {status} at {url}: {said}")
    return RefusedError(status, said, url)


def message(text: str) -> str:
    """The reason that GitHub gives for a refusal; the whole text where it has no such form.

    https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
    """
    try:
        told = json.loads(text)
        return f"{told['message']}{_details(told)}"
    except (ValueError, TypeError, KeyError, RecursionError):
        return text


def _details(told: Mapping[str, Any]) -> str:
    errors = told.get("errors") or ()
    texts = [error.get("message") for error in errors if isinstance(error, Mapping)]
    return "".join(f"; {text}" for text in texts if text)


def is_limit(headers: Mapping[str, str], text: str) -> bool:
    """Whether a 403 is for the number of requests, not for the right to make them.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    return (
        headers.get("X-RateLimit-Remaining") == "0"
        or "Retry-After" in headers
        or "rate limit" in text.lower()
    )


def wait_seconds(headers: Mapping[str, str], now: float) -> float:
    """For how long no more requests are taken, whether the answer says so or not."""
    after, reset = headers.get("Retry-After", ""), headers.get("X-RateLimit-Reset", "")
    if after.isdecimal():
        return min(float(after), _MOST_PATIENCE_SECONDS)
    if headers.get("X-RateLimit-Remaining") == "0" and reset.isdecimal():
        return min(max(float(reset) - now, 1.0), _MOST_PATIENCE_SECONDS)
    return _PATIENCE_SECONDS
