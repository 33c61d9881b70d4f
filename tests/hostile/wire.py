"""A client that sends what no library would, and takes whatever comes back."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

HOST = "127.0.0.1"
DEADLINE_SECONDS = 25.0


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


def exchange(port: int, pieces: Iterable[bytes], seconds: float = DEADLINE_SECONDS) -> list[Reply]:
    """Send the pieces as fast as they are taken; all replies until the server hangs up.

    Fails the test where it does not hang up in time: whoever calls this sends what must end.
    """
    deadline = time.monotonic() + seconds
    received = bytearray()
    waiting = iter(pieces)
    pending: bytes | None = next(waiting, None)
    with socket.create_connection((HOST, port)) as connection:
        connection.setblocking(False)
        while True:
            left = deadline - time.monotonic()
            assert left > 0, f"it hangs; so far came {bytes(received[:500])!r}"
            sending = [connection] if pending is not None else []
            readable, writable, _ = select.select([connection], sending, [], left)
            if readable:
                try:
                    data = connection.recv(1 << 16)
                except ConnectionResetError:
                    break
                if not data:
                    break
                received += data
            elif writable and pending is not None:
                try:
                    pending = pending[connection.send(pending) :] or next(waiting, None)
                except (BrokenPipeError, ConnectionResetError):
                    pending = None  # it hung up; its reply may still be there
    return list(_replies(bytes(received)))


def _replies(data: bytes) -> Iterator[Reply]:
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        if first.startswith("HTTP/1.1 100"):
            continue
        pairs = (line.partition(": ") for line in lines)
        headers = {name.lower(): value for name, _, value in pairs}
        length = int(headers.get("content-length", len(data)))
        yield Reply(int(first.split()[1]), headers, data[:length])
        data = data[length:]
