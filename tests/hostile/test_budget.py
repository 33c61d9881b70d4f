"""All together are bounded too, also senders that have proven nothing: bodies and lines of log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from hostile.cases import JSON, Case, bare, encoded, github, push
from hostile.http import MIB
from hostile.target import Target
from hostile.wire import exchange

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
    assert set(statuses) <= {401, 503}
    assert statuses.total() == SENDERS
    assert all("retry-after" in reply.headers for reply in replies if reply.status == 503)
    genuine = Case("afterwards", lambda _: [github(encoded(push()))], (200,))
    [reply] = target.attack(genuine)
    assert reply.status == 200
