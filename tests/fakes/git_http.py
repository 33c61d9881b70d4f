"""A git server over HTTP: git's own http-backend behind a small server that can misbehave."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar

Server = TypeVar("Server", bound="GitServer")


class GitServer(ThreadingHTTPServer):
    """Serves the bare repositories in `folder`.

    `seen` has the Authorization field of each request, and `watch` is called at each. `status`
    answers everything with that; `location` redirects, `later_location` only what follows the
    first request; `login` asks for "user:password"; with `stall`, answers begin and never end.
    `spoil` is what becomes of each pack on its way, where fewer bytes come out than go in, the
    connection breaks off; `denied` are the numbers of the requests, from 1, whose right login is
    not believed.
    """

    daemon_threads = True

    def __init__(self, folder: Path, handler: type[GitHandler] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), handler or GitHandler)
        self.folder = folder
        self.status: int | None = None
        self.location: str | None = None
        self.later_location: str | None = None
        self.login: str | None = None
        self.stall = False
        self.seen: list[str | None] = []
        self.watch: Callable[[], object] = lambda: None
        self.released = threading.Event()
        self.spoil: Callable[[bytes], bytes] = lambda pack: pack
        self.denied: frozenset[int] = frozenset()

    def url(self, name: str, login: str | None = None) -> str:
        return f"http://{login + '@' if login else ''}127.0.0.1:{self.server_port}/{name}"


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Has it answer meanwhile."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


def git_server(folder: Path) -> AbstractContextManager[GitServer]:
    return serving(GitServer(folder))


class GitHandler(BaseHTTPRequestHandler):
    server: GitServer

    def do_GET(self) -> None:
        self._answer(self.server.location, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(self.server.location or self.server.later_location, body)

    def _answer(self, location: str | None, body: bytes) -> None:
        server = self.server
        server.seen.append(self.headers.get("Authorization"))
        server.watch()
        wanted = server.login and f"Basic {base64.b64encode(server.login.encode()).decode()}"
        if server.stall:
            self.send_response(200)
            self.end_headers()
            server.released.wait()
        elif location:
            self.send_response(307)
            self.send_header("Location", location)
            self.end_headers()
        elif server.status:
            self.send_error(server.status)
        elif wanted and (
            self.headers.get("Authorization") != wanted or len(server.seen) in server.denied
        ):
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.end_headers()
        else:
            self._run_backend(body)

    def _run_backend(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.server.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(lines.pop("Status", "200 OK").split()[0]))
        for name, value in lines.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(self.server.spoil(content) if b"PACK" in content else content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Say nothing."""
