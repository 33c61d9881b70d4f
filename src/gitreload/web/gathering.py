"""uvicorn's protocol: quicker for short answers, and with limits for who has proven nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sized
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gitreload.web.bodies import WATCHED

# A connection on which no request gets whole, or begins, between two looks is closed. Bodies that
# come slowly are told so before, by their route.
LOOK_SECONDS = 30.0
# The most bytes of a head, and of what is neither head nor body (trailers, empty lines before a
# request). Forges send 2 KiB; a proxy in front rarely passes on more than 32.
HEAD_LIMIT = 64 * 1024


_SENTENCE = b"the head of the request is over %d KiB" % (HEAD_LIMIT // 1024)
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%s"
) % (len(_SENTENCE), _SENTENCE)


class _Dropped(list[tuple[bytes, bytes]]):
    """Fields that come too late to count."""

    def append(self, _field: tuple[bytes, bytes]) -> None:
        pass


_DROPPED = _Dropped()


class GatheringProtocol(HttpToolsProtocol):
    """uvicorn's protocol; what it writes in one turn of the loop leaves in one system call.

    It writes the head of an answer and its body apart. Two system calls and two packets take
    longer than all else that it does for a delivery.
    """

    # Bytes that came since a head was whole, or a piece of a body came.
    _fruitless = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state[WATCHED] = True
        super().connection_made(_Gathering(transport, self.loop, self.pipeline))
        self._watch = self.loop.call_later(LOOK_SECONDS, self._look, None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._fruitless += len(data)
        super().data_received(data)
        if self._fruitless > HEAD_LIMIT and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        self._fruitless = 0
        super().on_headers_complete()
        # Of trailers uvicorn would make headers: a signature or a credential behind the body, past
        # a proxy that looks at heads.
        self.headers = _DROPPED

    def on_body(self, body: bytes) -> None:
        self._fruitless = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.pipeline and not self.transport.is_closing():
            # It resumed while the last request that had come along was still in the pipeline.
            self.transport.resume_reading()

    def _look(self, before: object) -> None:
        """Close a connection that holds a descriptor, and has sent no whole request since."""
        cycle = self.cycle
        if cycle is before and self._unfinished():
            self.transport.close()
        else:
            self._watch = self.loop.call_later(LOOK_SECONDS, self._look, cycle)

    def _unfinished(self) -> bool:
        """Whether the sender has to go on: not while we let it wait."""
        if self.pipeline:
            return False
        if self.cycle is None:
            return True
        if self.cycle.response_complete:
            # Between requests uvicorn's own timer runs, until something comes.
            return self.timeout_keep_alive_task is None
        return self.cycle.more_body


class _Gathering(asyncio.Transport):
    """The transport it is given, but for `write`, and for reading while requests wait in line."""

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, waiting: Sized
    ) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._waiting = waiting
        self._gathered: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._gathered:
            self._loop.call_soon(self._flush)
        self._gathered.append(bytes(data))

    def _flush(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered and not self._transport.is_closing():  # the sender may be gone meanwhile
            self._transport.write(b"".join(gathered))

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        # uvicorn resumes with each answer, and would take in further requests without end from a
        # sender that does not wait for answers.
        if not self._waiting:
            self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._flush()
        self._transport.set_protocol(protocol)
