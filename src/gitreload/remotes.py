"""Remote URLs: when two of them name the same repository, and what must not be shown of them.

Pure string work: no file is touched, no name is looked up, and every function takes any string.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, unquote_to_bytes

# Forges whose paths ignore case, so that a clone made as `MITx/Course` follows `mitx/course`.
# Only public hosts are listed: whether a private one ignores case cannot be told from its name.
CASELESS_HOSTS = frozenset(
    {
        "github.com",  # https://github.com/github/docs/pull/32962
        "gitlab.com",  # https://github.com/blakawk/gitlab-integration/issues/14
        "bitbucket.org",  # has lower-case names only: https://github.com/hadley/devtools/pull/175
        "gitea.com",  # https://github.com/go-gitea/gitea/issues/5489
        "codeberg.org",  # runs Forgejo, which has Gitea's rule
    }
)

# Hosts for ssh alone, mostly on port 443 for people behind firewalls: the host they stand for.
ALTERNATIVE_HOSTS = {
    # https://docs.github.com/en/authentication/troubleshooting-ssh/using-ssh-over-the-https-port
    "ssh.github.com": "github.com",
    # https://docs.gitlab.com/user/gitlab_com/#alternative-ssh-port
    "altssh.gitlab.com": "gitlab.com",
    # https://confluence.atlassian.com/bitbucket/use-the-ssh-protocol-with-bitbucket-cloud-221449711.html
    "altssh.bitbucket.org": "bitbucket.org",
    # The only one for ssh from November 2026 on:
    # https://community.atlassian.com/forums/Bitbucket-articles/Upcoming-change-to-Bitbucket-Cloud-SSH-access-move-from/ba-p/3234032
    "ssh.bitbucket.org": "bitbucket.org",
}

# 22 and 443 say nothing on any protocol; the others only on their own.
COMMON_PORTS = frozenset({22, 443})
OWN_PORTS = {"http": 80, "git": 9418, "ftp": 21, "ftps": 990}

MAX_URL = 4096
MAX_HOST = 253  # RFC 1035, as text

_SSH_SPELLINGS = {"git+ssh": "ssh", "ssh+git": "ssh"}
_HOSTED = frozenset({"ssh", "https", "http", "git", "ftp", "ftps"})
_LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})
_PCHAR = "!$&'()*+,;=:@"  # RFC 3986: what a path segment may hold unencoded, besides unreserved
_SCHEME = re.compile(r"([A-Za-z0-9][A-Za-z0-9+.-]*)(://|::)")
_BRACKETED = re.compile(r"((?:[^/:\[\]]*@)?)\[([^/\[\]]+)\]:(.*)", re.DOTALL)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::([0-9]{0,5}))?")
_HOST = re.compile(r"[a-z0-9_][a-z0-9_.+-]*")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f/]")
_CREDENTIALS = re.compile(r"(ssh|ssh\+git)?://([^\s/\"<>]*)@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HttpSite:
    """Where an HTTP URL leads: `url` is "https://host:port", without a user and a path."""

    url: str
    host: str
    user: str | None
    has_password: bool
    private: bool
    """Whether nobody on the way reads along: https, or this machine."""


@dataclass(frozen=True, slots=True)
class _Address:
    """A URL taken apart as git does. `literal` paths have no percent-encoding."""

    protocol: str
    authority: str
    path: str
    literal: bool

    @property
    def server(self) -> re.Match[str] | None:
        """Host and port as written, without the user; None where the authority is malformed."""
        # There the authority ends, for who connects: what is before it is the host, not the user.
        if not self.literal and ("?" in self.authority or "#" in self.authority):
            return None
        return _AUTHORITY.fullmatch(self.authority.rpartition("@")[2])


def canonical(url: str) -> str | None:
    """The identity of the repository that `url` names, None where it names none for sure.

    "host/path" for every network protocol, "host:port/path" where the port is not the usual one,
    "file:/path" for a local path and for its `file://` URL. Scheme, user, usual port, `.git`,
    doubled and trailing slashes and the host's case are dropped.

    None for relative paths (git reads them from where it runs), remote helpers (`ext::`), paths
    that climb (`..`), and whatever is longer than 4096 characters or unprintable. A local path may
    climb: `git clone ../x` records it so. Links in it are not resolved.

    `ssh://host:2222/a/b` and `https://host:8443/a/b` may be one repository, but nothing in them
    says so: they differ here, and `REPOS.<dir>.REMOTES` names the other one.
    """
    # No server's repository has a backslash in its name; Windows paths and tricks on parsers do.
    if len(url) > MAX_URL or "\\" in url or not url.isprintable():
        return None
    address = _split(url)
    if address.protocol == "file":
        path = _path(address, climb=True) if address.path.startswith("/") else None
        return path and f"file:/{path}"
    if address.protocol not in _HOSTED:
        return None
    place = _place(address)
    if place is None:
        return None
    host, port = place
    host = ALTERNATIVE_HOSTS.get(host, host)
    path = _path(address, caseless=host in CASELESS_HOSTS)
    return path and (f"{host}/{path}" if port is None else f"{host}:{port}/{path}")


def protocol(url: str) -> str:
    """The protocol git would use, by the name that `GIT_ALLOW_PROTOCOL` knows: "https", "ssh", …

    "file" for local paths, also relative ones; the helper's name ("ext") for `ext::…`.
    """
    return _split(url).protocol


def ssh_host(url: str) -> str | None:
    """The host as ssh would be told it, to ask `ssh -G`; None where ssh is not used.

    Never starts with a dash, so it cannot be taken for an option.
    """
    address = _split(url)
    found = address.server if address.protocol == "ssh" else None
    return found[1].strip("[]") if found and _host(found[1]) else None


def ssh_port(url: str) -> int | None:
    """The port that a URL for ssh names; None where it names none."""
    address = _split(url)
    found = address.server if address.protocol == "ssh" else None
    return int(found[2]) if found and found[2] else None


def http_site(url: str) -> HttpSite | None:
    """The site of an http or https URL, port and all as git compares them; None for others."""
    address = _split(url)
    found = address.server if address.protocol in ("http", "https") else None
    host = _host(found[1]) if found else None
    if found is None or host is None:
        return None
    user, colon, _ = address.authority.rpartition("@")[0].partition(":")
    return HttpSite(
        url=f"{address.protocol}://{host}" + (f":{found[2]}" if found[2] else ""),
        host=host,
        user=unquote(user) or None,
        has_password=bool(colon),
        private=address.protocol == "https" or host in _LOOPBACK,
    )


def mask(text: str) -> str:
    """`text` with the user and password of every URL in it replaced by `***`.

    A token may stand in either place. For ssh the user is no secret (`ssh://git@host` stays), but
    a password is. Takes time linear in the length of `text`.
    """
    return _CREDENTIALS.sub(_hide, text)


def rewrite(url: str, rules: Mapping[str, str]) -> str:
    """`url` as git's `url.<base>.insteadOf = <prefix>` makes it; the longest prefix wins.

    `rules` maps each prefix to its base.
    """
    prefix = max((known for known in rules if url.startswith(known)), key=len, default=None)
    return url if prefix is None else rules[prefix] + url[len(prefix) :]


def _hide(found: re.Match[str]) -> str:
    scheme, userinfo = found.groups()
    if scheme is None:
        return "://***@"
    user, colon, _ = userinfo.partition(":")
    return f"{scheme}://{user}:***@" if colon else found[0]


def _split(url: str) -> _Address:
    """Take a URL apart, by the rules of https://git-scm.com/docs/git-clone#_git_urls."""
    if found := _SCHEME.match(url):
        name, rest = found[1].lower(), url[found.end() :]
        if found[2] == "::":
            return _Address(name, "", rest, literal=True)
        if name == "file":
            return _Address("file", "", f"/{rest}", literal=False)
        authority, _, path = rest.partition("/")
        return _Address(_SSH_SPELLINGS.get(name, name), authority, path, literal=False)
    if found := _BRACKETED.fullmatch(url):
        user, inner, path = found.groups()
        # `[::1]:path` is an address, `[host:2222]:path` a host with its port.
        inner = f"[{inner}]" if inner.count(":") > 1 else inner
        return _Address("ssh", user + inner, path, literal=True)
    host, colon, path = url.partition(":")
    if colon and "/" not in host:
        return _Address("ssh", host, path, literal=True)
    return _Address("file", "", url, literal=True)


def _place(address: _Address) -> tuple[str, int | None] | None:
    """Host in one spelling, and its port where it is unusual; None where they cannot be."""
    found = address.server
    host = _host(found[1]) if found else None
    if found is None or host is None:
        return None
    port = int(found[2]) if found[2] else None
    if port in COMMON_PORTS or port == OWN_PORTS.get(address.protocol):
        return host, None
    return (host, port) if port is None or 0 < port < 65536 else None


def _host(name: str) -> str | None:
    """Lower case, names in other scripts as `xn--…`; None where it is no host's name."""
    if name.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(name[1:-1])}]"
        except ValueError:
            return None
    # One that begins with a dash, ssh would take for an option.
    if len(name) > MAX_HOST or name.startswith("-"):
        return None
    # For every name that can be registered this is its IDNA 2008 form. Python's own codec follows
    # IDNA 2003, which makes one of `straße` and `strasse`.
    labels = unicodedata.normalize("NFC", name.lower()).removesuffix(".").split(".")
    if not all(labels):
        return None
    ascii_name = ".".join(
        label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
        for label in labels
    )
    return ascii_name if _HOST.fullmatch(ascii_name) else None


def _path(address: _Address, *, climb: bool = False, caseless: bool = False) -> str | None:
    """The path in one spelling, without slashes around it; None where it leads nowhere or out."""
    segments: list[bytes] = []
    for text in address.path.split("/"):
        segment = text.encode() if address.literal else unquote_to_bytes(text)
        if segment == b".." and climb:
            del segments[-1:]
        elif segment == b".." or _CONTROL.search(segment):
            return None
        elif segment not in (b"", b"."):
            segments.append(segment.lower() if caseless else segment)
    while segments and segments[-1].endswith(b".git"):
        stem = segments.pop().removesuffix(b".git")
        if stem in (b".", b".."):
            return None
        if stem:
            segments.append(stem)
    return "/".join(quote(segment, safe=_PCHAR) for segment in segments) or None
