"""Webhooks made through the REST APIs of forges, so that nobody has to paste anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from gitreload.github_api import HEADERS, api_base
from gitreload.http_client import Answer, HttpClient
from gitreload.model import GitreloadError, TransientError

# Nobody has so many pages of webhooks; what always answers with a full one is no forge.
_MOST_PAGES = 20


@dataclass(frozen=True, slots=True)
class Hook:
    """What a forge is told: where to send pushes, and the secret to prove them with."""

    url: str
    secret: str = field(repr=False)


class Api(Protocol):
    """How one forge's API is spoken with; paths are below its base URL."""

    def base(self, host: str) -> str:
        """The API's base URL for a forge on `host`."""

    def hooks(self, repository: str) -> str:
        """Path of the webhooks of `repository` ("org/course")."""

    def headers(self, token: str) -> dict[str, str]:
        """What proves who asks."""

    def body(self, hook: Hook) -> dict[str, Any]:
        """What makes the hook, or makes one that is there the same; all else of it goes."""

    @property
    def changes(self) -> str:
        """The method that changes a hook."""

    def url_of(self, found: Mapping[str, Any]) -> object:
        """Where a hook that is listed sends to."""

    @property
    def needs(self) -> str:
        """What the token has to be allowed, in the forge's own words."""


class _GitHub:
    """https://docs.github.com/en/rest/repos/webhooks

    A second hook with the same URL is refused (422, "Hook already exists on this repository"). A
    hook that is changed without a secret has none any more.
    """

    changes = "PATCH"
    needs = "repository permission Webhooks: read and write (or the scope admin:repo_hook)"

    def base(self, host: str) -> str:
        return api_base(f"https://{host}") or f"https://{host}/api/v3"

    def hooks(self, repository: str) -> str:
        return f"/repos/{repository}/hooks"

    def headers(self, token: str) -> dict[str, str]:
        return {**HEADERS, "Authorization": f"Bearer {token}"}

    def body(self, hook: Hook) -> dict[str, Any]:
        config = {"url": hook.url, "content_type": "json", "secret": hook.secret}
        # "0" is off, as text: https://docs.github.com/en/rest/repos/webhooks#create-a-repository-webhook
        config["insecure_ssl"] = "0"
        return {"name": "web", "active": True, "events": ["push"], "config": config}

    def url_of(self, found: Mapping[str, Any]) -> object:
        return _config(found).get("url")


class _GitLab:
    """https://docs.gitlab.com/api/project_webhooks/

    Pushes of tags are an event of their own, which a checkout needs that follows tags.
    """

    changes = "PUT"
    needs = "scope api, of a user or bot with the role Maintainer"

    def base(self, host: str) -> str:
        return f"https://{host}/api/v4"

    def hooks(self, repository: str) -> str:
        return f"/projects/{quote(repository, safe='')}/hooks"

    def headers(self, token: str) -> dict[str, str]:
        return {"PRIVATE-TOKEN": token}

    def body(self, hook: Hook) -> dict[str, Any]:
        return {
            "url": hook.url,
            "token": hook.secret,
            "push_events": True,
            "tag_push_events": True,
            "branch_filter_strategy": "all_branches",
            "enable_ssl_verification": True,
        }

    def url_of(self, found: Mapping[str, Any]) -> object:
        return found.get("url")


@dataclass(frozen=True)
class _Gitea:
    """https://docs.gitea.com/api/next/#tag/repository/operation/repoCreateHook, also of Forgejo.

    `kind` is the type of hook: Forgejo's own sends header fields of its own. Several hooks may have
    one URL, and each page of a list has 50 at most (`MAX_RESPONSE_ITEMS`):
    https://docs.gitea.com/administration/config-cheat-sheet#api-api
    """

    kind: str
    changes: str = "PATCH"
    needs: str = "scope write:repository, of a user who administrates the repository"

    def base(self, host: str) -> str:
        return f"https://{host}/api/v1"

    def hooks(self, repository: str) -> str:
        return f"/repos/{repository}/hooks"

    def headers(self, token: str) -> dict[str, str]:
        return {"Authorization": f"token {token}"}

    def body(self, hook: Hook) -> dict[str, Any]:
        config = {"url": hook.url, "content_type": "json", "secret": hook.secret}
        return {"type": self.kind, "active": True, "events": ["push"], "config": config}

    def url_of(self, found: Mapping[str, Any]) -> object:
        return _config(found).get("url")


APIS: Mapping[str, Api] = {
    "github": _GitHub(),
    "gitlab": _GitLab(),
    "gitea": _Gitea("gitea"),
    "forgejo": _Gitea("forgejo"),
}


def make_hook(
    forge: str, repository: str, hook: Hook, *, host: str, token: str, base: str | None = None
) -> None:
    """Make `hook` at `repository` of a forge on `host`; one that sends to its URL becomes it.

    That one keeps its list of deliveries; its secret, which nobody can read, becomes ours. `base`
    is the API's base URL where it is not the usual one. Raises `GitreloadError` with what the forge
    said and what to do; never with the token or the secret.
    """
    api = APIS[forge]
    hooks = f"{(base or api.base(host)).rstrip('/')}{api.hooks(repository)}"
    with HttpClient(f"the API of {forge}", headers=api.headers(token)) as client:
        session = _Session(client, forge, repository, api.needs, (token, hook.secret))
        there = [each["id"] for each in session.listed(hooks) if _leads_to(hook, api.url_of(each))]
        if there:
            session.ask(api.changes, f"{hooks}/{there[0]}", api.body(hook))
        else:
            session.ask("POST", hooks, api.body(hook))
        for number in there[1:]:  # each would send every push again, and not with our secret
            session.ask("DELETE", f"{hooks}/{number}")


def _config(found: Mapping[str, Any]) -> Mapping[str, Any]:
    config = found.get("config")
    return config if isinstance(config, dict) else {}


def _are_hooks(found: object) -> bool:
    return isinstance(found, list) and all(
        isinstance(each, dict) and "id" in each for each in found
    )


def _leads_to(hook: Hook, url: object) -> bool:
    return isinstance(url, str) and url.rstrip("/") == hook.url.rstrip("/")


@dataclass(frozen=True, slots=True)
class _Session:
    client: HttpClient
    forge: str
    repository: str
    needs: str
    secrets: tuple[str, str] = field(repr=False)

    def listed(self, hooks: str) -> Iterator[Mapping[str, Any]]:
        """All hooks, page by page; Gitea names the size of a page otherwise than the others."""
        for page in range(1, _MOST_PAGES + 1):
            url = f"{hooks}?page={page}&per_page=100&limit=50"
            found = self.ask("GET", url)
            if not found:
                return
            if not _are_hooks(found):
                raise self._no_api(url)
            yield from found

    def ask(self, method: str, url: str, body: dict[str, Any] | None = None) -> Any:
        """The JSON of an answer, None where there is none. Raises `GitreloadError`."""
        try:
            answer = self.client.ask(method, url, json=body)
        except TransientError as error:
            raise GitreloadError(
                f"{error}; try the same command again, or add the webhook by hand"
            ) from None
        if not answer.ok:
            raise GitreloadError(self._refused(answer, url))
        try:
            return answer.json()
        except ValueError:
            raise self._no_api(url) from None

    def _no_api(self, url: str) -> GitreloadError:
        return GitreloadError(
            f"what answers at {url} is no API of {self.forge}: name its base URL with --api"
        )

    def _refused(self, answer: Answer, url: str) -> str:
        told = f"{self.forge} answers {answer.status} at {url}: {answer.said(self.secrets)}"
        match answer.status:
            case 401:
                return f"{told}. The token is wrong or has expired: it needs {self.needs}"
            case 403 | 404:
                return (
                    f"{told}. Either there is no repository {self.repository}, or the token may "
                    f"not see its webhooks: it needs {self.needs}"
                )
            case 422 | 400:
                return f"{told}. Is PUBLIC_URL an address that {self.forge} can reach?"
            case status if 300 <= status < 400:
                return f"{told}. It has moved: name the API's base URL with --api"
        return f"{told}. Try the same command again later, or add the webhook by hand"
