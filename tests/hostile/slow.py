"""Clients that take all the time in the world, each in its own way, and all at once."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from hostile.cases import JSON, bare
from hostile.wire import Reply, exchange

# A body has 30 s, and so has a head.
PATIENCE_SECONDS = 60.0
SILENT_CONNECTIONS = 100

HEAD = ("POST /update HTTP/1.1", "Host: x", "X-GitHub-Event: push", f"Content-Type: {JSON}")
CHUNKED = "Transfer-Encoding: chunked"


def slowly(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        time.sleep(1)


def with_body(body: Iterable[bytes], *lines: str) -> Iterator[bytes]:
    yield bare(*HEAD, *lines)
    yield from slowly(body)


def letters(text: bytes) -> Iterator[bytes]:
    return (bytes([each]) for each in text)


def fields() -> Iterator[bytes]:
    yield b"\r\n".join(line.encode() for line in HEAD)
    yield from slowly(b"\r\nX-%d: 1" % number for number in itertools.count())


# What is sent, and the statuses that come back before the server hangs up.
CLIENTS: dict[str, tuple[Callable[[], Iterable[bytes]], tuple[int, ...]]] = {
    "nothing is said": (list, ()),
    "a method letter by letter": (lambda: slowly(itertools.repeat(b"P")), (400,)),
    "a field every second": (fields, ()),
    "a body byte by byte": (
        lambda: with_body(letters(b"{" * 1000), "Content-Length: 1000"),
        (400,),
    ),
    "a body that stops half-way": (
        lambda: [bare(*HEAD, "Content-Length: 1000", body=b"{")],
        (400,),
    ),
    "a chunk every second": (
        lambda: with_body(itertools.repeat(b"1\r\n{\r\n"), CHUNKED),
        (400,),
    ),
    "trailers without end": (
        lambda: with_body(
            itertools.chain([b"1\r\n{\r\n0\r\n"], itertools.repeat(b"X-A: b\r\n")), CHUNKED
        ),
        (400,),
    ),
}


class SlowClients:
    """They begin with the server and need a while to be cut off; others are served meanwhile."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._outcomes: dict[str, Future[list[Reply]]] = {}
        self._silent: list[Future[list[Reply]]] = []

    def start(self) -> None:
        threads = ThreadPoolExecutor(len(CLIENTS) + SILENT_CONNECTIONS)
        for name, (build, _) in CLIENTS.items():
            self._outcomes[name] = threads.submit(self._exchange, build)
        self._silent = [threads.submit(self._exchange, list) for _ in range(SILENT_CONNECTIONS)]
        threads.shutdown(wait=False)

    def statuses(self, name: str) -> tuple[int, ...]:
        """What one of them was told before it was cut off; fails where it was not."""
        replies = self._outcomes[name].result(PATIENCE_SECONDS)
        return tuple(reply.status for reply in replies)

    def all_silent_ones_are_cut_off(self) -> bool:
        return all(future.result(PATIENCE_SECONDS) == [] for future in self._silent)

    def _exchange(self, build: Callable[[], Iterable[bytes]]) -> list[Reply]:
        return exchange(self._port, build(), PATIENCE_SECONDS)
