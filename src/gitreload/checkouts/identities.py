"""Under which identities a remote is known: git and ssh may have other names for it."""

from __future__ import annotations

import logging
import os
import pwd
import re
import threading
from collections.abc import Mapping, Sequence

from gitreload.checkouts.asking import AskingError, Listed, ask, listed
from gitreload.checkouts.gitconfig import Config
from gitreload.checkouts.stamps import NOTHING, Trail
from gitreload.remotes import canonical, protocol, rewrite, ssh_host

logger = logging.getLogger(__name__)

SSH_PORT = "22"
_WITH_PORT = re.compile(r".*:\d+")


class Identities:
    """Knows the insteadOf rules and the ssh hosts of the user that runs gitreload.

    `ssh_files` are the files that ssh reads; what they include is not watched. Any thread may ask.
    """

    def __init__(self, ssh_files: Sequence[str] | None = None) -> None:
        self._ssh_files = _ssh_files() if ssh_files is None else ssh_files
        self._lock = threading.Lock()
        self._git = self._ssh = NOTHING
        self._ready = False
        self._rules: dict[str, str] = {}
        self._hosts: dict[str, tuple[str, str] | None] = {}

    def refresh(self) -> bool:
        """Read again what changed; True where remotes may have other identities than before."""
        with self._lock:
            return self._refresh()

    def _refresh(self) -> bool:
        self._ready = True
        before = self._rules, self._hosts
        if not self._git.holds("/"):
            self._read_rules()
        if not self._ssh.holds("/"):
            trail = Trail("/")
            for file in self._ssh_files:
                trail.note(file)
            self._ssh = trail.evidence()
            self._hosts = {host: _resolve(host) for host in self._hosts}
        return before != (self._rules, self._hosts)

    def url(self, origin: str, rules: Mapping[str, str]) -> str:
        """What git makes of this `origin` of a checkout with rules of its own."""
        with self._lock:
            return self._url(origin, rules)

    def of(self, origin: str, path: str, rules: Mapping[str, str]) -> frozenset[str]:
        """The identities of the checkout at `path` with this `origin` and rules of its own."""
        with self._lock:
            return self._of(origin, path, rules)

    def _url(self, origin: str, rules: Mapping[str, str]) -> str:
        if not self._ready:
            self._refresh()
        return rewrite(origin, {**rules, **self._rules})

    def _of(self, origin: str, path: str, rules: Mapping[str, str]) -> frozenset[str]:
        effective = self._url(origin, rules)
        found = {_identity(url, path) for url in {origin, effective}}
        host = ssh_host(effective)
        if host is not None:
            found.add(self._by_ssh(effective, host))
        return frozenset(identity for identity in found if identity is not None)

    def _by_ssh(self, url: str, host: str) -> str | None:
        """The identity of `url` with the host that ssh would really connect to, if another."""
        if host not in self._hosts:
            self._hosts[host] = _resolve(host)
        real = self._hosts[host]
        identity = None if real is None else canonical(url)
        if real is None or identity is None:
            return None
        place, _, path = identity.partition("/")
        name, port = real
        if _WITH_PORT.fullmatch(place):  # a port in the URL goes before ssh's configuration
            port = place.rpartition(":")[2]
        name = f"[{name}]" if ":" in name else name
        return canonical(f"ssh://{name}:{port}/{path}")

    def _read_rules(self) -> None:
        trail = Trail("/")
        for file in _git_files():
            trail.note(file)
        try:
            lines = _rules()
        except AskingError as error:
            logger.warning("git's insteadOf rules are not known, none is used: %s", error)
            self._rules, self._git = {}, NOTHING
            return
        for line in lines:
            if line.file is not None:
                trail.note(line.file)
        self._rules = Config((line.key, line.value) for line in lines).rules()
        self._git = trail.evidence()


def _rules() -> list[Listed]:
    """The insteadOf settings that hold everywhere. Raises AskingError."""
    pattern = r"^url\..*\.insteadof$"
    answer = ask("git", "config", "-z", "--show-scope", "--show-origin", "--get-regexp", pattern)
    if answer.exit_code not in (0, 1):  # 1 is for no such setting
        raise AskingError(answer.complaint)
    # `/` may be a repository itself, whose own settings hold for nobody else.
    return [line for line in listed(answer.output) if not line.own]


def _identity(url: str, path: str) -> str | None:
    """The identity of the remote `url` in the checkout at `path`."""
    identity = canonical(url)
    if identity is None and protocol(url) == "file":
        # git reads a relative path from the top of the checkout.
        identity = canonical(os.path.join(path, url))
    return identity


def _resolve(host: str) -> tuple[str, str] | None:
    """Host name and port that ssh's configuration has for `host`; None where ssh cannot say.

    None as well where they are just `host` and the usual one. Connects to nothing; `Match exec` and
    host name canonicalisation act as configured.
    """
    try:
        answer = ask("ssh", "-G", "--", host)
    except AskingError as error:
        logger.info("the ssh host %s is taken as it is: %s", host, error)
        return None
    if answer.exit_code != 0:
        logger.warning("the ssh host %s is taken as it is: %s", host, answer.complaint)
        return None
    # https://man.openbsd.org/ssh#G: one keyword and its arguments a line, in lower case.
    lines = answer.output.decode("utf-8", "replace").splitlines()
    settings = dict(line.partition(" ")[::2] for line in lines)
    real = settings.get("hostname", host), settings.get("port", SSH_PORT)
    return None if real == (host.lower(), SSH_PORT) else real


def _git_files() -> tuple[str, ...]:
    """https://git-scm.com/docs/git-config#FILES, as far as they are not a checkout's own."""
    xdg = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    home = os.path.expanduser("~/.gitconfig")
    return "/etc/gitconfig", home, f"{xdg}/git/config"


def _ssh_files() -> tuple[str, ...]:
    # ssh finds the home directory in the user database, whatever $HOME says.
    home = pwd.getpwuid(os.getuid()).pw_dir
    return f"{home}/.ssh/config", "/etc/ssh/ssh_config", "/etc/ssh/ssh_config.d"
