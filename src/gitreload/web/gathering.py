"""uvicorn's protocol: quicker for short answers, and with limits for who has proven nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sized
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# A connection on which no request gets whole, or begins, between two looks is closed. Bodies that
# come slowly are told so before, by their route.
LOOK_SECONDS = 30.0


class GatheringProtocol(HttpToolsProtocol):
    """uvicorn's protocol; what it writes in one turn of the loop leaves in one system call.

    It writes the head of an answer and its body apart. Two system calls and two packets take
    longer than all else that it does for a delivery.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Gathering(transport, self.loop, self.pipeline))
        self._watch = self.loop.call_later(LOOK_SECONDS, self._look, None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        super().connection_lost(exc)

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
