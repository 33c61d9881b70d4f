"""The application over a real ledger and real checkouts, without workers; asked through ASGI."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Scope

from fakes import github
from fakes.forges import SECRET
from gitreload import config
from gitreload.ledger import Ledger
from gitreload.model import Job
from gitreload.receiver import Receiver
from gitreload.runtime import Runtime
from gitreload.web.application import build
from helpers import Remote, wait_until

LOOPBACK = "127.0.0.1"
ELSEWHERE = "203.0.113.7"
FIELDS = {"msg", "outcome", "delivery", "jobs"}


@contextmanager
def on_a_socket(app: ASGIApp, **options: Any) -> Iterator[int]:
    """The port where uvicorn serves it; `options` are uvicorn's."""
    listener = socket.create_server((LOOPBACK, 0))
    server = uvicorn.Server(
        uvicorn.Config(app, lifespan="off", log_config=None, proxy_headers=False, **options)
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    wait_until(lambda: server.started)
    yield int(listener.getsockname()[1])
    server.should_exit = True
    thread.join()
    listener.close()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        return dict(json.loads(self.text))

    @property
    def outcome(self) -> tuple[int, str]:
        """Status and outcome of a webhook's answer, which always has the same fields."""
        assert self.headers["content-type"] == "application/json"
        assert set(self.body) == FIELDS
        return self.status, self.body["outcome"]


class Site:
    def __init__(self, folder: Path, empty: Path, **values: Any) -> None:
        self.repodir = folder / "repos"
        self.repodir.mkdir(exist_ok=True)
        self.state_dir = folder / "state"
        values = {"WEBHOOK_SECRETS": [SECRET.decode()], **values}
        values |= {"REPODIR": str(self.repodir), "STATE_DIR": str(self.state_dir)}
        file = folder / "gr.env.json"
        file.write_text(json.dumps(values))
        self.runtime = Runtime(config.load({"GITRELOAD_CONFIG": str(file), "HOME": str(folder)}))
        self.state_dir.mkdir()
        shutil.copy(empty, self.state_dir)
        self.ledger = self.runtime.ledger = Ledger.open(self.state_dir)
        self.receiver = Receiver(self.ledger, lambda: self.runtime.tools.checkouts, lambda: None)
        self.runtime.receiver = self.receiver
        self.receiver.start()
        self.app = build(lambda: self.runtime)

    def close(self) -> None:
        self.receiver.stop(30)
        self.ledger.close()

    def jobs(self) -> list[Job]:
        return self.ledger.unfinished()

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        messages: Sequence[Message] = (),
        peer: str | None = LOOPBACK,
    ) -> Answer:
        """`messages` are what the server hands over; when they are used up, nothing more comes."""
        raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        path, _, query = path.partition("?")
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": raw,
            "client": None if peer is None else (peer, 4000),
            "server": ("/run/gr.sock", None) if peer is None else ("localhost", 80),
        }
        waiting = list(messages) or [a_chunk(b"", more=False)]
        sent: list[Message] = []

        async def receive() -> Message:
            if not waiting:
                await asyncio.Event().wait()
            return waiting.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))  # type: ignore[arg-type]
        start, *bodies = sent
        shown = {name.decode(): value.decode() for name, value in start["headers"]}
        text = b"".join(message.get("body", b"") for message in bodies).decode()
        return Answer(start["status"], shown, text)

    def post(
        self,
        headers: Mapping[str, str],
        body: bytes = b"",
        path: str = "/",
        peer: str | None = LOOPBACK,
    ) -> Answer:
        return self.ask("POST", path, headers, [a_chunk(body, more=False)], peer)

    def push(self, url: str, secret: bytes | None = SECRET, **facts: Any) -> Answer:
        """Deliver a push of main; `facts` go to `post`."""
        headers, body = github.signed(github.github_push(url), secret)
        return self.post(headers, body, **facts)


def a_chunk(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.fixture
def site(tmp_path: Path, empty_ledger: Path) -> Iterator[Site]:
    """With a secret, and without checkouts."""
    made = Site(tmp_path, empty_ledger)
    yield made
    made.close()


@pytest.fixture
def unsigned(tmp_path: Path, empty_ledger: Path, remote: Remote) -> Iterator[Site]:
    """Without a secret, with the checkout `course` of `remote`."""
    made = Site(tmp_path, empty_ledger, WEBHOOK_SECRETS=[])
    remote.clone(made.repodir / "course")
    yield made
    made.close()
