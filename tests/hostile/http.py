"""Attacks on HTTP itself: lengths, framing, heads, methods and addresses."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator

from hostile.cases import (
    JSON,
    Case,
    Place,
    bare,
    encoded,
    github,
    hmac_hex,
    push,
    request,
)

MIB = 1024 * 1024
PUSH = encoded(push())
RIGHT = f"sha256={hmac_hex(PUSH)}"
HEAD = (
    "POST /update HTTP/1.1",
    "Host: x",
    "X-GitHub-Event: push",
    f"Content-Type: {JSON}",
    f"X-Hub-Signature-256: {RIGHT}",
)
LENGTH = f"Content-Length: {len(PUSH)}"
CHUNK = b"%x\r\n%s\r\n" % (len(PUSH), PUSH)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def hook(
    name: str,
    build: Callable[[], bytes | Iterable[bytes]],
    status: int,
    says: str = "",
    *jobs: str,
) -> Case:
    """Answered by a hook."""
    return Case(name, lambda _: _pieces(build()), (status,), says, frozenset(jobs))


def broken(name: str, build: Callable[[], bytes | Iterable[bytes]], *statuses: int) -> Case:
    """Answered before any route is reached, or by another one."""
    return Case(name, lambda _: _pieces(build()), statuses or (400,), plain=True)


def _pieces(built: bytes | Iterable[bytes]) -> Iterable[bytes]:
    return [built] if isinstance(built, bytes) else built


def framed(*lines: str, body: bytes = PUSH, head: tuple[str, ...] = HEAD) -> bytes:
    """A genuine push with these lines in its head, and the connection's end."""
    return bare(*head, *lines, "Connection: close", body=body)


def endless(piece: bytes, times: int, *head: str) -> Iterator[bytes]:
    yield bare(*HEAD, *head)
    for _ in range(times):
        yield piece


def chunked_gigabyte() -> Iterator[bytes]:
    return endless(b"100000\r\n" + bytes(MIB) + b"\r\n", 1024, "Transfer-Encoding: chunked")


def many_fields() -> Iterator[bytes]:
    yield bare(*HEAD, LENGTH, "Connection: close")[:-2]
    for number in range(100):
        yield b"".join(b"X-%d: 1\r\n" % (number * 1000 + each) for each in range(1000))
    yield b"\r\n" + PUSH


def trailing() -> Iterator[bytes]:
    yield framed("Transfer-Encoding: chunked", body=CHUNK + b"0\r\nX-Long: ")
    yield from (b"a" * 1000 for _ in range(1000))


def compressed(body: bytes, coding: str) -> bytes:
    fields = [("Content-Encoding", coding)]
    return github(body, more=fields)


def bomb() -> bytes:
    """What is small, and 64 MiB when it is unpacked."""
    return gzip.compress(bytes(64 * MIB), compresslevel=1)


def then_health(first: bytes) -> bytes:
    """Two requests on one connection: the second tells where the first is thought to end."""
    return first + HEALTH


def method(name: str, verb: str, status: int = 405, *more: tuple[str, str]) -> Case:
    fields = [("Content-Type", JSON), ("X-GitHub-Event", "push"), ("X-Hub-Signature-256", RIGHT)]
    built = request([*fields, *more], PUSH, method=verb)
    case = hook if status == 405 and verb != "HEAD" else broken
    return case(name, lambda: built, status)


def address(name: str, path: str | bytes, status: int = 404) -> Case:
    """A way of writing the address that must not reach a hook, or must not matter to it."""
    if status == 404:
        return broken(name, lambda: github(PUSH, path=path), status)
    return hook(name, lambda: github(PUSH, path=path), status, "update of course", "course")


LENGTHS = (
    hook(
        "a gigabyte, as announced",
        lambda: endless(bytes(MIB), 1024, f"Content-Length: {1024 * MIB}"),
        413,
        "25 MiB",
    ),
    hook("a gigabyte in chunks, without a word before", chunked_gigabyte, 413, "25 MiB"),
    hook(
        "25 MiB and a byte, announced and waited for",
        lambda: bare(*HEAD, f"Content-Length: {25 * MIB + 1}", "Expect: 100-continue"),
        413,
        "25 MiB",
    ),
    hook(
        "25 MiB, unsigned",
        lambda: request([("X-GitHub-Event", "push")], bytes(25 * MIB)),
        401,
        "missing",
    ),
    broken("a length that needs more than 64 bits", lambda: framed("Content-Length: " + "9" * 30)),
    hook(
        "a length of 5,000 digits",
        lambda: framed("Content-Length: " + "0" * 4990 + "9" * 10),
        413,
        "25 MiB",
    ),
    broken("a negative length", lambda: framed("Content-Length: -1")),
    broken("a length with a sign", lambda: framed(f"Content-Length: +{len(PUSH)}")),
    broken("a length in hex", lambda: framed(f"Content-Length: {len(PUSH):#x}")),
    broken("two lengths", lambda: framed(LENGTH, "Content-Length: 5")),
    broken("two lengths in one field", lambda: framed(f"Content-Length: {len(PUSH)}, 5")),
    broken("no length, and a body all the same", lambda: framed() + HEALTH, 401),
    broken(
        "a length that is too short: the rest is no request",
        lambda: bare(*HEAD, "Content-Length: 5", body=PUSH),
        400,
    ),
    broken("a chunk of 16 digits", lambda: framed("Transfer-Encoding: chunked", body=b"F" * 17)),
    broken("a negative chunk", lambda: framed("Transfer-Encoding: chunked", body=b"-1\r\n\r\n")),
    broken(
        "a chunk in another base", lambda: framed("Transfer-Encoding: chunked", body=b"0x5\r\n")
    ),
    hook(
        "a chunk for each byte",
        lambda: framed(
            "Transfer-Encoding: chunked",
            body=b"".join(b"1\r\n%c\r\n" % byte for byte in PUSH) + b"0\r\n\r\n",
        ),
        200,
        "update of course",
        "course",
    ),
    broken(
        "a megabyte of extensions of a chunk",
        lambda: framed(
            "Transfer-Encoding: chunked",
            body=CHUNK.replace(b"\r\n", b";" + b"x" * MIB + b"\r\n", 1) + b"0\r\n\r\n",
        ),
        431,
    ),
    broken(
        "a trailer that goes on and on",
        trailing,
        431,
    ),
    broken(
        "a signature behind the body",
        lambda: framed(
            "Transfer-Encoding: chunked",
            body=CHUNK + f"0\r\nX-Hub-Signature-256: {RIGHT}\r\n\r\n".encode(),
            head=HEAD[:-1],
        ),
        401,
    ),
)

FRAMING = (
    broken(
        "a request within a body, by length and chunks at once",
        lambda: then_health(
            bare(*HEAD, LENGTH, "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + PUSH)
        ),
        400,
    ),
    broken(
        "a request within a body, by chunks and length at once",
        lambda: then_health(
            bare(*HEAD, "Transfer-Encoding: chunked", "Content-Length: 4", body=CHUNK)
        ),
        400,
    ),
    broken("two transfer codings", lambda: framed("Transfer-Encoding: chunked, identity")),
    broken("an unknown transfer coding", lambda: framed("Transfer-Encoding: xchunked")),
    broken("a space before the colon", lambda: framed(f"Content-Length : {len(PUSH)}")),
    broken("a field that is folded", lambda: framed(LENGTH, "X-Folded: a", " b")),
    broken("a field without a name", lambda: framed(LENGTH, ": empty")),
    broken("NUL in a field", lambda: framed(LENGTH, "X-Nul: \x00")),
    broken("a bare line feed in a field", lambda: framed(LENGTH, "X-Line: a\nX-Next: b")),
    Case(
        "fifty requests at once",
        lambda _: [github(PUSH, event="ping", last=False) * 49 + github(PUSH, event="ping")],
        (200,) * 50,
        "pong",
    ),
    broken("100,000 fields", many_fields, 431),
    broken(
        "a field of a megabyte",
        lambda: framed(LENGTH, "X-Long: " + "a" * MIB),
        431,
    ),
    broken(
        "an address of a megabyte", lambda: request(path="/update?" + "a" * MIB, method="POST"), 431
    ),
    broken(
        "HTTP 0.9, without fields that would tell of a proxy", lambda: b"GET /queue\r\n\r\n", 200
    ),
    broken("HTTP 2 without asking", lambda: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    broken("TLS", lambda: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64)),
    broken("no HTTP at all", lambda: b"() { :;}; touch PWNED\r\n\r\n"),
    broken("a method that is no word", lambda: b"\x00\x00 / HTTP/1.1\r\n\r\n"),
    broken("a line end in the method's place", lambda: b"\r\n" * 1000 + b" / HTTP/1.1\r\n\r\n"),
    hook(
        "a wish to go on with WebSocket, after which a body is none",
        lambda: framed(LENGTH, "Upgrade: websocket", "Connection: Upgrade"),
        401,
        "another secret",
    ),
    hook(
        "a wish to go on with HTTP 2",
        lambda: framed(LENGTH, "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
        200,
        "update of course",
        "course",
    ),
    hook(
        "HTTP 1.0 without a host",
        lambda: framed(LENGTH, head=("POST /update HTTP/1.0", *HEAD[2:])),
        200,
        "update of course",
        "course",
    ),
)

CODINGS = (
    hook("a bomb of gzip", lambda: compressed(bomb(), "gzip"), 400, "not JSON"),
    hook(
        "a body in deflate, signed as sent",
        lambda: compressed(zlib.compress(PUSH), "deflate"),
        400,
        "not JSON",
    ),
    hook(
        "a plain body that is said to be packed",
        lambda: compressed(PUSH, "gzip"),
        200,
        "update of course",
        "course",
    ),
)

METHODS = (
    method("a push by PUT", "PUT"),
    method("a push by DELETE", "DELETE"),
    method("a push by PATCH", "PATCH"),
    method("a push by OPTIONS", "OPTIONS"),
    method("a push by HEAD", "HEAD"),
    method("a push by TRACE", "TRACE"),
    method("a push by GET", "GET"),
    method("a push by QUERY, which is no method yet", "QUERY"),
    method("a method in small letters", "post", 400),
    method("a GET that says that it is a POST", "GET", 405, ("X-HTTP-Method-Override", "POST")),
    broken(
        "GET with the payload in the address",
        lambda: request(method="GET", path="/update?payload=%7B%7D"),
        405,
    ),
    broken("a tunnel", lambda: bare("CONNECT example.org:443 HTTP/1.1", "Host: x")),
)

ADDRESSES = (
    address("two slashes", "//update"),
    address("a way back", "/queue/../update"),
    address("another case", "/UPDATE"),
    address("a parameter", "/update;forge=github"),
    address("NUL behind the route", "/update%00"),
    broken("a route that is no text", lambda: github(PUSH, path=b"/\xff\xfe")),
    address("a route in percent signs", "/%75pdate", 200),
    address("an address with a host", "http://evil.example/update", 200),
    address("a host with a password", "http://a:b@evil.example/update", 200),
    hook(
        "the environment of a proxy, in the address and in fields",
        lambda: github(
            PUSH,
            path="/update?http_proxy=http://127.0.0.1:9&GIT_SSH_COMMAND=touch+PWNED",
            more=[
                ("Proxy", "http://127.0.0.1:9"),
                ("LD-PRELOAD", "/tmp/evil.so"),
                ("GIT-SSH-COMMAND", "touch PWNED"),
                ("Gitreload-Repodir", "/etc"),
            ],
        ),
        200,
        "update of course",
        "course",
    ),
    hook(
        "another host, another address and another method by fields of proxies",
        lambda: github(
            PUSH,
            more=[
                ("X-Forwarded-Host", "evil.example"),
                ("X-Original-URL", "/"),
                ("X-Rewrite-URL", "/"),
                ("X-Forwarded-Prefix", "/evil"),
            ],
        ),
        200,
        "update of course",
        "course",
    ),
)


def _queue(_: Place) -> list[bytes]:
    return [request([("Host", "evil.example")], method="GET", path="/queue")]


OTHER_ROUTES = (
    Case("the queue under another host's name", _queue, (200,), plain=True),
    broken(
        "the start page with a line end",
        lambda: request(method="GET", path="/?a=%0d%0aSet-Cookie:x"),
        307,
    ),
    broken("a page of a framework", lambda: request(method="GET", path="/openapi.json"), 404),
    broken("a file of ours", lambda: request(method="GET", path="/..%2f..%2fetc/passwd"), 404),
)

CASES = (*LENGTHS, *FRAMING, *CODINGS, *METHODS, *ADDRESSES, *OTHER_ROUTES)
