"""A Studio and its LMS at one address: their API for imports, with its ways to fail.

Shapes and words are those of the pages and files that `api` and `failures` of
gitreload.importers.studio name. It unpacks what is uploaded, and keeps the files of each course.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

CLIENT_ID = "gitreload"
CLIENT_SECRET = "the-secret-of-the-application"
KEY = "course-v1:MITx+6.001+2026"

STEPS = ("Pending", "Unpacking", "Verifying", "Updating", "Succeeded")
ENDED = ("Succeeded", "Failed", "Canceled")

UNPACKING = "An Unknown error occurred during the unpacking step."
IMPORTING = "Unknown error while importing course."

Files = dict[str, bytes]


class _Refused(Exception):  # noqa: N818
    def __init__(self, status: int, body: object) -> None:
        self.status = status
        self.body = body if isinstance(body, str) else json.dumps(body)


def refusal(status: int, message: str, code: str = "internal_error") -> _Refused:
    """As DeveloperErrorViewMixin has it."""
    return _Refused(status, {"developer_message": message, "error_code": code})


@dataclass
class Task:
    """It goes on by one state each time that it is asked for, unless it is `held`."""

    key: str
    filename: str
    files: Files
    state: str = "Pending"
    artifacts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Names and texts by uuid."""

    @property
    def name(self) -> str:
        return f"Import of {self.key} from {self.filename}"

    def leave(self, name: str, text: str) -> None:
        self.artifacts[str(uuid.uuid4())] = (name, text)

    def fail(self, error: str) -> None:
        self.leave("Error", error)
        self.state = "Failed"


class StudioServer(ThreadingHTTPServer):
    """The attributes say what exists, and what goes wrong."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.courses: dict[str, Files] = {KEY: {}}
        self.tasks: dict[str, Task] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        """Method, path and Authorization of each."""
        self.tokens: list[str] = []
        self.token_seconds = 3600
        self.author = True
        self.at_once = False
        """Whether a task goes on to its end at the first question."""
        self.held_at: str | None = None
        """The state beyond which no task goes."""
        self.error: str | None = None
        """Makes the step "Updating" fail with these words."""
        self.findings: list[str] = []
        """What olxcleaner finds wrong; the step "Verifying" fails then."""
        self.answers: dict[str, tuple[int, str, dict[str, str]]] = {}
        """Answers of something else, by the start of "METHOD /path"."""
        self.drop_after: int | None = None
        """How many bytes of an upload are taken before the connection is closed."""
        self.own_scheme = "http"
        self.lock = threading.RLock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def settings(self) -> dict[str, Any]:
        """The value of `STUDIO` that leads here."""
        return {
            "URL": self.url,
            "LMS_URL": f"{self.url}/",
            "CLIENT_ID": CLIENT_ID,
            "CLIENT_SECRET": CLIENT_SECRET,
        }

    @property
    def uploads(self) -> list[Task]:
        return [*self.tasks.values()]

    def asked(self, start: str) -> int:
        """How often it was asked for what starts so ("GET /path")."""
        return sum(f"{method} {path}".startswith(start) for method, path, _ in self.requests)

    def advance(self, task: Task) -> None:
        """What import_olx does, a step at a time; two at once break each other (PR 39109)."""
        if task.state in ENDED or task.state == self.held_at:
            return
        task.state = STEPS[STEPS.index(task.state) + 1]
        if task.state == "Verifying" and task.key not in self.courses:
            task.fail(UNPACKING)
        elif task.state == "Verifying" and self.findings:
            found = {"summary": [], "errors": self.findings, "warnings": ["WARNING x"]}
            task.leave("OLX_VALIDATION_ERROR", json.dumps(found))
            task.fail("Course olx validation failed. Please check your email.")
        elif task.state == "Updating" and not _root(task.files):
            task.fail("Could not find the course.xml file in the package.")
        elif task.state == "Succeeded" and self.error is not None:
            task.fail(self.error)
        elif task.state == "Succeeded":
            self.courses[task.key] = _below(task.files, _root(task.files) or "")

    def begin(self, task: Task) -> str:
        others = [each for each in self.uploads if each.key == task.key]
        task_id = str(uuid.uuid4())
        self.tasks[task_id] = task
        for other in others:
            if other.state not in ENDED:
                other.fail(IMPORTING)
                task.fail(IMPORTING)
        return task_id


@contextmanager
def studio() -> Iterator[StudioServer]:
    with StudioServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: StudioServer
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # one write an answer, which nobody's delayed acknowledgement holds up

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        server, parts = self.server, urlsplit(self.path)
        server.requests.append((self.command, self.path, self.headers["Authorization"]))
        body = self._body()
        if body is None:
            self.close_connection = True
            return
        for start, answer in [*server.answers.items()]:
            if f"{self.command} {self.path}".startswith(start):
                self._send(*answer)
                return
        try:
            with server.lock:
                found = self._route(unquote(parts.path), parse_qs(parts.query), body)
        except _Refused as refused:
            self._send(refused.status, refused.body, {})
        else:
            self._send(200, json.dumps(found), {})

    def _body(self) -> bytes | None:
        """None where the connection is dropped in the middle."""
        length = int(self.headers["Content-Length"] or 0)
        if self.server.drop_after is not None and length > self.server.drop_after:
            self.rfile.read(self.server.drop_after)
            return None
        body = self.rfile.read(length)
        return body if len(body) == length else None

    def _route(self, path: str, query: dict[str, list[str]], body: bytes) -> object:
        if path.rstrip("/") == "/oauth2/access_token":
            return self._give_token(parse_qs(body.decode()))
        if path == "/heartbeat":
            return {"modulestore": {"status": True}}
        if self.headers["Authorization"] not in [f"JWT {token}" for token in self.server.tokens]:
            raise _Refused(401, {"detail": "Token has expired."})
        if found := re.fullmatch(r"/api/courses/v0/import/([^/]+)/", path):
            if not self.server.author:
                message = "The requesting user does not have course author permissions."
                raise refusal(403, message, "user_permissions")
            if self.command == "POST":
                return {"task_id": self.server.begin(self._uploaded(found[1], body))}
            return {"state": self._state(found[1], query)}
        if path == "/api/tasks/v0/tasks/":
            newest = [*reversed(self.server.uploads)]
            return {"count": len(newest), "next": None, "results": [*map(self._listed, newest)]}
        if found := re.fullmatch(r"/api/tasks/v0/artifacts/([^/]+)/", path):
            for task in self.server.uploads:
                if found[1] in task.artifacts:
                    name, text = task.artifacts[found[1]]
                    return {"name": name, "text": text, "file": "", "url": "", "status": ""}
        raise _Refused(404, "<h1>Page not found</h1>")

    def _give_token(self, form: dict[str, list[str]]) -> dict[str, object]:
        if form.get("client_id") != [CLIENT_ID] or form.get("client_secret") != [CLIENT_SECRET]:
            raise _Refused(401, {"error": "invalid_client"})
        if form.get("grant_type") != ["client_credentials"] or form.get("token_type") != ["jwt"]:
            raise _Refused(400, {"error": "unsupported_grant_type"})
        token = f"jwt-{uuid.uuid4().hex}"
        self.server.tokens.append(token)
        seconds = self.server.token_seconds
        return {"access_token": token, "expires_in": seconds, "token_type": "JWT", "scope": "read"}

    def _uploaded(self, key: str, body: bytes) -> Task:
        boundary = self.headers["Content-Type"].partition("boundary=")[2].encode()
        head, _, content = body.partition(b"\r\n\r\n")
        named = re.search(rb'name="course_data"; filename="([^"]+)"', head)
        if not head.startswith(b"--" + boundary) or named is None:
            raise refusal(500, "Missing required parameter")  # it is caught and raised again
        end = b"\r\n--" + boundary + b"--\r\n"
        assert content.endswith(end)
        filename = named[1].decode()
        if not filename.endswith((".tar.gz", ".zip")):
            raise refusal(500, "Parameter in the wrong format")
        return Task(key, filename, _unpacked(content.removesuffix(end)))

    def _state(self, key: str, query: dict[str, list[str]]) -> str:
        task = self.server.tasks.get(query["task_id"][0])
        if task is None or [task.key, task.filename] != [key, query["filename"][0]]:
            raise refusal(500, "'NoneType' object has no attribute 'state'")
        for _ in STEPS if self.server.at_once else STEPS[:1]:
            self.server.advance(task)
        return task.state

    def _listed(self, task: Task) -> dict[str, object]:
        host = f"{self.server.own_scheme}://{self.headers['Host']}"
        return {
            "name": task.name,
            "state": task.state,
            "state_text": task.state,
            "completed_steps": 0,
            "total_steps": 3,
            "attempts": 1,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "modified": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "artifacts": [f"{host}/api/tasks/v0/artifacts/{each}/" for each in task.artifacts],
        }

    def _send(self, status: int, text: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Say nothing."""


def _unpacked(content: bytes) -> Files:
    """As safe_extractall does it: only files and directories, and nothing beside them."""
    files = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        for entry in tar:
            assert entry.isreg() or entry.isdir()
            assert ".." not in entry.name.split("/")
            assert not entry.name.startswith("/")
            source = tar.extractfile(entry)
            if source is not None:
                files[entry.name] = source.read()
    return files


def _root(files: Files) -> str | None:
    """The topmost directory with a course.xml."""
    roots = [name[: -len("course.xml")] for name in files if f"/{name}".endswith("/course.xml")]
    return min(roots, key=lambda root: root.count("/"), default=None)


def _below(files: Files, root: str) -> Files:
    return {name[len(root) :]: text for name, text in files.items() if name.startswith(root)}
