"""The bodies of requests, as they arrive: bounded in size, in time, and all together."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from starlette.types import Message, Receive

from gitreload.forges import Headers
from gitreload.web.answers import Rejected

BODY_LIMIT = 25 * 1024 * 1024
MOST_DIGITS = 20
# All bodies that are being read or checked at once; beyond it senders are told to come back.
IN_FLIGHT_LIMIT = 256 * 1024 * 1024
# Forges give up after 10 s; whoever sends more slowly must not hold memory for ever.
BODY_SECONDS = 30.0


class Body:
    """The bytes of one request, which count as in flight from their arrival to its answer."""

    in_flight: ClassVar[int] = 0

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, message: Message) -> bool:
        """Take the next piece; whether there is more.

        Raises Rejected where the sender is gone, or this body, or all together, become too large.
        """
        if message["type"] == "http.disconnect":
            raise Rejected(400, "the connection ended before the body did")
        chunk = message.get("body", b"")
        self._chunks.append(chunk)
        self._size += len(chunk)
        Body.in_flight += len(chunk)
        if self._size > BODY_LIMIT:
            raise _too_large()
        require_room()
        more: bool = message.get("more_body", False)
        return more

    def joined(self) -> bytes:
        """The whole body, once: its pieces are let go, so that it is not held twice."""
        chunks, self._chunks = self._chunks, []
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def release(self) -> None:
        Body.in_flight -= self._size


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


async def read_on(receive: Receive, body: Body) -> None:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while body.add(await receive()):
                pass
    except TimeoutError:
        raise Rejected(400, f"the body did not arrive within {BODY_SECONDS:g} s") from None


def require_room(size: int = 0) -> None:
    """Raise Rejected unless so many bytes more may be on their way."""
    if Body.in_flight + size > IN_FLIGHT_LIMIT:
        raise Rejected(503, "too many deliveries are being received; deliver again later")


def _too_large() -> Rejected:
    return Rejected(
        413, f"the body is over {BODY_LIMIT // 1024 // 1024} MiB, the most a forge sends"
    )
