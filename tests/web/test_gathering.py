"""What a connection may cost, before anybody has proven anything."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest

from fakes.github import github_push, signed
from gitreload.web import gathering
from gitreload.web.gathering import GatheringProtocol

from .conftest import LOOPBACK, Site, on_a_socket


@pytest.fixture
def port(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The site on a real socket, as `gitreload serve` has it, but with less patience."""
    monkeypatch.setattr(gathering, "LOOK_SECONDS", 0.2)
    with on_a_socket(site.app, http=GatheringProtocol) as port:
        yield port


def a_ping() -> bytes:
    headers, body = signed(github_push(), event="ping")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n%s" % (
        len(body),
        lines,
        body,
    )


def test_requests_that_come_at_once_are_answered_one_by_one(port: int) -> None:
    with socket.create_connection((LOOPBACK, port), timeout=30) as connection:
        connection.sendall(a_ping() * 50)
        # One buffer for all: each HTTPResponse would read beyond its own answer.
        with connection.makefile("rb") as answers:
            for _ in range(50):
                assert answers.readline().startswith(b"HTTP/1.1 200 ")
                length = http.client.parse_headers(answers)["Content-Length"]
                assert json.loads(answers.read(int(length)))["outcome"] == "pong"


def test_who_does_not_take_answers_cannot_go_on_asking(port: int) -> None:
    """Otherwise each request that comes along costs memory, without an end."""
    asked = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" * 1000
    sent = 0
    with (
        socket.create_connection((LOOPBACK, port), timeout=1) as connection,
        suppress(TimeoutError),
    ):
        while sent < 32 * 1024 * 1024:
            sent += connection.send(asked)
    assert sent < 16 * 1024 * 1024


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST / HTTP/1.1\r\nHost: x\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        a_ping() + b"POST / HTTP/1.1\r\nHost: x\r\n",
    ],
)
def test_a_request_that_does_not_go_on_is_not_waited_for(port: int, begun: bytes) -> None:
    with socket.create_connection((LOOPBACK, port), timeout=30) as connection:
        connection.sendall(begun)
        while connection.recv(65536):
            pass  # the answers to what was whole; then the server closes


def test_senders_that_are_gone_leave_no_traceback(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            with socket.create_connection((LOOPBACK, port)) as connection:
                linger = struct.pack("ii", 1, 0)  # close with a reset
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.sendall(a_ping())
        with socket.create_connection((LOOPBACK, port), timeout=30) as connection:
            connection.sendall(a_ping())
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    assert "Traceback" not in caplog.text
    assert "Exception" not in caplog.text
