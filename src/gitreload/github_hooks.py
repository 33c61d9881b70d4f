"""A GitHub's webhooks that lead here, their deliveries, and what is wrong with them.

https://docs.github.com/en/rest/repos/webhooks and https://docs.github.com/en/rest/apps/webhooks
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from gitreload.config import Settings
from gitreload.github_api import PER_PAGE, GitHubApi, RefusedError, api_base, repository_at
from gitreload.github_app import HOOKS, GitHubApp
from gitreload.model import Action, Checkout, GitreloadError, PermanentError
from gitreload.remotes import canonical, http_site, mask
from gitreload.visible import visible

# GitHub delivers again what is at most so old:
# https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks
KEPT_SECONDS = 3 * 86_400.0
# In GitHub's words; the scope is that of tokens that are "classic".
_NEEDED = (
    "GITHUB_TOKEN has to have the permission Webhooks: Read and write for that repository "
    "(or the scope admin:repo_hook)"
)
# The routes that take pushes, and what they do.
_ROUTES = {"": Action.IMPORT, "/": Action.IMPORT, "/gitreload": Action.IMPORT}
_ROUTES |= {"/update": Action.UPDATE}


@dataclass(frozen=True, slots=True)
class GitHubHook:
    """One that sends to this host. `place` is its path in the API.

    `action` is what its pushes do; None where it sends to another address than ours. `answer` is
    the status of the last answer that it got, None where there was none, `said` what GitHub shows.
    """

    place: str
    url: str
    action: Action | None
    active: bool
    pushes: bool
    verifies: bool
    answer: int | None
    said: str

    @classmethod
    def of(cls, place: str, told: Mapping[str, Any], public_url: str) -> Self | None:
        """What GitHub tells of one; None of one that sends to another host."""
        config, last = _part(told, "config"), _part(told, "last_response")
        url = str(config.get("url", ""))
        events, code = told.get("events", ["push"]), last.get("code")
        if _host(url) != _host(public_url):
            return None
        return cls(
            place=place,
            url=url,
            action=_action(url, public_url),
            active=bool(told.get("active", True)),
            pushes=isinstance(events, list) and ("push" in events or "*" in events),
            verifies=str(config.get("insecure_ssl", "0")) == "0",
            answer=code if isinstance(code, int) else None,
            said=visible(str(last.get("message") or last.get("status") or "")),
        )

    def troubles(self) -> Iterator[str]:
        """What is wrong with it, a sentence each, with the cure."""
        name = f"the webhook to {mask(visible(self.url))}"
        if self.action is None:
            yield (
                f"{name} does not send where pushes are taken: enter PUBLIC_URL with / to import, "
                "or with /update"
            )
        if not self.active:
            yield f"{name} is switched off: tick Active in its settings"
        if not self.pushes:
            yield f"{name} does not send pushes: choose the push event in its settings"
        if not self.verifies:
            yield f"{name} sends without looking at the certificate: enable SSL verification"
        if self.answer == 401:
            yield (
                f"{name} was answered 401: its secret is none that is known here, WEBHOOK_SECRETS "
                "or SECRETS of the checkout. Enter it anew on both sides"
            )
        elif self.answer is not None and not 200 <= self.answer < 300:
            yield f"{name} was answered {self.answer} ({self.said}): see its Recent Deliveries"


@dataclass(frozen=True, slots=True)
class HookDelivery:
    """A try to deliver an event. `guid` is the event's, the same for all tries; `at` epoch seconds.

    `status` is "OK", or what GitHub says of the failure; `answer` the status of the answer.
    """

    id: int
    guid: str
    at: float
    status: str
    answer: int
    event: str
    redelivery: bool

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        return cls(
            id=int(told["id"]),
            guid=str(told["guid"]),
            at=datetime.fromisoformat(told["delivered_at"]).timestamp(),
            status=visible(str(told["status"])),
            answer=int(told.get("status_code") or 0),
            event=str(told["event"]),
            redelivery=bool(told["redelivery"]),
        )

    @property
    def ok(self) -> bool:
        return self.status == "OK" or 200 <= self.answer < 300

    @property
    def refused(self) -> bool:
        """Whether somebody answered that he does not want it, and so will again."""
        return 400 <= self.answer < 500


@dataclass(frozen=True, slots=True)
class Listed:
    """Deliveries, newest first; `etag` asks for what is newer."""

    deliveries: list[HookDelivery]
    etag: str | None


class Hooks:
    """The webhooks at the GitHub that `GITHUB_TOKEN` is of. Use it as a context, from one thread.

    Everything raises as `GitHubApi.ask`, and as `GitHubApp.token` where the token is an App.
    """

    def __init__(self, settings: Settings) -> None:
        token, base = settings.github_token, api_base(settings.github_url)
        assert token is not None
        assert base is not None
        self._token = token
        self.public_url = settings.public_url or ""
        self._place = (canonical(f"{settings.github_url}/a/b") or "").removesuffix("a/b")
        self._settings = settings
        self._api = GitHubApi(base, lambda: "")

    def __enter__(self) -> Self:
        self._api.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._api.__exit__(*error)

    def repository(self, checkout: Checkout) -> str | None:
        """The one ("org/course") at this GitHub that a checkout is of; None of others."""
        urls = (checkout.origin, checkout.url, *self._settings.repo(checkout.directory).remotes)
        for url in filter(None, urls):
            if (canonical(url) or "").startswith(self._place):
                return repository_at(url)
        return None

    def of_repository(self, repository: str) -> list[GitHubHook]:
        """Those of a repository that send to this host."""
        path = f"/repos/{repository}/hooks"
        found: list[GitHubHook] = []
        for page in self.api(repository).pages(f"{path}?per_page={PER_PAGE}"):
            hooks = (
                GitHubHook.of(f"{path}/{told.get('id')}", told, self.public_url)
                for told in _objects(page.json, path)
            )
            found += filter(None, hooks)
        return found

    def of_app(self) -> GitHubHook | None:
        """That of the App, where `GITHUB_TOKEN` is one whose webhook sends to this host."""
        api = self.app_api()
        if api is None:
            return None
        try:
            config = api.ask("GET", "/app/hook/config").json
        except RefusedError as refused:
            if refused.status == 404:  # it has none
                return None
            raise
        return GitHubHook.of("/app/hook", {"config": config}, self.public_url)

    def api(self, repository: str) -> GitHubApi:
        """The API, with what may use the webhooks of a repository."""
        token, base = self._token, self._api.base
        if isinstance(token, GitHubApp):
            return self._api.with_bearer(lambda: token.token(base, repository, HOOKS))
        return self._api.with_bearer(lambda: token.read().decode())

    def app_api(self) -> GitHubApi | None:
        """The API for what an App itself may ask; None with another token."""
        token = self._token
        return self._api.with_bearer(token.proof) if isinstance(token, GitHubApp) else None


def deliveries(api: GitHubApi, hook: GitHubHook, since: float, etag: str | None) -> Listed | None:
    """Those of a hook since then (epoch seconds), newest first; None where all is as at `etag`."""
    path = f"{hook.place}/deliveries"
    found: list[HookDelivery] = []
    first: str | None = None
    for page in api.pages(f"{path}?per_page={PER_PAGE}", etag=etag):
        if page.unchanged:
            return None
        first = first or page.etag
        try:
            several = [HookDelivery.of(told) for told in _objects(page.json, path)]
        except (KeyError, TypeError, ValueError, OverflowError):
            raise PermanentError(f"what {api.base}{path} lists are no deliveries") from None
        found += (each for each in several if each.at >= since)
        if not several or several[-1].at < since:
            break
    return Listed(found, first)


def deliver_again(api: GitHubApi, hook: GitHubHook, delivery: HookDelivery) -> None:
    """Have GitHub try it once more. It answers at once, and does it afterwards."""
    api.ask("POST", f"{hook.place}/deliveries/{delivery.id}/attempts")


def repository_of(api: GitHubApi, hook: GitHubHook, delivery: HookDelivery) -> str | None:
    """Whose push it was: an App's webhook tells of all repositories where that is installed."""
    whole = api.ask("GET", f"{hook.place}/deliveries/{delivery.id}").json
    try:
        return str(whole["request"]["payload"]["repository"]["full_name"])
    except (KeyError, TypeError):
        return None


def explained(error: GitreloadError) -> str:
    """Why webhooks cannot be looked at, with the cure."""
    return f"{error}. {_NEEDED}" if isinstance(error, RefusedError) else str(error)


def _objects(found: object, path: str) -> list[Mapping[str, Any]]:
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise PermanentError(f"what answers for {path} is not GitHub's API: is GITHUB_URL right?")
    return found


def _part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = told.get(name)
    return part if isinstance(part, dict) else {}


def _host(url: str) -> str | None:
    site = http_site(url)
    return None if site is None else site.host


def _action(url: str, public_url: str) -> Action | None:
    ours, theirs = http_site(public_url), http_site(url)
    if ours is None or theirs is None or ours.url != theirs.url:
        return None
    path, base = (each.partition("://")[2].partition("/")[2] for each in (url, public_url))
    path, base = f"/{path.partition('?')[0]}", f"/{base.strip('/')}".rstrip("/")
    return _ROUTES.get(path.removeprefix(base)) if path.startswith(base) else None
