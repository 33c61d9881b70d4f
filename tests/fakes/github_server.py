"""A GitHub with one App: its REST API below /api/v3, as an Enterprise Server has it, and git.

It knows what gitreload asks, and refuses as the real one: pages as in gitreload.github_api,
github_app and github_hooks.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from fakes.git_http import GitHandler, GitServer, serving

APP_ID = "4711"
INSTALLATION = 99
PERSONAL = "ghp_OfSomebodyWhoOwnsAll"


@dataclass
class Delivery:
    """One that GitHub made. `status` and `status_code` tell how it ended."""

    id: int
    guid: str
    delivered_at: str
    status_code: int
    status: str
    event: str = "push"
    redelivery: bool = False
    action: str | None = None
    duration: float = 0.1
    installation_id: int | None = None
    repository_id: int = 1
    throttled_at: str | None = None
    request: dict[str, Any] = field(default_factory=dict)
    """What only its own page has."""


@dataclass
class Hook:
    config: dict[str, Any]
    active: bool = True
    events: list[str] = field(default_factory=lambda: ["push"])
    last_response: dict[str, Any] = field(
        default_factory=lambda: {"code": None, "status": "unused", "message": None}
    )
    deliveries: list[Delivery] = field(default_factory=list)

    def deliver(self, guid: str, status: int, ago: float, event: str = "push") -> Delivery:
        """One that was made `ago` seconds before now, and answered by `status`; 0 is by nobody."""
        at = datetime.fromtimestamp(time.time() - ago, UTC)
        made = Delivery(
            id=1000 + len(self.deliveries),
            guid=guid,
            delivered_at=at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            status_code=status or 502,
            status="OK"
            if 200 <= status < 300
            else f"Invalid HTTP Response: {status}"
            if status
            else "failed to connect to host",
            event=event,
        )
        self.deliveries.append(made)
        return made

    def asked(self) -> list[str]:
        """What was delivered again, by its guid."""
        return [each.guid for each in self.deliveries if each.redelivery]


class GitHub(GitServer):
    """Has the repositories in `folder`; the App is installed at `installed`, where it `may`.

    `answer` answers all requests to the API: status, header fields, text. `moved` are paths that
    lead to other addresses. `again` is what those
    answer that get a delivery again. `requests` are all that came to the API.
    """

    def __init__(self, folder: Path, key: RSAPrivateKey) -> None:
        super().__init__(folder, _Handler)
        self.public_key = key.public_key()
        self.installed = {"org/course"}
        self.may = {"contents": "read", "repository_hooks": "write", "metadata": "read"}
        self.suspended = False
        self.lifetime = 3600.0
        self.given: dict[str, tuple[str, dict[str, str]]] = {}
        self.hooks: dict[str, dict[int, Hook]] = {"org/course": {}}
        self.app_hook = Hook({"url": "", "content_type": "json", "insecure_ssl": "0"})
        self.answer: tuple[int, dict[str, str], str] | None = None
        self.moved: dict[str, str] = {}
        self.again = 200
        self.requests: list[str] = []
        self.unchanged = 0
        self.per_page = 100

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api/v3"


@contextmanager
def github(folder: Path, key: RSAPrivateKey) -> Iterator[GitHub]:
    with serving(GitHub(folder, key)) as server:
        yield server


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message


class _Handler(GitHandler):
    server: GitHub

    def _answer(self, location: str | None, body: bytes) -> None:
        if not self.path.startswith("/api/v3/"):
            self._serve_git(location, body)
            return
        server = self.server
        path, _, query = self.path.removeprefix("/api/v3").partition("?")
        server.requests.append(f"{self.command} {path}")
        if server.answer is not None:
            status, fields, text = server.answer
            self._send(status, text, fields)
            return
        if path in server.moved:
            self._send(301, "{}", {"Location": server.moved[path]})
            return
        try:
            status, found, fields = self._route(path, dict(_pairs(query)), body)
        except _RefusedError as refused:
            self._send(refused.status, json.dumps({"message": refused.message}), {})
            return
        text = json.dumps(found)
        etag = f'W/"{hashlib.sha256(text.encode()).hexdigest()}"'
        if self.command == "GET" and self.headers.get("If-None-Match") == etag:
            server.unchanged += 1
            self._send(304, "", {"ETag": etag})
        else:
            self._send(status, text, {"ETag": etag, **fields})

    def _serve_git(self, location: str | None, body: bytes) -> None:
        """Only with a token that may read that repository."""
        scheme, _, given = (self.headers.get("Authorization") or "").partition(" ")
        token = base64.b64decode(given).decode().partition(":")[2] if scheme == "Basic" else ""
        name = self.path.lstrip("/").partition(".git")[0]
        repository, permissions = self.server.given.get(token, ("", {}))
        if repository == name and "contents" in permissions:
            super()._answer(location, body)
        else:
            fields = {"WWW-Authenticate": 'Basic realm="GitHub"', "Content-Type": "text/plain"}
            self._send(401, f"you sent {token}", fields)

    def _route(
        self, path: str, query: dict[str, str], body: bytes
    ) -> tuple[int, object, dict[str, str]]:
        server = self.server
        if found := re.fullmatch(r"/repos/([^/]+/[^/]+)/installation", path):
            self._check_app()
            if found[1] not in server.installed:
                raise _RefusedError(404, "Not Found")
            return 200, {"id": INSTALLATION, "app_id": int(APP_ID)}, {}
        if found := re.fullmatch(r"/app/installations/(\d+)/access_tokens", path):
            return 201, self._new_token(int(found[1]), json.loads(body)), {}
        if path == "/app/hook/config":
            self._check_app()
            return 200, server.app_hook.config, {}
        if found := re.fullmatch(r"/app/hook/(deliveries.*)", path):
            self._check_app()
            return self._deliveries(server.app_hook, found[1], query)
        if found := re.fullmatch(r"/repos/([^/]+/[^/]+)/hooks(?:/(\d+)/(deliveries.*))?", path):
            hooks = self._hooks(found[1])
            if found[2]:
                return self._deliveries(hooks[int(found[2])], found[3], query)
            listed = [
                {"id": number, "name": "web", **_without(asdict(hook), "deliveries")}
                for number, hook in hooks.items()
            ]
            return 200, listed, {}
        raise _RefusedError(404, "Not Found")

    def _check_app(self) -> None:
        """https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app"""
        token = self._bearer()
        try:
            signed, _, signature = token.rpartition(".")
            header, claims = (json.loads(_unpack(part)) for part in signed.split("."))
            self.server.public_key.verify(_unpack(signature), signed.encode(), PKCS1v15(), SHA256())
        except (ValueError, InvalidSignature):
            raise _RefusedError(401, "A JSON web token could not be decoded") from None
        if header != {"alg": "RS256", "typ": "JWT"} or claims["exp"] > time.time() + 600:
            raise _RefusedError(401, "'Expiration time' claim ('exp') is too far in the future")
        if claims["iat"] > time.time() or claims["exp"] < time.time():
            raise _RefusedError(401, "'Issued at' claim ('iat') must be in the past")
        if claims["iss"] != APP_ID:
            raise _RefusedError(404, "Integration not found")

    def _new_token(self, installation: int, wish: dict[str, Any]) -> dict[str, Any]:
        self._check_app()
        server = self.server
        if installation != INSTALLATION:
            raise _RefusedError(404, "Not Found")
        if server.suspended:
            raise _RefusedError(403, "This installation has been suspended")
        (name,) = wish["repositories"]
        repository = next((each for each in server.installed if each.endswith(f"/{name}")), None)
        if repository is None:
            raise _RefusedError(
                422,
                "There is at least one repository that does not exist or is not accessible to the "
                "parent installation.",
            )
        if any(server.may.get(name) != level for name, level in wish["permissions"].items()):
            raise _RefusedError(
                422, "The permissions requested are not granted to this installation."
            )
        token = f"ghs_{len(server.given)}OfTheInstallation"
        server.given[token] = (repository, wish["permissions"])
        expires = datetime.fromtimestamp(time.time() + server.lifetime, UTC)
        return {"token": token, "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _hooks(self, repository: str) -> dict[int, Hook]:
        token = self._bearer()
        of, permissions = self.server.given.get(token, (None, {}))
        if of is None and token != PERSONAL:
            raise _RefusedError(401, "Bad credentials")
        if of is not None and (of != repository or "repository_hooks" not in permissions):
            raise _RefusedError(403, "Resource not accessible by integration")
        if repository not in self.server.hooks:
            raise _RefusedError(404, "Not Found")
        return self.server.hooks[repository]

    def _deliveries(
        self, hook: Hook, path: str, query: dict[str, str]
    ) -> tuple[int, object, dict[str, str]]:
        if found := re.fullmatch(r"deliveries/(\d+)/attempts", path):
            asked = self._delivery(hook, int(found[1]))
            hook.deliver(asked.guid, self.server.again, 0, asked.event).redelivery = True
            return 202, {}, {}
        if found := re.fullmatch(r"deliveries/(\d+)", path):
            return 200, asdict(self._delivery(hook, int(found[1]))), {}
        newest = sorted(hook.deliveries, key=lambda each: -each.id)
        if "cursor" in query:
            newest = [each for each in newest if each.id < int(query["cursor"])]
        size = min(int(query.get("per_page", 30)), self.server.per_page)
        fields = {}
        if len(newest) > size:
            address = f"{self.server.base}{self.path.removeprefix('/api/v3').partition('?')[0]}"
            following = f"{address}?per_page={size}&cursor={newest[size - 1].id}"
            fields["Link"] = f'<{following}>; rel="next"'
        return 200, [_without(asdict(each), "request") for each in newest[:size]], fields

    def _delivery(self, hook: Hook, number: int) -> Delivery:
        for each in hook.deliveries:
            if each.id == number:
                return each
        raise _RefusedError(404, "Not Found")

    def _bearer(self) -> str:
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        if scheme != "Bearer":
            raise _RefusedError(401, "Requires authentication")
        return token

    def _send(self, status: int, text: str, fields: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


def _pairs(query: str) -> list[tuple[str, str]]:
    return [(pair.split("=")[0], pair.split("=")[1]) for pair in query.split("&") if pair]


def _unpack(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _without(values: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != key}
