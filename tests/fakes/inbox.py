"""Where messages arrive: a mail server (RFC 5321, as much as a client needs) and an HTTP server."""

from __future__ import annotations

import email.policy
import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast


@dataclass(frozen=True)
class Posted:
    """A request that came by POST."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Inbox:
    """What has come so far. `answer` is what the HTTP server says: a status, and header fields.

    While `hanging` is set, it says nothing at all.
    """

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)
    answer: tuple[int, dict[str, str]] = (200, {})
    text: bytes = b"{}"
    hanging: bool = False
    released: threading.Event = field(default_factory=threading.Event)


class _Smtp(socketserver.StreamRequestHandler):
    """One connection: https://www.rfc-editor.org/rfc/rfc5321#section-4.1"""

    def handle(self) -> None:
        self._say("220 inbox")
        while line := self.rfile.readline():
            verb = line.split(maxsplit=1)[0].upper() if line.strip() else b""
            if verb == b"DATA":
                self._say("354 go on")
                self._keep()
                self._say("250 kept")
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            elif verb == b"RCPT" and b"nobody@" in line:
                self._say("550 no such user here")
            else:
                self._say("250 well")

    def _keep(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        inbox = cast("_Server", self.server).inbox
        parsed = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        inbox.mails.append(parsed)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    inbox: Inbox


class _Http(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        inbox = cast("_HttpServer", self.server).inbox
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        inbox.posted.append(Posted(self.path, dict(self.headers), body))
        if inbox.hanging:
            inbox.released.wait()
            return
        status, fields = inbox.answer
        self.send_response(status)
        for name, value in {"Content-Length": str(len(inbox.text)), **fields}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(inbox.text)

    def log_message(self, *_: object) -> None:
        """Tests look at what came."""


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    inbox: Inbox


@contextmanager
def smtp() -> Iterator[Inbox]:
    """A mail server on the loopback address, which takes anything but mail for `nobody@`."""
    with _Server(("127.0.0.1", 0), _Smtp) as server:
        yield from _serving(server)


@contextmanager
def http() -> Iterator[Inbox]:
    """An HTTP server on the loopback address, which takes anything."""
    with _HttpServer(("127.0.0.1", 0), _Http) as server:
        yield from _serving(server)


def _serving(server: _Server | _HttpServer) -> Iterator[Inbox]:
    inbox = server.inbox = Inbox(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield inbox
    finally:
        inbox.released.set()
        server.shutdown()
        thread.join()
