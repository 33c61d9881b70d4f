"""The commit statuses of a forge, over HTTP: what gitreload asks of six APIs, and their refusals.

It keeps statuses and knows one token; the pages are named in gitreload.reporters.status.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "token-of-the-forge"

_SHA = r"(?P<sha>[0-9a-f]+)"
_POSTS = {
    "github": rf"/api/v3/repos/org/course/statuses/{_SHA}",
    "gitea": rf"/api/v1/repos/org/course/statuses/{_SHA}",
    "gitlab": rf"/api/v4/projects/org%2Fcourse/statuses/{_SHA}",
    "bitbucket-cloud": rf"/2\.0/repositories/org/course/commit/{_SHA}/statuses/build",
    "bitbucket-dc": rf"/rest/api/latest/projects/org/repos/course/commits/{_SHA}/builds",
}
_GETS = {
    **_POSTS,
    "github": rf"/api/v3/repos/org/course/commits/{_SHA}/statuses",
    "gitlab": rf"/api/v4/projects/org%2Fcourse/repository/commits/{_SHA}/statuses",
    "bitbucket-cloud": _POSTS["bitbucket-cloud"] + r"/(?P<key>[^/]+)",
}
for routes in (_POSTS, _GETS):
    routes["forgejo"] = routes["gitea"]

# What each calls the three marks, the name of a status, and the link.
_STATES = {
    "gitlab": ("pending", "success", "failed"),
    "bitbucket-cloud": ("INPROGRESS", "SUCCESSFUL", "FAILED"),
    "bitbucket-dc": ("INPROGRESS", "SUCCESSFUL", "FAILED"),
}
_MARKS = ("pending", "success", "failure")


@dataclass(frozen=True)
class Given:
    """A status that was given: `mark` in gitreload's words."""

    sha: str
    context: str
    mark: str
    description: str
    url: str | None


class StatusApi(ThreadingHTTPServer):
    """That of `forge`, with the repository org/course and any commit but those in `unknown`.

    `answer` answers everything: status, header fields, text. `hanging` keeps all from being
    answered until it is set, or those alone that give the state `hangs`; `dropping` ends the
    connection after what is asked was done; `moved` is where a redirect leads.
    """

    daemon_threads = True

    def __init__(self, forge: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.forge = forge
        self.given: list[Given] = []
        self.unknown: set[str] = set()
        self.answer: tuple[int, dict[str, str], str] | None = None
        self.hanging: threading.Event | None = None
        self.hangs: str | None = None
        self.dropping = False
        self.moved: str | None = None
        self.requests: list[str] = []
        self.strangers: list[str] = []
        self.tokens = {TOKEN}

    @property
    def site(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def origin(self) -> str:
        """Of a clone."""
        scm = "scm/" if self.forge == "bitbucket-dc" else ""
        return f"{self.site}/{scm}org/course.git"

    @property
    def marks(self) -> list[str]:
        return [given.mark for given in self.given]

    def proven(self, headers: Any) -> bool:
        given = headers.get("PRIVATE-TOKEN") or headers.get("Authorization", "")
        kind, _, token = given.rpartition(" ")
        if kind == "Basic":
            token = base64.b64decode(token).decode()
        wanted = {"gitlab": "", "gitea": "token", "forgejo": "token"}.get(self.forge, "Bearer")
        return token in self.tokens and kind in (wanted, "Basic")

    def take(self, sha: str, body: dict[str, Any]) -> tuple[int, str]:
        """Keep a status, or say why not."""
        named = {"gitlab": "name", "bitbucket-cloud": "key", "bitbucket-dc": "key"}
        link = "url" if self.forge.startswith("bitbucket") else "target_url"
        states = _STATES.get(self.forge, _MARKS)
        context = body[named.get(self.forge, "context")]
        if sha in self.unknown:
            if self.forge == "github":
                return 422, json.dumps({"message": f"No commit found for SHA: {sha}"})
            return 404, json.dumps({"message": "404 Commit Not Found"})
        if body["state"] not in states:
            return 400, json.dumps({"message": "state does not have a valid value"})
        longest = 140 if self.forge == "github" else 255
        if len(body["description"]) > longest:
            said = f"description is too long (maximum is {longest} characters)"
            told = {"message": "Validation Failed", "errors": [{"message": said}]}
            return 422, json.dumps(told)
        if self.forge == "bitbucket-cloud" and len(context) > 40:
            return 400, '{"error": {"message": "key: Ensure this value has at most 40 characters"}}'
        if self.forge.startswith("bitbucket") and not body.get("url"):
            return 400, '{"error": {"message": "url: This field is required."}}'
        mark = _MARKS[states.index(body["state"])]
        if self.forge == "gitlab" and self.last(sha, context, mark):
            said = "Cannot transition status via :enqueue from :pending (Reason(s): Status cannot "
            return 400, json.dumps({"message": f'{said}transition via "enqueue")'})
        self.given.append(Given(sha, context, mark, body["description"], body.get(link)))
        return 201, json.dumps({"id": len(self.given)})

    def last(self, sha: str, context: str, mark: str) -> bool:
        """Whether that is what the commit shows."""
        ours = [each for each in self.given if (each.sha, each.context) == (sha, context)]
        return bool(ours) and ours[-1].mark == mark

    def listed(self, sha: str, key: str | None) -> tuple[int, str]:
        states = dict(zip(_MARKS, _STATES.get(self.forge, _MARKS), strict=True))
        found = [
            {
                "id": number,
                "context": given.context,
                "name": given.context,
                "key": given.context,
                "state": states[given.mark],
                "status": states[given.mark],
                "description": given.description,
            }
            for number, given in enumerate(self.given, 1)
            if given.sha == sha and key in (None, given.context)
        ]
        if self.forge.startswith("bitbucket"):
            return (200, json.dumps(found[-1])) if found else (404, '{"error": "no such status"}')
        return 200, json.dumps(found)


@contextmanager
def status_api(forge: str, port: int = 0) -> Iterator[StatusApi]:
    with StatusApi(forge, port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            if server.hanging is not None:
                server.hanging.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: StatusApi

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        found = self._found(_GETS, url.path)
        if found is not None:
            query = parse_qs(url.query)
            keys = found.groupdict().get("key") or (query.get("key") or query.get("name") or [None])
            key = unquote(keys) if isinstance(keys, str) else keys[0]
            self._send(*self.server.listed(found["sha"], key))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = self._found(_POSTS, self.path, body["state"])
        if found is not None:
            self._send(*self.server.take(found["sha"], body))

    def _found(
        self, routes: dict[str, str], path: str, state: str | None = None
    ) -> re.Match[str] | None:
        server = self.server
        server.requests.append(f"{self.command} {self.path} {state or ''}".rstrip())
        if server.hanging is not None and server.hangs in (None, state):
            server.hanging.wait()
        if server.answer is not None:
            status, headers, text = server.answer
            self._send(status, text, headers)
            return None
        if server.moved is not None:
            where, server.moved = server.moved, None
            self._send(307, "", {"Location": where})
            return None
        if not server.proven(self.headers):
            server.strangers.append(str(self.headers))
            self._send(401, '{"message": "Bad credentials"}')
            return None
        found = re.fullmatch(routes[server.forge], path)
        if found is None:
            self._send(404, '{"message": "Not Found"}')
        return found

    def _send(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        if self.server.dropping:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def handle(self) -> None:
        with suppress(ConnectionError):  # who asked was killed
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Say nothing."""
