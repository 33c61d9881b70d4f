"""Other servers, over real sockets: what they answer, and what they cannot make us do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gitreload import http_client
from gitreload.http_client import HttpClient
from gitreload.model import PermanentError, TransientError

Handle = Callable[[BaseHTTPRequestHandler], object]


@contextmanager
def server(handle: Handle) -> Iterator[str]:
    """The URL of one that answers everything by `handle`."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.close_connection = True
            self.raw_requestline = self.rfile.readline()
            if self.raw_requestline and self.parse_request():
                handle(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


def says(status: int, body: bytes, **fields: str) -> Handle:
    def handle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {**fields, "Content-Length": str(len(body))}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return handle


def test_an_answer_is_told_as_it_came() -> None:
    link = '<https://a.example/?page=2>; rel="next"'
    with server(says(404, b'{"a": 1}', ETag="x", Link=link)) as url, HttpClient("it") as client:
        answer = client.ask("GET", url)
    assert (answer.status, answer.ok, answer.json()) == (404, False, {"a": 1})
    assert (answer.headers["etag"], answer.next) == ("x", "https://a.example/?page=2")


def test_an_empty_answer_is_no_json_and_no_fault() -> None:
    with server(says(204, b"")) as url, HttpClient("it") as client:
        assert client.ask("DELETE", url).json() is None


@pytest.mark.parametrize("body", [b"<html>", b"[" * 200_000, b"\xff"])
def test_what_is_no_json_is_a_value_error(body: bytes) -> None:
    with server(says(200, body)) as url, HttpClient("it") as client:
        answer = client.ask("GET", url)
    with pytest.raises(ValueError):
        answer.json()


def test_what_it_says_is_short_on_one_line_and_without_secrets() -> None:
    said = f"first\nthe-secret \x1b[31m{'x' * 1000}".encode()
    with server(says(400, said)) as url, HttpClient("it") as client:
        answer = client.ask("GET", url)
    assert answer.said(["the-secret", ""]).startswith(r"first\n*** \x1b[31mxxx")
    assert len(answer.said()) < 250


def test_a_streamed_body_has_the_length_that_was_named() -> None:
    def handle(request: BaseHTTPRequestHandler) -> None:
        says(200, request.rfile.read(int(request.headers["Content-Length"])))(request)

    with server(handle) as url, HttpClient("it") as client:
        answer = client.ask(
            "POST", url, content=iter([b"ab", b"cd"]), headers={"Content-Length": "4"}
        )
    assert answer.content == b"abcd"


@pytest.mark.parametrize("follow", [True, False])
def test_a_redirect_takes_no_authorization_to_another_origin(follow: bool) -> None:
    came: list[str | None] = []

    def elsewhere(request: BaseHTTPRequestHandler) -> None:
        came.append(request.headers["Authorization"])
        says(200, b"")(request)

    with (
        server(elsewhere) as other,
        server(says(307, b"", Location=other)) as url,
        HttpClient("it", follow_redirects=follow) as client,
    ):
        answer = client.ask("GET", url, headers={"Authorization": "Bearer the-secret"})
    assert (came, answer.status) == (([None], 200) if follow else ([], 307))


def test_too_much_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "MOST_BYTES", 1000)
    with (
        server(says(200, b"x" * 2000)) as url,
        HttpClient("GitHub") as client,
        pytest.raises(PermanentError, match=r"sends more than 0 MiB: is that GitHub\?"),
    ):
        client.ask("GET", url)


def test_what_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "WHOLE_SECONDS", 0.2)
    given_up = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not given_up.wait(0.01):
            request.wfile.write(b" ")

    with server(drip) as url, HttpClient("it") as client:
        with pytest.raises(TransientError, match="it is too slow at"):
            client.ask("GET", url)
        given_up.set()


def test_who_says_nothing_is_not_waited_for() -> None:
    given_up = threading.Event()
    with server(lambda _: given_up.wait()) as url, HttpClient("it") as client:
        with pytest.raises(TransientError, match=r"it cannot be reached at .+: ReadTimeout"):
            client.ask("GET", url, seconds=0.1)
        given_up.set()


@pytest.mark.parametrize(
    ("url", "why"), [("http://127.0.0.1:1/", "ConnectError"), ("http://a.example:port/", "Invalid")]
)
def test_who_is_not_there_is_told(url: str, why: str) -> None:
    with HttpClient("it") as client, pytest.raises(TransientError, match=f"reached at .+: {why}"):
        client.ask("GET", url)
