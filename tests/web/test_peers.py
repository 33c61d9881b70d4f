"""Who may read the queue, and the token that lets others."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from fakes.github import github_push, signed
from gitreload.ledger import LedgerUnavailable
from gitreload.tokens import read_token
from gitreload.web.gathering import GatheringProtocol
from helpers import Remote, wait_until

from .conftest import ELSEWHERE, LOOPBACK, Site


def bearer(token: bytes) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.decode()}"}


class TestQueue:
    def test_this_machine_may_read(self, site: Site) -> None:
        assert site.ask("GET", "/queue").body == {"queue_length": 0, "queue": []}
        assert site.ask("GET", "/queue", peer=None).status == 200

    @pytest.mark.parametrize("page", ["/queue", "/healthz", "/readyz"])
    def test_the_head_alone_is_given_too(self, site: Site, page: str) -> None:
        whole, head = site.ask("GET", page), site.ask("HEAD", page)
        assert (head.status, head.headers) == (whole.status, whole.headers)

    def test_where_no_token_is_needed_none_is_read(self, site: Site) -> None:
        site.ask("GET", "/queue")
        site.ask("GET", "/queue", peer=ELSEWHERE)
        assert not (site.state_dir / "token").exists()

    @pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "x-forwarded-FOR"])
    def test_who_comes_through_a_proxy_is_not_of_this_machine(self, site: Site, name: str) -> None:
        assert site.ask("GET", "/queue", {name: "127.0.0.1"}).status == 401

    def test_others_need_the_token(self, site: Site) -> None:
        token = read_token(site.state_dir)
        assert site.ask("GET", "/queue", bearer(token), peer=ELSEWHERE).status == 200
        answer = site.ask("GET", "/queue", peer=ELSEWHERE)
        assert answer.outcome == (401, "refused")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert token.decode() not in answer.text

    @pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic {}", "{}"])
    def test_what_is_not_the_token_does_not_do(self, site: Site, value: str) -> None:
        headers = {"Authorization": value.format(read_token(site.state_dir).decode())}
        assert site.ask("GET", "/queue", headers, peer=ELSEWHERE).status == 401

    @pytest.mark.parametrize("value", ["", "Bearer", "Bearer "])
    def test_an_empty_token_file_lets_nobody_in(self, site: Site, value: str) -> None:
        (site.state_dir / "token").touch()
        headers = {"Authorization": value}
        assert site.ask("GET", "/queue", headers, peer=ELSEWHERE).status == 401

    def test_queue_public_lets_all_read(self, tmp_path: Path, empty_ledger: Path) -> None:
        site = Site(tmp_path, empty_ledger, QUEUE_PUBLIC=True)
        assert site.ask("GET", "/queue", peer=ELSEWHERE).status == 200
        site.close()

    def test_without_a_secret_the_server_in_front_decides(
        self, unsigned: Site, remote: Remote
    ) -> None:
        unsigned.push(remote.url, None)
        answer = unsigned.ask("GET", "/queue", {"X-Forwarded-For": "1.2.3.4"}, peer=ELSEWHERE)
        [shown] = answer.body["queue"]
        assert (shown["repo_name"], shown["action"]) == ("course", "COURSE_IMPORT")

    def test_a_token_that_cannot_be_read_keeps_others_out(
        self, site: Site, caplog: pytest.LogCaptureFixture
    ) -> None:
        (site.state_dir / "token").symlink_to("/nowhere/token")
        assert site.ask("GET", "/queue", bearer(b"guess"), peer=ELSEWHERE).status == 401
        assert str(site.state_dir / "token") in caplog.text
        assert site.ask("GET", "/queue").status == 200


class TestReady:
    def test_a_ledger_that_is_away_is_told(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away() -> None:
            raise LedgerUnavailable("the disk is full")

        monkeypatch.setattr(site.runtime, "ready", away)
        answer = site.ask("GET", "/readyz")
        assert (answer.status, answer.body["msg"]) == (503, "the disk is full")
        assert int(answer.headers["retry-after"]) > 0
        assert site.ask("GET", "/healthz").status == 200

    def test_a_ledger_that_is_not_open_yet_is_told(self, site: Site) -> None:
        site.runtime.ledger = None
        for path in ("/readyz", "/queue"):
            answer = site.ask("GET", path)
            assert (answer.status, answer.body["status"]) == (503, "unavailable")


@pytest.mark.parametrize("protocol", ["h11", "httptools", GatheringProtocol])
def test_who_cannot_be_told_is_not_of_this_machine(
    unsigned: Site, remote: Remote, protocol: Any
) -> None:
    """A connection that was reset before it was accepted has no peer, but what it sent is read."""
    accepting = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "PUT":
            blocked.set()
            accepting.wait(30)  # holds up the server as a busy one is
        await unsigned.app(scope, receive, send)

    blocked = threading.Event()
    listener = socket.create_server((LOOPBACK, 0))
    config = uvicorn.Config(app, lifespan="off", log_config=None, http=protocol)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        wait_until(lambda: server.started)
        with socket.create_connection(listener.getsockname()) as other:
            other.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert blocked.wait(30)
            sender = socket.create_connection(listener.getsockname())
            sender.sendall(_request(*signed(github_push(remote.url), None)))
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sender.close()
            accepting.set()
            wait_until(lambda: unsigned.runtime.refusals.counts)
    finally:
        accepting.set()
        server.should_exit = True
        thread.join()
        listener.close()
    assert unsigned.runtime.refusals.counts == {"no secret configured": 1}
    assert unsigned.jobs() == []


def _request(headers: Mapping[str, str], body: bytes) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
    return head.encode() + body


def test_the_start_page_leads_to_the_queue(site: Site) -> None:
    answer = site.ask("GET", "/")
    assert (answer.status, answer.headers["location"]) == (307, "/queue")
