"""Attacks on who may send, from where, and for which repository.

The server that they meet takes deliveries from 192.0.2.0/24 alone, as told by a proxy on this
machine; `ada` has a password; `other` has a secret of its own; `staging` hears only GitLab.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from hostile.cases import (
    COURSE,
    JSON,
    OTHER_SECRET,
    PASSWORD,
    SECRET,
    Case,
    Fields,
    Place,
    encoded,
    github,
    hmac_hex,
    push,
    request,
)

OTHER = "https://github.com/Org/other"
ALLOWED = ("X-Forwarded-For", "192.0.2.7")
PUSH = encoded(push())
AZURE = encoded(
    {
        "eventType": "git.push",
        "id": "1",
        "resource": {
            "refUpdates": [{"name": "refs/heads/main"}],
            "repository": {"remoteUrl": COURSE},
        },
    }
)
GITLAB = {"object_kind": "push", "ref": "refs/heads/main", "project": {"git_http_url": COURSE}}


def from_where(name: str, status: int, *fields: tuple[str, str]) -> Case:
    """A genuine push that came in this way."""
    says, jobs = ("ALLOW_FROM", frozenset[str]()) if status == 401 else ("update of", COURSE_ONLY)
    return Case(name, lambda _: [github(PUSH, more=fields)], (status,), says, jobs)


COURSE_ONLY = frozenset({"course"})
OTHER_ONLY = frozenset({"other"})


def basic(credentials: bytes, scheme: str = "Basic ") -> tuple[str, str]:
    return "Authorization", scheme + base64.b64encode(credentials).decode()


def azure(name: str, *fields: tuple[str, str | bytes], status: int = 401) -> Case:
    """A push of a forge that signs nothing."""
    sent: Fields = [("Content-Type", JSON), ("X-Vss-ActivityId", "1"), ALLOWED, *fields]
    jobs = COURSE_ONLY if status == 200 else frozenset[str]()
    return Case(name, lambda _: [request(sent, AZURE)], (status,), "", jobs)


def signed(
    name: str,
    secret: bytes,
    url: Callable[[Place], str],
    status: int,
    says: str,
    *jobs: str,
    ref: str = "refs/heads/main",
    html_url: str | None = None,
) -> Case:
    """GitHub's push of a repository, with somebody's secret."""

    def build(place: Place) -> bytes:
        body = encoded(push(url(place), ref, repository={"html_url": html_url}))
        return github(body, signature=f"sha256={hmac_hex(body, secret)}", more=[ALLOWED])

    return Case(name, lambda place: [build(place)], (status,), says, frozenset(jobs))


def reader(name: str, status: int, *fields: tuple[str, str]) -> Case:
    sent = [("X-Forwarded-For", "203.0.113.7"), *fields]
    build = request(sent, method="GET", path="/queue")
    return Case(
        name, lambda _: [build], (status,), "token" if status == 401 else "", plain=status == 200
    )


ADDRESSES = (
    from_where("the proxy itself", 401),
    from_where("an address from elsewhere", 401, ("X-Forwarded-For", "203.0.113.9")),
    from_where(
        "an allowed address made up before the real one",
        401,
        ("X-Forwarded-For", "192.0.2.7, 203.0.113.9"),
    ),
    from_where(
        "an allowed address in a field of its own before",
        401,
        ALLOWED,
        ("X-Forwarded-For", "203.0.113.9"),
    ),
    from_where(
        "an allowed address made up in the other kind of field",
        401,
        ("X-Forwarded-For", "203.0.113.9"),
        ("Forwarded", "for=192.0.2.7"),
    ),
    from_where(
        "an allowed address in a field that nobody reads",
        401,
        ("X-Real-IP", "192.0.2.7"),
        ("Client-IP", "192.0.2.7"),
    ),
    from_where("no address", 401, ("X-Forwarded-For", "")),
    from_where("a word for an address", 401, ("X-Forwarded-For", "unknown")),
    from_where("a network for an address", 401, ("X-Forwarded-For", "192.0.2.0/24")),
    from_where("an address with an octal number", 401, ("X-Forwarded-For", "0300.0.2.7")),
    from_where("an address as one number", 401, ("X-Forwarded-For", "3221225991")),
    from_where("this machine, wrapped in IPv6", 401, ("X-Forwarded-For", "::ffff:127.0.0.1")),
    from_where(
        "a host's name that begins with the address",
        401,
        ("X-Forwarded-For", "192.0.2.7.evil.example"),
    ),
    from_where(
        "a line of 4,000 addresses", 401, ("X-Forwarded-For", "192.0.2.7, " * 4000 + "203.0.113.9")
    ),
    from_where(
        "an address made up before an allowed one",
        200,
        ("X-Forwarded-For", "203.0.113.9, 192.0.2.7"),
    ),
    from_where(
        "an allowed address with a port", 200, ("Forwarded", 'for="192.0.2.7:4711";proto=https')
    ),
)

RIGHT = basic(b"ada:" + PASSWORD)

PASSWORDS = (
    azure("no password"),
    azure("another password", basic(b"ada:another password")),
    azure("another user", basic(b"eve:" + PASSWORD)),
    azure("no user", basic(b":" + PASSWORD)),
    azure("no colon", basic(b"ada" + PASSWORD)),
    azure("an empty password", basic(b"ada:")),
    azure(
        "the beginning of the password, up to its colon", basic(b"ada:" + PASSWORD.split(b":")[0])
    ),
    azure("more than the password", basic(b"ada:" + PASSWORD + b"\0")),
    azure("a user that is no text", basic(b"\xff\xfe:" + PASSWORD)),
    azure("a hook's secret for the password", basic(b"ada:" + SECRET)),
    azure("sloppy Base64", ("Authorization", RIGHT[1].replace("Basic ", "Basic !!!!"))),
    azure("credentials that are not encoded", ("Authorization", b"Basic ada:" + PASSWORD)),
    azure("another scheme", basic(b"ada:" + PASSWORD, "Bearer ")),
    azure("no scheme", basic(b"ada:" + PASSWORD, "")),
    azure("a wrong and the right password", basic(b"ada:x"), RIGHT),
    azure("a password for a proxy", ("Proxy-Authorization", RIGHT[1])),
    azure("60 kilobytes of password", basic(b"ada:" + b"x" * 40_000)),
    azure("the right password", RIGHT, status=200),
    Case(
        "the right password beside a wrong signature",
        lambda _: [github(PUSH, signature="sha256=" + "0" * 64, more=[ALLOWED, RIGHT])],
        (401,),
        "another secret",
    ),
)

REPOSITORIES = (
    signed(
        "the secret of all on a repository with one of its own",
        SECRET,
        lambda _: OTHER,
        401,
        "its secret",
    ),
    signed(
        "a repository's own secret on another one",
        OTHER_SECRET,
        lambda _: COURSE,
        401,
        "its secret",
    ),
    signed(
        "a repository's own secret on itself",
        OTHER_SECRET,
        lambda _: OTHER,
        200,
        "update of other",
        "other",
    ),
    signed(
        "two repositories in one payload, with the secret of all",
        SECRET,
        lambda _: OTHER,
        200,
        "update of course",
        "course",
        html_url=COURSE,
    ),
    signed(
        "two repositories in one payload, with the secret of one",
        OTHER_SECRET,
        lambda _: COURSE,
        200,
        "update of other",
        "other",
        html_url=OTHER,
    ),
    signed(
        "a forge that the repository is not kept at",
        SECRET,
        lambda place: place.url,
        200,
        "not draft",
        ref="refs/heads/draft",
    ),
    Case(
        "GitLab, a repository's own token on another one",
        lambda _: [
            request(
                [
                    ("Content-Type", JSON),
                    ("X-Gitlab-Event", "Push Hook"),
                    ("X-Gitlab-Token", OTHER_SECRET),
                    ALLOWED,
                ],
                encoded(GITLAB),
            )
        ],
        (200,),
        "its secret",
    ),
)

READERS = (
    reader("a reader without a password", 401),
    reader("a reader with a wrong password", 401, basic(b"ada:another password")),
    reader("a reader with a repository's secret", 401, basic(b"ada:" + OTHER_SECRET)),
    reader("a reader who says to be on this machine", 401, ("X-Forwarded-For", "127.0.0.1")),
    reader("a reader with the password", 200, RIGHT),
)

CASES = (*ADDRESSES, *PASSWORDS, *REPOSITORIES, *READERS)
