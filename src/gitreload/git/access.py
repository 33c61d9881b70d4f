"""With what a remote lets us in: a deploy key or a token of the checkout's own, and known hosts.

A token reaches git through the environment of the command that speaks with the remote, and only
there: git's configuration, in the environment too, names a helper for the one site that the remote
is at, which prints the variable. So git itself binds it to protocol, host and port, also where the
server redirects: https://git-scm.com/docs/gitcredentials
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitreload.credentials import Token
from gitreload.git.errors import AccessError
from gitreload.git.settings import configuration
from gitreload.github_api import api_base, repository_at
from gitreload.github_app import READ, GitHubApp
from gitreload.model import PermanentError
from gitreload.process import Completed
from gitreload.remotes import http_site, mask, protocol
from gitreload.settings import Settings as Configured
from gitreload.visible import visible

# The host keys of public forges, and of the hosts that `gitreload add` was told to trust.
SHIPPED_KNOWN_HOSTS = Path(__file__).with_name("known_hosts")
ADDED_KNOWN_HOSTS = "known_hosts"  # in STATE_DIR

# OpenSSH's own default: https://man.openbsd.org/ssh_config#GlobalKnownHostsFile
_SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_PATIENT = ("BatchMode=yes", "ConnectTimeout=30", "ServerAliveInterval=20")

# Bitbucket's name for the users of repository tokens; GitHub, GitLab, Gitea, Forgejo and Azure
# DevOps take any beside a token:
# https://support.atlassian.com/bitbucket-cloud/docs/using-access-tokens/
_ANY_USER = "x-token-auth"
# Git tells the user's name that the URL has.
TOKEN_VARIABLE = "GITRELOAD_FETCH_TOKEN"  # noqa: S105 - its name
_HELPER = (
    '!f() { test "$1" = get || return 0; '
    f'grep -q "^username=" || echo "username={_ANY_USER}"; '
    f'printf "password=%s\\n" "${TOKEN_VARIABLE}"; }}; f'
)

Settings = tuple[tuple[str, str], ...]
"""Git's, as keys and values."""


@dataclass(frozen=True, slots=True)
class Access:
    """What is configured for one checkout.

    `ssh_key` is the path of a private key, `token` a token for HTTPS, or the App that gets one
    when it is needed, `token_place` where that comes from. `known_hosts` is a file with keys of
    hosts besides the user's and the machine's.
    """

    ssh_key: Path | None = None
    token: str | GitHubApp | None = field(default=None, repr=False)
    token_place: str | None = None
    known_hosts: Path | None = None

    @classmethod
    def of(cls, settings: Configured, directory: str) -> Access:
        """What the configuration has for the checkout `directory`; a token is read now."""
        repo = settings.repo(directory)
        token = repo.token
        return cls(
            ssh_key=repo.ssh_key,
            token=token.read().decode() if isinstance(token, Token) else token,
            token_place=None if token is None else token.place(f"REPOS.{directory}.TOKEN"),
            known_hosts=settings.state_dir / ADDED_KNOWN_HOSTS,
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be shown nowhere, as far as it is known before it is used."""
        return (self.token,) if isinstance(self.token, str) else ()

    @property
    def app(self) -> GitHubApp | None:
        return self.token if isinstance(self.token, GitHubApp) else None

    @property
    def known_hosts_files(self) -> tuple[str, ...]:
        """The files beside those of the user, which ssh reads by itself."""
        added = () if self.known_hosts is None else (str(self.known_hosts),)
        return (*_SYSTEM_KNOWN_HOSTS, str(SHIPPED_KNOWN_HOSTS), *added)

    def check_key(self) -> None:
        """Raise `AccessError` where ssh would pass over the key without a word."""
        fault = self.key_fault()
        if fault is not None:
            raise AccessError(fault)

    def key_fault(self) -> str | None:
        """Why ssh would pass over the key, and what to do; None where it would not."""
        if self.ssh_key is None:
            return None
        try:
            with self.ssh_key.open("rb"):
                pass
            # https://man.openbsd.org/ssh#FILES: a key that others can read is ignored.
            shared = self.ssh_key.stat().st_mode & 0o077
        except OSError as error:
            return (
                f"the SSH_KEY {self.ssh_key} cannot be read: {error.strerror}; it has to be a "
                "private key that the user who runs gitreload can read"
            )
        if not shared:
            return None
        path = shlex.quote(str(self.ssh_key))
        return (
            f"the SSH_KEY {self.ssh_key} can be read by others, so ssh does not use it; run: "
            f"chmod 600 {path}"
        )

    def ssh_command(self, operators: str | None) -> str:
        """For `GIT_SSH_COMMAND`: the operator's own command, or ssh, with what is needed here.

        The operator's options come first, and of an option that is there twice ssh takes the first.
        """
        options = [*_PATIENT, _known_hosts_option(self.known_hosts_files)]
        if self.ssh_key is not None:
            # No key of an agent or of a default file, with which a forge lets another in.
            options.append("IdentitiesOnly=yes")
        words = [word for option in options for word in ("-o", shlex.quote(option))]
        if self.ssh_key is not None:
            words += ["-i", shlex.quote(str(self.ssh_key))]
        return " ".join([operators or "ssh", *words])

    def check_url(self, url: str) -> None:
        """Raise `PermanentError` where git would use another password than the token."""
        site = http_site(url)
        if self.token is not None and site is not None and site.has_password:
            raise PermanentError(
                f"the URL {mask(visible(url))} holds a password besides the {self.token_place}: "
                "take user and password out of it (git remote set-url origin URL)"
            )

    def for_http(self, url: str) -> tuple[dict[str, str], Settings]:
        """Variables and git's settings for the one command that fetches from `url`.

        There are none without a token, or for another protocol. Raises `PermanentError` where the
        token must not go there, and what an App does that gets none.
        """
        site = http_site(url)
        if self.token is None or site is None:
            return {}, ()
        if not site.private:
            raise PermanentError(
                f"the {self.token_place} is not sent to {mask(visible(url))}, where everybody on "
                "the way could read it: use https (git remote set-url origin URL)"
            )
        token = self.token if isinstance(self.token, str) else _installation_token(self.token, url)
        variables = {TOKEN_VARIABLE: token}
        # The first of the two forgets the operator's helpers: they would be told of the token.
        return variables, (("credential.helper", ""), (f"credential.{site.url}.helper", _HELPER))


NO_ACCESS = Access()


def secrets_in(variables: Mapping[str, str]) -> tuple[str, ...]:
    """What a command that is given these variables must not show."""
    return (variables[TOKEN_VARIABLE],) if TOKEN_VARIABLE in variables else ()


def _installation_token(app: GitHubApp, url: str) -> str:
    base, repository = api_base(url), repository_at(url)
    if base is None or repository is None:
        raise PermanentError(
            f"{app} can let in to a repository of GitHub only, and {mask(visible(url))} is none "
            "(git remote set-url origin URL)"
        )
    return app.token(base, repository, READ)


def speaking(
    local: Mapping[str, str], url: str, access: Access, ask: Callable[..., Completed]
) -> tuple[dict[str, str], dict[str, str]]:
    """The environment of a git command while it may speak with `url`, of its protocol alone.

    `local` is that of one which speaks with nobody, and `ask` runs such a one. The second holds
    what only a command that speaks with it must see besides. Raises `PermanentError` where the
    access cannot be used.
    """
    spoken = protocol(url)
    secret, settings = access.for_http(url)
    variables = {**local, "GIT_ALLOW_PROTOCOL": spoken}
    if settings:
        secret |= configuration(settings, after=int(local["GIT_CONFIG_COUNT"]))
    if spoken == "ssh":
        access.check_key()
        own = _operators_ssh(variables, ask("config", "--get", "core.sshCommand"))
        if own is None or access.ssh_key is not None:
            variables["GIT_SSH_COMMAND"] = access.ssh_command(own)
    return variables, secret


def _operators_ssh(variables: Mapping[str, str], configured: Completed) -> str | None:
    """The ssh command that the operator chose, as git would run it; None where there is none.

    `configured` is what git's configuration has for it. The order is git's own.
    """
    if "GIT_SSH_COMMAND" in variables:
        return variables["GIT_SSH_COMMAND"]
    if configured.ok:
        return configured.output.decode("utf-8", "surrogateescape").strip()
    return shlex.quote(variables["GIT_SSH"]) if "GIT_SSH" in variables else None


def _known_hosts_option(files: tuple[str, ...]) -> str:
    # In double quotes, as in ssh's configuration file, a path may have spaces.
    return "GlobalKnownHostsFile=" + " ".join(f'"{file}"' for file in files)
