"""Whose request it is, where proxies stand between: addresses only, as text. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

UNIX = "unix"  # in TRUSTED_PROXIES: whoever comes through a unix socket
UNKNOWN = "an unknown address"  # where the client's cannot be told; it is in no network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# https://www.rfc-editor.org/rfc/rfc7239#section-4: elements divided by commas, pairs by semicolons.
_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*("[^"]*"|[^;,"\s]*)\s*(?=;|$)', re.IGNORECASE)
# An address as proxies write it: IPv6 in brackets or not, a port behind it or not.
_NODE = re.compile(r"\[([^\]]*)\](?::\d{1,5})?|([^:\[\]]*)(?::\d{1,5})?")


def parsed(text: str) -> Address | None:
    """The address; IPv4 where IPv6 only wraps it. None where it is none."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class Addresses:
    """The networks of TRUSTED_PROXIES and of ALLOW_FROM."""

    def __init__(self, trusted: Sequence[Network | str], allowed: Sequence[Network]) -> None:
        self._unix = UNIX in trusted
        self._trusted = [network for network in trusted if not isinstance(network, str)]
        self._allowed = allowed
        self.behind_proxies = bool(trusted)

    def client(self, peer: str | None, field: Callable[[str], str | None]) -> str | None:
        """Who sent a request that came from `peer` (None: a unix socket), told as that is.

        `field` gives the value of a header field, by its name in lower case. Only what trusted
        proxies have added counts: the client is the last one in line that is none of them. UNKNOWN
        where the fields contradict each other, or hold no address there.
        """
        if not self._trusts(peer):
            return peer
        listed, standard = field("x-forwarded-for"), field("forwarded")
        # Most proxies know one of the two, and let a client's own of the other kind through.
        told = {
            self._last(line) for line in (_listed(listed), _standard(standard)) if line is not None
        }
        if len(told) > 1:
            return UNKNOWN
        return told.pop() if told else peer

    def allow(self, client: str | None) -> bool:
        """Whether ALLOW_FROM lets the client send."""
        return not self._allowed or _within(parsed(client or ""), self._allowed)

    def _trusts(self, peer: str | None) -> bool:
        if not self.behind_proxies:
            return False
        # uvicorn names the socket's path.
        if peer is None or peer.startswith("/"):
            return self._unix
        return _within(parsed(peer), self._trusted)

    def _last(self, line: list[str]) -> str:
        address: Address | None = None
        for node in reversed(line):
            address = _node(node)
            if address is None or not _within(address, self._trusted):
                break
        return UNKNOWN if address is None else str(address)


def _within(address: Address | None, networks: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in networks)


def _listed(value: str | None) -> list[str] | None:
    return None if value is None else [node.strip() for node in value.split(",")]


def _standard(value: str | None) -> list[str] | None:
    if value is None:
        return None
    found = (_FOR.search(element) for element in value.split(","))
    return [match[1].strip('"') if match else "" for match in found]


def _node(text: str) -> Address | None:
    found = _NODE.fullmatch(text)
    return parsed(text) or (parsed(found[1] or found[2] or "") if found else None)
