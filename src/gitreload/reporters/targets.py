"""Where the commits of a checkout are marked, as what, and with which token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from gitreload.credentials import Token
from gitreload.github_api import api_base
from gitreload.github_app import GitHubApp, Permissions
from gitreload.model import Job, PermanentError
from gitreload.remotes import canonical, http_site, mask
from gitreload.reporters.status import StatusApi
from gitreload.reporters.status.bitbucket import BitbucketCloudStatus, BitbucketDcStatus
from gitreload.reporters.status.gitea import GiteaStatus
from gitreload.reporters.status.github import GitHubStatus
from gitreload.reporters.status.gitlab import GitLabStatus
from gitreload.setting_statuses import StatusSettings
from gitreload.settings import Settings
from gitreload.visible import visible

_APIS: Mapping[str, StatusApi] = {
    "github": GitHubStatus(),
    "gitlab": GitLabStatus(),
    "gitea": GiteaStatus("Gitea"),
    "forgejo": GiteaStatus("Forgejo"),
    "bitbucket-cloud": BitbucketCloudStatus(),
    "bitbucket-dc": BitbucketDcStatus(),
}
_KNOWN = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "bitbucket.org": "bitbucket-cloud",
    "codeberg.org": "forgejo",
    "gitea.com": "gitea",
}
CONTEXT = "gitreload"


@dataclass(frozen=True, slots=True)
class Target:
    """Where, as what and with which token. `token_place` names where the token comes from."""

    api: StatusApi
    site: str
    repository: str
    context: str
    token_place: str
    _token: Token | GitHubApp = field(repr=False)

    def token(self, permissions: Permissions) -> str:
        """The token; an App's for these permissions. Raises as `GitHubApp.token`."""
        if isinstance(self._token, Token):
            return self._token.read().decode()
        base = api_base(self.site)
        assert base is not None, "it was looked at before"
        return self._token.token(base, self.repository, permissions)


class Targets:
    """As the configuration has them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def site(self, job: Job) -> str | None:
        """The address of the forge whose commits are marked; None where none are."""
        status, origin = self._status(job), _Origin.of(job)
        if status is None or origin is None:
            return None
        return origin.site if status.url is None else status.url.rstrip("/")

    def of(self, job: Job, sender: str | None) -> Target:
        """Everything about it; `sender` is the forge that sent a push for the checkout last.

        Raises `PermanentError` where something is missing, with the cure.
        """
        status, origin, site = self._status(job), _Origin.of(job), self.site(job)
        if status is None or origin is None or site is None:
            raise PermanentError(
                f"commits of {visible(job.directory)} are not marked any more: STATUS is off, or "
                "its origin is on no other host"
            )
        if status.url is None and not origin.private:
            raise PermanentError(
                f"the origin of {visible(job.directory)}, {mask(visible(job.origin or ''))}, is "
                "not encrypted, so no token is sent there: use https, or set URL in STATUS"
            )
        forge = self._forge(job, status, site, sender)
        token, place = self._token(job, status, origin, site)
        if forge == "github" and api_base(site) is None:
            raise PermanentError(f"{site} is not encrypted, so no GitHub: set URL in STATUS")
        if isinstance(token, GitHubApp) and forge != "github":
            raise PermanentError(f"the {place} is for GitHub, not for {site}: set TOKEN in STATUS")
        return Target(
            _APIS[forge],
            site,
            _repository(forge, origin, site),
            self._context(job),
            place,
            token,
        )

    def _status(self, job: Job) -> StatusSettings | None:
        """What is set for the checkout, or for all that are at that forge."""
        own, general = self._settings.repo(job.directory).status, self._settings.status
        if own is not None:
            return own if own.on else None
        if general is None or not general.on:
            return None
        # What is set for one forge says nothing of others, but that their commits are marked.
        ours = general.url is None or _host(general.url) == _Origin.host_of(job)
        return general if ours else StatusSettings()

    def _forge(self, job: Job, status: StatusSettings, site: str, sender: str | None) -> str:
        repo, host = self._settings.repo(job.directory), _host(site) or ""
        known = _KNOWN.get(host) or ("github" if host.endswith(".ghe.com") else None)
        if known is None and host == _host(self._settings.github_url):
            known = "github"
        forge = status.forge or known or repo.forge or sender
        if forge is None:
            raise PermanentError(
                f"which forge {site} is, neither its name nor a push for "
                f"{visible(job.directory)} tells: set FORGE in STATUS, such as "
                '{"FORGE": "gitea"}'
            )
        if forge not in _APIS:
            raise PermanentError(
                f"commits at {forge} cannot be marked, only those at {', '.join(_APIS)}: set "
                f"STATUS to false for {visible(job.directory)}, or FORGE in it if {site} is one"
            )
        return forge

    def _token(
        self, job: Job, status: StatusSettings, origin: _Origin, site: str
    ) -> tuple[Token | GitHubApp, str]:
        """Each goes to the host that it is meant for, and to no other."""
        settings, name = self._settings, visible(job.directory)
        host = _host(site)
        own = settings.repo(job.directory).status
        candidates = [
            (status.token, "STATUS.TOKEN" if own is None else f"REPOS.{name}.STATUS.TOKEN")
        ]
        general = settings.status
        if general is not None and general.url is not None and host == _host(general.url):
            candidates.append((general.token, "STATUS.TOKEN"))
        if host == origin.host:
            candidates.append((settings.repo(job.directory).token, f"REPOS.{name}.TOKEN"))
        if host == _host(settings.github_url):
            candidates.append((settings.github_token, "GITHUB_TOKEN"))
        for token, key in candidates:
            if token is not None:
                return token, token.place(key)
        raise PermanentError(
            f"there is no token to mark the commits of {name} at {site} with: set "
            f"REPOS.{name}.STATUS to an object with TOKEN, or STATUS to one with TOKEN and URL"
        )

    def _context(self, job: Job) -> str:
        own, general = self._settings.repo(job.directory).status, self._settings.status
        if own is not None and own.context is not None:
            return own.context
        first = CONTEXT if general is None or general.context is None else general.context
        return f"{first}/{visible(job.directory)}"


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a checkout comes from. `private` tells whether nobody reads along on the way there."""

    site: str
    host: str
    path: str
    private: bool

    @classmethod
    def of(cls, job: Job) -> _Origin | None:
        """None where that is no other host."""
        place, _, path = (canonical(job.origin or "") or "file:").partition("/")
        if place == "file:" or not path:
            return None
        host = place if place.startswith("[") else place.partition(":")[0]
        site = http_site(job.origin or "")
        # By ssh or git, the port is of that protocol: the forge's pages are where they are mostly.
        address = f"https://{host}" if site is None else site.url
        private = True if site is None else site.private
        return cls(address, host, unquote(path), private)

    @classmethod
    def host_of(cls, job: Job) -> str | None:
        origin = cls.of(job)
        return None if origin is None else origin.host


def _repository(forge: str, origin: _Origin, site: str) -> str:
    """Its path, as the API names it, without what is the forge's own."""
    path = origin.path
    below = site.partition("://")[2].partition("/")[2].strip("/")
    if below and path.startswith(f"{below}/"):
        path = path.removeprefix(f"{below}/")
    # Its URLs for HTTP have /scm/ before the project:
    # https://confluence.atlassian.com/bitbucketserver/clone-a-repository-790632786.html
    return path.removeprefix("scm/") if forge == "bitbucket-dc" else path


def _host(url: str) -> str | None:
    site = http_site(url)
    return None if site is None else site.host
