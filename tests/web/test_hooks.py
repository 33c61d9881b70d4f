"""What a sender is answered, whatever it sends: always JSON, and 5xx only as "try again"."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fakes.forges import SECRET
from fakes.github import github_push, signed
from gitreload.config import ConfigError
from gitreload.ledger import Ledger, LedgerUnavailable
from gitreload.runtime import Runtime
from gitreload.web import bodies
from gitreload.web.answers import Rejected
from gitreload.web.application import build
from gitreload.web.bodies import BODY_LIMIT, Body
from helpers import Remote, counts, wait_until

from .conftest import ELSEWHERE, LOOPBACK, Site, a_chunk, on_a_socket

ROUTES = ["/", "/gitreload", "/update", "/gitreload/", "/update/"]
# Where edx-sysadmin takes deliveries.
OF_SYSADMIN = ["/sysadmin/api/gitreload", "/sysadmin/api/gitreload/"]
SECRETS_OWN_TEXT = SECRET.decode()


@pytest.fixture(autouse=True)
def nothing_stays_in_flight() -> Iterator[None]:
    yield
    assert Body.in_flight == 0


class TestForges:
    """Every route takes every forge; the address may say which one it has to be."""

    @pytest.mark.parametrize("query", ["", "?forge=github", "?x=1&forge=github"])
    def test_the_named_forge_is_heard(self, site: Site, remote: Remote, query: str) -> None:
        for route in ROUTES:
            assert site.push(remote.url, path=f"{route}{query}").status == 404, "genuine"

    @pytest.mark.parametrize("name", ["gitlab", "azure", "sourcehut"])
    def test_another_forge_than_the_named_one_is_not(
        self, site: Site, remote: Remote, name: str
    ) -> None:
        assert site.push(remote.url, path=f"/?forge={name}").outcome == (401, "refused")

    @pytest.mark.parametrize(
        "name", ["hub", "", "__init__", "github ", "git%68ub", "git\x7fhub", "é", "x" * 99]
    )
    def test_a_name_that_is_none_is_told(self, site: Site, remote: Remote, name: str) -> None:
        answer = site.push(remote.url, path=f"/?forge={name}")
        assert answer.outcome == (400, "refused")
        assert "expected one of forgejo, gitea" in answer.body["msg"]

    def test_a_push_of_another_forge(self, site: Site) -> None:
        project = {"git_http_url": "https://gitlab.example/org/course.git", "web_url": "x"}
        payload = {"object_kind": "push", "ref": "refs/heads/main", "project": project}
        headers = {
            "Content-Type": "application/json",
            "X-Gitlab-Event": "Push Hook",
            "X-Gitlab-Token": SECRET.decode(),
        }
        body = json.dumps(payload).encode()
        assert site.post(headers, body).outcome == (200, "ignored")  # GitLab disables after a 404
        wrong = headers | {"X-Gitlab-Token": "another secret"}
        answer = site.post(wrong, body)
        assert answer.outcome == (401, "refused")
        assert answer.headers["www-authenticate"] == 'Webhook-Secret realm="gitreload"'


class TestOrder:
    """405, 413, 401, 400, 503, 404: each request has the next fault as well."""

    @pytest.mark.parametrize("method", ["PUT", "HEAD", "OPTIONS", "DELETE", "BREW"])
    def test_only_post_delivers(self, unsigned: Site, remote: Remote, method: str) -> None:
        headers, body = signed(github_push(remote.url))
        headers["Content-Length"] = str(BODY_LIMIT + 1)
        for path in ROUTES:
            answer = unsigned.ask(method, path, headers, [a_chunk(body, more=False)])
            assert answer.outcome == (405, "refused")
            assert answer.headers["allow"] == "POST"
        assert unsigned.jobs() == []

    @pytest.mark.parametrize("size", [str(BODY_LIMIT + 1), "9" * 5000, "0" * 5000 + "99999999"])
    def test_a_large_announcement_is_refused_without_reading(self, site: Site, size: str) -> None:
        answer = site.ask("POST", "/", {"Content-Length": size}, [{"type": "must not be read"}])
        assert answer.outcome == (413, "refused")
        assert answer.headers["connection"] == "close"

    def test_a_large_body_is_refused_before_its_end(self, site: Site) -> None:
        chunk = a_chunk(bytes(BODY_LIMIT // 4 + 1), more=True)
        answer = site.ask("POST", "/", {}, [*[chunk] * 4, {"type": "must not be read"}])
        assert answer.outcome == (413, "refused")

    def test_a_body_of_the_greatest_size_is_read(self, site: Site) -> None:
        assert site.post({}, bytes(BODY_LIMIT)).status == 401

    def test_what_is_not_genuine_is_not_understood_first(self, site: Site) -> None:
        assert site.post({"X-GitHub-Event": "push"}, b"not JSON").outcome == (401, "refused")

    def test_what_is_malformed_is_refused_even_while_the_ledger_is_away(self, site: Site) -> None:
        site.runtime.receiver = None
        assert site.push("https://github.com/Org/other").outcome == (503, "refused")
        headers, body = signed({"ref": "no push"})
        assert site.post(headers, body).outcome == (400, "refused")

    def test_what_is_not_cloned_here_is_404_for_a_repository_hook_only(self, site: Site) -> None:
        headers, body = signed(github_push())
        assert site.post(headers, body).outcome == (404, "ignored")
        headers["X-GitHub-Hook-Installation-Target-Type"] = "organization"
        headers["X-GitHub-Delivery"] = "another"
        assert site.post(headers, body).outcome == (200, "ignored")


@pytest.mark.parametrize("announced", ["-1", "+5", "1_0", "٣", "", "0x10", "5, 5"])
def test_a_lying_length_changes_nothing(site: Site, announced: str) -> None:
    headers, body = signed(github_push(), event="ping")
    assert site.post(headers | {"Content-Length": announced}, body).outcome == (200, "pong")


def test_a_body_in_pieces_is_one_body(site: Site) -> None:
    headers, body = signed(github_push(), event="ping")
    pieces = [a_chunk(bytes([byte]), more=True) for byte in body]
    answer = site.ask("POST", "/", headers, [*pieces, a_chunk(b"", more=False)])
    assert answer.outcome == (200, "pong")


def test_a_large_body_is_checked_like_a_small_one(site: Site) -> None:
    payload = github_push(filling="x" * bodies.SMALL)
    headers, body = signed(payload, event="ping")
    assert site.post(headers, body).outcome == (200, "pong")
    assert site.post(headers, body + b" ").outcome == (401, "refused")


@pytest.mark.parametrize("before", [[], [a_chunk(b"{", more=True)]])
def test_a_sender_that_goes_away_leaves_nothing(
    unsigned: Site, before: list[dict[str, object]]
) -> None:
    answer = unsigned.ask("POST", "/", {}, [*before, {"type": "http.disconnect"}])
    assert answer.outcome == (400, "refused")
    assert counts(unsigned.ledger) == (0, 0)


def test_a_sender_that_never_ends_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.01)
    answer = site.ask("POST", "/", {}, [a_chunk(b"{", more=True)])
    assert answer.outcome == (400, "refused")
    assert answer.headers["connection"] == "close"


class TestBudget:
    """What is on its way is bounded, and a flood of it leaves room for genuine pushes."""

    LARGE = bytes(BODY_LIMIT - 1)

    @pytest.fixture
    def held(self) -> Iterator[Callable[[bytes, str], bool]]:
        """Begins a body that never ends; whether there was room for it."""
        begun: list[Body] = []

        def begin(piece: bytes, client: str) -> bool:
            body = Body(client)
            begun.append(body)
            try:
                return body.add(a_chunk(piece, more=True))
            except Rejected:
                begun.remove(body)
                body.release()
                return False

        yield begin
        for body in begun:
            body.release()

    def test_large_bodies_of_many_leave_room_for_pushes(
        self, site: Site, remote: Remote, held: Callable[[bytes, str], bool]
    ) -> None:
        sizes = [BODY_LIMIT] * 11 + [BODY_LIMIT >> halved for halved in range(16)]
        taken = [held(self.LARGE[:size], f"192.0.2.{number}") for number, size in enumerate(sizes)]
        assert not all(taken)
        answer = site.post({}, self.LARGE, peer=ELSEWHERE)
        assert answer.outcome == (503, "refused")
        assert int(answer.headers["retry-after"]) > 0
        assert site.ask("POST", "/", {"Content-Length": str(BODY_LIMIT)}).status == 503
        remote.clone(site.repodir / "course")
        assert site.push(remote.url).outcome == (200, "queued")

    def test_large_bodies_of_one_leave_room_for_those_of_others(
        self, site: Site, held: Callable[[bytes, str], bool]
    ) -> None:
        assert not all(held(self.LARGE, LOOPBACK) for _ in range(100))
        assert site.post({}, self.LARGE, peer=LOOPBACK).status == 503
        assert site.ask("POST", "/", {"Content-Length": str(BODY_LIMIT)}).status == 503
        assert site.post({}, self.LARGE, peer=ELSEWHERE).status == 401

    def test_small_bodies_that_do_not_end_leave_room_for_those_that_do(
        self, site: Site, remote: Remote, held: Callable[[bytes, str], bool]
    ) -> None:
        small = bytes(bodies.SMALL)
        assert not all(held(small, LOOPBACK) for _ in range(1000))
        assert site.ask("POST", "/", {}, [a_chunk(small, more=True)]).status == 503
        remote.clone(site.repodir / "course")
        assert site.push(remote.url).outcome == (200, "queued")


def test_a_busy_ledger_is_told_as_such(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise LedgerUnavailable("the disk is full: make room")

    monkeypatch.setattr(Ledger, "record", full)
    answer = site.push("https://github.com/Org/other")
    assert answer.outcome == (503, "refused")
    assert answer.body["msg"] == "the disk is full: make room"
    assert int(answer.headers["retry-after"]) > 0


def test_a_defect_of_ours_is_logged_and_the_sender_comes_again(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Ledger, "record", broken)
    answer = site.push("https://github.com/Org/other")
    assert answer.outcome == (503, "refused")
    assert int(answer.headers["retry-after"]) > 0
    assert "ZeroDivisionError" in caplog.text


def test_a_process_that_cannot_start_says_why(site: Site) -> None:
    def fails() -> Runtime:
        raise ConfigError("REPODIR is missing")

    site.app = build(fails)
    assert site.push("https://github.com/Org/other").outcome == (503, "refused")
    for path in ("/queue", "/readyz"):
        answer = site.ask("GET", path)
        assert (answer.status, answer.body["msg"]) == (503, "REPODIR is missing")


def test_a_start_that_takes_its_time_holds_up_nobody(site: Site) -> None:
    started_in: list[threading.Thread] = []

    def start() -> Runtime:
        started_in.append(threading.current_thread())
        return site.runtime

    site.app = build(start, begun=lambda: None)
    assert site.push("https://github.com/Org/other").outcome == (404, "ignored")
    assert threading.current_thread() not in started_in, "the event loop's"


def test_a_refusal_is_logged_without_the_secret_or_the_signature(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    headers, body = signed(github_push(), b"a secret that is another")
    headers["X-GitHub-Hook-ID"] = "4711"
    with caplog.at_level(logging.DEBUG):
        answer = site.post(headers, body)
    assert answer.outcome == (401, "refused")
    assert "github" in caplog.text
    assert "4711" in caplog.text
    for text in (SECRETS_OWN_TEXT, headers["X-Hub-Signature-256"].removeprefix("sha256=")):
        assert text not in caplog.text + answer.text
    assert counts(site.ledger) == (0, 0)


def test_a_secret_that_a_forge_sends_in_the_body_is_not_stored(site: Site, remote: Remote) -> None:
    remote.clone(site.repodir / "course")
    payload = github_push(remote.url) | {"secret": SECRETS_OWN_TEXT}
    headers = {"Content-Type": "application/json", "X-Gogs-Event": "push"}
    assert site.post(headers, json.dumps(payload).encode()).outcome == (200, "queued")
    with closing(sqlite3.connect(site.state_dir / "ledger.sqlite3")) as ledger:
        [[packed]] = ledger.execute("SELECT data FROM bodies").fetchall()
    stored = json.loads(zlib.decompress(packed))
    assert stored == payload | {"secret": "********"}


class TestUnsigned:
    """Without a secret only this machine is served, decided anew for each request."""

    @pytest.mark.parametrize("peer", [LOOPBACK, "::1", "::ffff:127.0.0.1", None, "/run/gr.sock"])
    def test_peers_of_this_machine_are_served(
        self, unsigned: Site, remote: Remote, peer: str | None
    ) -> None:
        assert unsigned.push(remote.url, None, peer=peer).outcome == (200, "queued")

    @pytest.mark.parametrize("peer", [ELSEWHERE, "2001:db8::1", "::ffff:10.0.0.1", "testclient"])
    def test_others_are_not(self, unsigned: Site, remote: Remote, peer: str) -> None:
        assert unsigned.push(remote.url, None).status == 200
        assert unsigned.push(remote.url, SECRET, peer=peer).outcome == (401, "refused")
        assert unsigned.push(remote.url, None).status == 200

    def test_allow_unsigned_serves_all(
        self, tmp_path: Path, empty_ledger: Path, remote: Remote
    ) -> None:
        site = Site(tmp_path, empty_ledger, WEBHOOK_SECRETS=[], ALLOW_UNSIGNED=True)
        remote.clone(site.repodir / "course")
        assert site.push(remote.url, None, peer=ELSEWHERE).outcome == (200, "queued")
        site.close()

    def test_a_secret_is_asked_of_this_machine_too(self, site: Site) -> None:
        assert site.push("https://github.com/Org/course", None).outcome == (401, "refused")


def test_each_route_has_its_action(unsigned: Site, remote: Remote) -> None:
    actions = ["import", "import", "update", "import", "update"]
    for path, action in zip([*ROUTES, *OF_SYSADMIN], [*actions, "import", "import"], strict=True):
        answer = unsigned.push(remote.url, None, path=path)
        assert answer.body["msg"].startswith((action, f"queued {action}"))


@pytest.fixture
def port(site: Site) -> Iterator[int]:
    """The site on a real socket."""
    with on_a_socket(site.app) as port:
        yield port


class TestSocket:
    def exchange(self, port: int, request: bytes) -> tuple[int, dict[str, object]]:
        with socket.create_connection((LOOPBACK, port), timeout=30) as connection:
            connection.sendall(request)
            response = http.client.HTTPResponse(connection)
            response.begin()
            return response.status, json.loads(response.read())

    def test_a_large_announcement_is_answered_at_once(self, port: int) -> None:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (BODY_LIMIT + 1)
        status, body = self.exchange(port, head)
        assert (status, body["outcome"]) == (413, "refused")

    def test_a_body_without_an_announced_length_is_read(self, port: int) -> None:
        headers, body = signed(github_push(), event="ping")
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + lines + b"\r\n"
        status, answer = self.exchange(port, head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        assert (status, answer["outcome"]) == (200, "pong")

    @pytest.mark.parametrize("begun", [b"", b"{"])
    def test_a_body_that_does_not_come_is_not_waited_for(
        self, port: int, monkeypatch: pytest.MonkeyPatch, begun: bytes
    ) -> None:
        monkeypatch.setattr(bodies, "BODY_SECONDS", 0.1)
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        status, answer = self.exchange(port, head + begun)
        assert (status, answer["outcome"]) == (400, "refused")

    def test_a_sender_that_goes_away_is_forgotten(self, port: int) -> None:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
        with socket.create_connection((LOOPBACK, port)) as connection:
            connection.sendall(head)
            wait_until(lambda: Body.in_flight == 1)
        wait_until(lambda: Body.in_flight == 0)
