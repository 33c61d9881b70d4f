"""Whose request it is: only what trusted proxies have added counts."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitreload.addresses import UNKNOWN, Addresses

PROXIES = Addresses(["unix", ip_network("10.0.0.0/8"), ip_network("fd00::/8")], [])
CLIENT = "203.0.113.7"


def client(peer: str | None, addresses: Addresses = PROXIES, **fields: str) -> str | None:
    told = {name.replace("_", "-"): value for name, value in fields.items()}
    return addresses.client(peer, told.get)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (CLIENT, CLIENT),
        (f"198.51.100.1, {CLIENT}", CLIENT),  # the first was there before the proxy
        (f"127.0.0.1,{CLIENT},10.1.2.3, fd00::5", CLIENT),
        (f"{CLIENT}:4711", CLIENT),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:DB8::1", "2001:db8::1"),
        (f"::ffff:{CLIENT}", CLIENT),
        ("10.0.0.9, 10.0.0.1", "10.0.0.9"),  # they all are proxies: the first of them
        (f"{CLIENT}, unknown", UNKNOWN),
        (f"{CLIENT}, ", UNKNOWN),
        ("", UNKNOWN),
        ("1.2.3.4.5", UNKNOWN),
        ("[::1", UNKNOWN),
        ("203.0.113.7:99999999", UNKNOWN),
    ],
)
def test_the_last_one_that_is_no_proxy_is_the_client(line: str, expected: str) -> None:
    assert client("10.0.0.1", x_forwarded_for=line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"for={CLIENT}", CLIENT),
        (f'for=198.51.100.1, by=10.0.0.2;For="{CLIENT}:80";proto=https', CLIENT),
        ('for="[2001:db8::1]:4711"', "2001:db8::1"),
        (f"for={CLIENT}, for=10.0.0.3", CLIENT),
        ("for=_hidden", UNKNOWN),
        ("for=unknown", UNKNOWN),
        ("proto=https", UNKNOWN),
        (f"notfor={CLIENT}", UNKNOWN),
        (f'for="{CLIENT}', UNKNOWN),
    ],
)
def test_the_standard_field_is_read_too(line: str, expected: str) -> None:
    assert client("10.0.0.1", forwarded=line) == expected


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", None, "/run/gitreload.sock"])
def test_proxies_are_believed(peer: str | None) -> None:
    assert client(peer, x_forwarded_for=CLIENT) == CLIENT


@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.1", "testclient"])
def test_others_are_not(peer: str) -> None:
    assert client(peer, x_forwarded_for=CLIENT, forwarded=f"for={CLIENT}") == peer


@pytest.mark.parametrize("peer", [None, "10.0.0.1", "/run/gitreload.sock"])
def test_without_proxies_nobody_is_believed(peer: str | None) -> None:
    assert client(peer, Addresses([], []), x_forwarded_for=CLIENT) == peer


def test_a_unix_socket_has_to_be_named() -> None:
    addresses = Addresses([ip_network("0.0.0.0/0")], [])
    assert client(None, addresses, x_forwarded_for=CLIENT) is None


def test_fields_that_contradict_each_other_tell_nothing() -> None:
    """A proxy that knows only one of them lets a client's own of the other kind through."""
    assert client("10.0.0.1", x_forwarded_for=CLIENT, forwarded="for=127.0.0.1") == UNKNOWN
    assert client("10.0.0.1", x_forwarded_for=CLIENT, forwarded=f"for={CLIENT}") == CLIENT


def test_a_proxy_that_tells_nothing_is_the_client() -> None:
    assert client("10.0.0.1") == "10.0.0.1"


@pytest.mark.parametrize(
    ("sender", "allowed"),
    [
        ("192.0.2.1", True),
        ("::ffff:192.0.2.1", True),
        ("192.0.3.1", False),
        ("2001:db8::1", False),
        (UNKNOWN, False),
        (None, False),
    ],
)
def test_only_some_networks_may_send(sender: str | None, allowed: bool) -> None:
    assert Addresses([], [ip_network("192.0.2.0/24")]).allow(sender) == allowed
    assert Addresses([], []).allow(sender)


@given(line=st.text(st.sampled_from('0123456789abcdef.:[],;="for \t%\xff'), max_size=60))
def test_any_text_gives_an_address_or_none(line: str) -> None:
    for told in (client("10.0.0.1", x_forwarded_for=line), client("10.0.0.1", forwarded=line)):
        assert told == UNKNOWN or ip_address(told or "")


@given(claims=st.lists(st.ip_addresses().map(str), max_size=4), sender=st.ip_addresses())
def test_what_a_client_claims_changes_nothing(claims: list[str], sender: object) -> None:
    line = ", ".join([*claims, str(sender)])
    told = client("10.0.0.1", x_forwarded_for=line)
    alone = client("10.0.0.1", x_forwarded_for=str(sender))
    trusted = sender in ip_network("10.0.0.0/8") or sender in ip_network("fd00::/8")
    assert told == alone or trusted
