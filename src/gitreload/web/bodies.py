"""The bodies of requests, as they arrive: bounded in size, in time, and all together."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import ClassVar

from starlette.types import Message, Receive, Scope

from gitreload.forges import Headers
from gitreload.web.answers import Rejected

MIB = 1024 * 1024
BODY_LIMIT = 25 * MIB
MOST_DIGITS = 20
# Nearly all pushes are smaller. A larger body is checked in a thread, so that it holds nobody up.
SMALL = 256 * 1024
# All bodies that are being read or checked at once; beyond it senders are told to come back. Each
# kind leaves room for those that are harder to make in vain: a body that is small and all here is
# checked at once, so that what is not genuine holds nothing; one that is small takes many
# connections to make much of it. GitHub never comes back.
IN_FLIGHT_LIMIT = 256 * MIB
UNFINISHED_LIMIT = 224 * MIB
LARGE_LIMIT = 192 * MIB
# What the large ones of one address may make of that.
LARGE_SHARE = 96 * MIB
# Forges give up after 10 s; whoever sends more slowly must not hold memory for ever.
BODY_SECONDS = 30.0
# In a server's state where it closes connections on which a request begins and does not go on.
WATCHED = "gitreload.watched"


class Body:
    """The bytes of one request, which count as in flight from their arrival to its answer.

    `client` is the address of who sends them, None for a unix socket.
    """

    in_flight: ClassVar[int] = 0
    large: ClassVar[Counter[str | None]] = Counter()

    def __init__(self, client: str | None) -> None:
        self._client = client
        self._chunks: list[bytes] = []
        self._size = 0
        self._counted_as_large = 0

    def add(self, message: Message) -> bool:
        """Take the next piece; whether there is more.

        Raises Rejected where the sender is gone, or this body, or all together, become too large.
        """
        if message["type"] == "http.disconnect":
            raise Rejected(400, "the connection ended before the body did")
        chunk = message.get("body", b"")
        more: bool = message.get("more_body", False)
        self._chunks.append(chunk)
        self._size += len(chunk)
        Body.in_flight += len(chunk)
        if self._size > SMALL:
            self._add_large()
        elif Body.in_flight > (UNFINISHED_LIMIT if more else IN_FLIGHT_LIMIT):
            raise _no_room()
        return more

    def _add_large(self) -> None:
        if self._size > BODY_LIMIT:
            raise _too_large()
        Body.large[self._client] += self._size - self._counted_as_large
        self._counted_as_large = self._size
        if Body.in_flight > LARGE_LIMIT or Body.large[self._client] > LARGE_SHARE:
            raise _no_room()

    def joined(self) -> bytes:
        """The whole body, once: its pieces are let go, so that it is not held twice."""
        chunks, self._chunks = self._chunks, []
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def release(self) -> None:
        Body.in_flight -= self._size
        if self._counted_as_large:
            Body.large[self._client] -= self._counted_as_large
            if not Body.large[self._client]:
                del Body.large[self._client]


def content_length(headers: Headers) -> int:
    """The announced size, 0 where none is; refuses one that is too large before reading."""
    announced = headers.get("content-length") or ""
    if not (announced.isascii() and announced.isdigit()):
        return 0
    # Python refuses to read a number of thousands of digits.
    size = int(announced) if len(announced) <= MOST_DIGITS else BODY_LIMIT + 1
    if size > BODY_LIMIT:
        raise _too_large()
    return size


def require_room(size: int, client: str | None) -> None:
    """Raise Rejected unless a body of so many bytes may be on its way too."""
    if size > SMALL:
        full = Body.in_flight + size > LARGE_LIMIT or Body.large[client] + size > LARGE_SHARE
    else:
        full = Body.in_flight + size > IN_FLIGHT_LIMIT
    if full:
        raise _no_room()


async def receive_all(scope: Scope, receive: Receive, body: Body) -> None:
    """Take the whole body; raises Rejected, also where it does not arrive in time."""
    # Most bodies are one piece, and here already. Where silent connections are closed anyway, that
    # piece is taken without a limit, which would cost as much as checking the signature.
    if WATCHED not in scope.get("state", ()) or body.add(await receive()):
        await _read_on(receive, body)


async def _read_on(receive: Receive, body: Body) -> None:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while body.add(await receive()):
                pass
    except TimeoutError:
        raise Rejected(400, f"the body did not arrive within {BODY_SECONDS:g} s") from None


def _no_room() -> Rejected:
    return Rejected(503, "too many deliveries are being received; deliver again later")


def _too_large() -> Rejected:
    return Rejected(413, f"the body is over {BODY_LIMIT // MIB} MiB, the most a forge sends")
