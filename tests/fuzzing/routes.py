"""Promises of the running routes: the application over a real ledger and a real checkout."""

from __future__ import annotations

import asyncio
import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from unittest import mock

from starlette.types import Message, Scope

from fakes.forges import SECRET
from fakes.forges.sender import digest
from fakes.github import github_push, signed
from gitreload import config
from gitreload import receiver as receiver_module
from gitreload.ledger import Ledger
from gitreload.model import Outcome
from gitreload.receiver import Receiver
from gitreload.runtime import Runtime
from gitreload.web.application import build

STATUSES = frozenset({200, 307, 400, 401, 404, 405, 413})
FIELDS = {"msg", "outcome", "delivery", "jobs"}
SIGN = b"sign"  # a field that is replaced by a right signature of GitHub's
HOOKS = ("/", "/gitreload", "/update", "/gitreload/", "/update/")
JSON_TYPE = b"Content-Type: application/json"
FORM_TYPE = b"Content-Type: application/x-www-form-urlencoded"
PUSH = json.dumps(github_push("https://github.com/Org/course")).encode()


class _Site:
    """Like a server that was just started, with a secret and no checkout."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        (self.folder / "repos").mkdir()
        file = self.folder / "gr.env.json"
        values = {
            "REPODIR": str(self.folder / "repos"),
            "STATE_DIR": str(self.folder / "state"),
            "WEBHOOK_SECRETS": [SECRET.decode()],
            "BASIC_AUTH": {"ada": "a password of good length"},
        }
        file.write_text(json.dumps(values))
        self.runtime = Runtime(
            config.load({"GITRELOAD_CONFIG": str(file), "HOME": str(self.folder)})
        )
        self.ledger = self.runtime.ledger = Ledger.open(self.folder / "state")
        checkouts = lambda: self.runtime.tools.checkouts  # noqa: E731 - as the runtime has it
        self.receiver = self.runtime.receiver = Receiver(self.ledger, checkouts, lambda: None)
        self.receiver.start()
        self.app = build(lambda: self.runtime)
        self.loop = asyncio.new_event_loop()

    def ask(self, scope: Scope, body: bytes) -> tuple[int, bytes]:
        sent: list[Message] = []
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        # Most pushes reach nothing, and would wait for a look at REPODIR.
        with mock.patch.object(receiver_module, "LOOK_SECONDS", 0.0):
            self.loop.run_until_complete(self.app(scope, receive, send))
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)

    def close(self) -> None:
        self.receiver.stop(30)
        self.ledger.close()
        self.loop.close()
        shutil.rmtree(self.folder)


@cache
def site() -> _Site:
    made = _Site()
    atexit.register(made.close)
    return made


def seeds() -> list[bytes]:
    fields, _ = signed(json.loads(PUSH), SECRET)
    lines = "".join(f"{name}: {value}\n" for name, value in fields.items())
    unsigned = f"POST /update?forge=github\n{lines}\n".encode() + PUSH
    return [
        unsigned,
        unsigned.replace(b"X-Hub-Signature-256:", b"sign:"),
        b"GET /queue\nX-Forwarded-For: 203.0.113.7\nAuthorization: Bearer x\n\n",
        b"POST /\nX-Gitlab-Event: Push Hook\nX-Gitlab-Token: x\n" + JSON_TYPE + b"\n\n{}",
        b"POST /gitreload/\nsign:\n" + FORM_TYPE + b"\n\npayload=%7B%7D",
        b"GET /readyz\n\n",
    ]


def request(data: bytes) -> None:
    """Every answer is one of the contract's, and nobody is believed without a proof."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, address = first.partition(b" ")
    path, _, query = address.partition(b"?")
    pairs = [line.partition(b": ") for line in lines]
    headers = [(name.lower(), value.strip()) for name, _, value in pairs if name.lower() != SIGN]
    proven = any(name.lower().rstrip(b":") == SIGN for name, _, _ in pairs)
    if proven:
        headers = [(name, value) for name, value in headers if not name.startswith(b"x-hub")]
        headers.append((b"x-hub-signature-256", f"sha256={digest(body)}".encode()))
    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method.decode("latin-1").upper(),
        "scheme": "http",
        "path": path.decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 4000),
        "server": ("127.0.0.1", 5000),
    }
    status, answer = site().ask(scope, body)
    assert status in STATUSES or (status, path) == (503, b"/readyz"), (status, answer)
    if scope["path"] in HOOKS and scope["method"] != "GET":
        told = json.loads(answer)
        assert set(told) == FIELDS
        assert proven or told["outcome"] == Outcome.REFUSED, told
    assert site().ledger.unfinished() == []
