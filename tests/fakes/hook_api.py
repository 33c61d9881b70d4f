"""The webhook APIs of GitHub, GitLab, Gitea and Forgejo, as far as gitreload asks them.

They keep hooks, know one token, and refuse as the real ones do; pages as in gitreload.hook_apis.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

TOKEN = "token-of-the-forge"

_ROUTES = {
    "github": r"/repos/(?P<repository>[^/]+/[^/]+)/hooks(?:/(?P<id>\d+))?",
    "gitlab": r"/projects/(?P<repository>[^/]+)/hooks(?:/(?P<id>\d+))?",
    "gitea": r"/api/v1/repos/(?P<repository>[^/]+/[^/]+)/hooks(?:/(?P<id>\d+))?",
}
_ROUTES["forgejo"] = _ROUTES["gitea"]


class HookApi(ThreadingHTTPServer):
    """That of `forge` for the repository org/course. `answer` answers everything: status, text."""

    daemon_threads = True

    def __init__(self, forge: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.forge = forge
        self.hooks: dict[int, dict[str, Any]] = {}
        self.answer: tuple[int, str] | None = None
        self.requests: list[str] = []
        self.page_size = 50

    @property
    def base(self) -> str:
        version = "/api/v1" if self.forge in ("gitea", "forgejo") else ""
        return f"http://127.0.0.1:{self.server_port}{version}"

    @property
    def only(self) -> tuple[str, str]:
        """Where the only hook sends to, and its secret."""
        (hook,) = self.hooks.values()
        config = hook if self.forge == "gitlab" else hook["config"]
        return config["url"], config["token" if self.forge == "gitlab" else "secret"]

    def proven(self, headers: Any) -> bool:
        given = headers.get("Authorization")
        if self.forge == "gitlab":
            return bool(headers.get("PRIVATE-TOKEN") == TOKEN)
        return bool(given == f"{'Bearer' if self.forge == 'github' else 'token'} {TOKEN}")

    def fault(self, body: dict[str, Any]) -> str | None:
        """Why a hook is not made so."""
        if self.forge == "gitlab":
            fits = isinstance(body.get("url"), str) and body.get("push_events") is True
            return None if fits else '{"error": "url is missing"}'
        config = body.get("config", {})
        if config.get("content_type") != "json" or body.get("events") != ["push"]:
            return '{"message": "Validation Failed"}'
        if self.forge == "github":
            if body.get("name") != "web" or config.get("insecure_ssl") != "0":
                return '{"message": "Validation Failed"}'
        elif body.get("type") != self.forge:
            return '{"message": "Invalid hook type"}'
        return None

    def doubled(self, body: dict[str, Any]) -> str | None:
        """Why a further hook is not made: GitHub alone takes no second one with the same URL."""
        hooks = self.hooks.values() if self.forge == "github" else ()
        if any(hook["config"]["url"] == body["config"]["url"] for hook in hooks):
            said = "Hook already exists on this repository"
            return json.dumps({"message": "Validation Failed", "errors": [{"message": said}]})
        return None


@contextmanager
def hook_api(forge: str) -> Iterator[HookApi]:
    with HookApi(forge) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: HookApi

    def do_GET(self) -> None:
        if self._found():
            # What is listed has no secret: GitHub masks it, the others leave it out.
            shown = [_without_secret(hook) for hook in self.server.hooks.values()]
            query = dict(pair.split("=") for pair in self.path.partition("?")[2].split("&"))
            page, size = int(query["page"]) - 1, self.server.page_size
            self._send(200, json.dumps(shown[page * size : (page + 1) * size]))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._found():
            return
        fault = self.server.fault(body) or self.server.doubled(body)
        if fault is not None:
            self._send(422, fault)
            return
        number = len(self.server.requests)
        self.server.hooks[number] = {**body, "id": number}
        self._send(201, json.dumps(_without_secret(self.server.hooks[number])))

    def do_PATCH(self) -> None:
        self._change("PATCH")

    def do_PUT(self) -> None:
        self._change("PUT")

    def _change(self, method: str) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = self._found()
        if not found:
            return
        wanted = "PUT" if self.server.forge == "gitlab" else "PATCH"
        fault = self.server.fault(body)
        if method != wanted or fault is not None:
            self._send(422 if fault else 404, fault or '{"message": "Not Found"}')
            return
        number = int(found["id"])
        self.server.hooks[number] = {**body, "id": number}
        self._send(200, json.dumps(_without_secret(body)))

    def do_DELETE(self) -> None:
        found = self._found()
        if found:
            del self.server.hooks[int(found["id"])]
            self._send(204, "")

    def _found(self) -> re.Match[str] | None:
        server = self.server
        server.requests.append(f"{self.command} {self.path}")
        if server.answer is not None:
            self._send(*server.answer)
            return None
        if not server.proven(self.headers):
            self._send(401, '{"message": "Bad credentials"}')
            return None
        found = re.fullmatch(_ROUTES[server.forge], self.path.partition("?")[0])
        if found is None or unquote(found["repository"]) != "org/course":
            self._send(404, '{"message": "Not Found"}')
            return None
        return found

    def _send(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Say nothing."""


def _without_secret(hook: dict[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in hook.items() if key != "token"}
    if "config" in shown:
        shown["config"] = {k: v for k, v in shown["config"].items() if k != "secret"}
    return shown
