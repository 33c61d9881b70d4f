"""All together are bounded too, also senders that have proven nothing: bodies and lines of log."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest

from helpers import wait_until
from hostile.cases import JSON, Case, bare, encoded, github, push
from hostile.http import MIB
from hostile.slow import HEAD
from hostile.target import Target
from hostile.wire import HOST, exchange

SENDERS = 32
SIZE = 24 * MIB
# The 256 MiB that may be in flight, and half as much for pieces that wait to be put together, and
# for what the allocator keeps of them.
BOUND = 384 * MIB


def chunked() -> Iterator[bytes]:
    yield bare(
        "POST /update HTTP/1.1",
        "Host: x",
        "X-GitHub-Event: push",
        f"Content-Type: {JSON}",
        "Transfer-Encoding: chunked",
        "Connection: close",
    )
    for _ in range(SIZE // MIB):
        yield b"100000\r\n" + bytes(MIB) + b"\r\n"
    yield b"0\r\n\r\n"


def test_a_flood_of_forged_deliveries_does_not_fill_the_log(target: Target) -> None:
    with target.watched(), ThreadPoolExecutor(8) as threads:
        body = encoded(push())
        forged = [github(body, signature=f"sha256={number:064x}") for number in range(300)]
        replies = threads.map(lambda sent: exchange(target.port, [sent]), forged)
        assert {reply.status for [reply] in replies} == {401}


def test_nor_does_a_flood_of_what_is_no_http(target: Target) -> None:
    with target.watched(), ThreadPoolExecutor(8) as threads:
        replies = threads.map(
            lambda _: exchange(target.port, [b"\x16\x03\x01 TLS\r\n"]), range(300)
        )
        assert {reply.status for [reply] in replies} == {400}


def test_large_bodies_at_once(target: Target) -> None:
    with target.watched(SENDERS, BOUND), ThreadPoolExecutor(SENDERS) as threads:
        exchanges = [threads.submit(exchange, target.port, chunked()) for _ in range(SENDERS)]
        replies = [reply for done in exchanges for reply in done.result()]
    statuses = Counter(reply.status for reply in replies)
    assert set(statuses) == {401, 503}, "some met the budget, and some had room"
    assert statuses.total() == SENDERS
    assert all("retry-after" in reply.headers for reply in replies if reply.status == 503)
    genuine = Case("afterwards", lambda _: [github(encoded(push()))], (200,))
    [reply] = target.attack(genuine)
    assert reply.status == 200


@pytest.fixture
def flood(target: Target) -> Iterator[None]:
    """Bodies that never end, each of another address, until not even 2 KiB more have room."""
    sizes = [25 * MIB] * 11 + [16 * MIB >> halved for halved in range(14)]
    with ExitStack() as connections:
        for number, size in enumerate(sizes, 2):
            address = (f"127.0.0.{number}", 0)
            sender = socket.create_connection((HOST, target.port), 30, address)
            connections.enter_context(sender)
            with suppress(ConnectionError):  # who is told 503 is cut off
                sender.sendall(bare(*HEAD, f"Content-Length: {size}", body=bytes(size - 1)))
            wait_until(partial(all_read, sender), what="that the body was read")
        [large] = exchange(target.port, [github(bytes(24 * MIB), signature="sha256=00")])
        assert large.status == 503
        yield


def all_read(connection: socket.socket) -> bool:
    """Whether each end of a connection to this machine has read all that the other one sent."""
    port = f":{connection.getsockname()[1]:04X}"
    ends = [line for line in Path("/proc/net/tcp").read_text().splitlines() if port in line]
    return all(end.split()[4] == "00000000:00000000" for end in ends)


@pytest.mark.usefixtures("flood")
def test_a_genuine_push_is_taken_during_a_flood(target: Target) -> None:
    body = encoded(push(filling="x" * 7 * 1024))
    [at_once] = exchange(target.port, [github(body)])
    assert at_once.status == 200
    sent = github(body)
    [in_pieces] = exchange(target.port, (sent[at : at + 500] for at in range(0, len(sent), 500)))
    assert in_pieces.status == 200
