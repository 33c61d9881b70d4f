"""Gitee: a password, or a signature of the time; neither covers the body."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from fakes.forges import AFTER, BEFORE, NOW, SECRET, ZERO, announced, raw
from gitreload.forges import Keys, Refusal, read
from gitreload.forges.gitee import compose
from gitreload.forges.signatures import hmac_sha256
from gitreload.model import Delivery, Push

KEYS = Keys((b"another secret of good length", SECRET))


def refused(headers: dict[str, str], body: bytes, now: float = NOW) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(raw(headers), body, KEYS, now=now)
    return caught.value


def test_a_push() -> None:
    headers, body = compose(announced())
    assert read(raw(headers), body, KEYS, now=NOW) == Delivery(
        forge="gitee",
        event="Push Hook",
        hook="1",
        pushes=(
            Push(
                ref="refs/heads/main",
                urls=(
                    "https://forge.example/Org/course.git",
                    "ssh://git@forge.example/Org/course.git",
                    "https://forge.example/Org/course",
                ),
                repository="Org/course",
                before=BEFORE,
                after=AFTER,
                pusher="gitreload",
            ),
        ),
        proven_by=(1,),
    )


def test_tags_deletions_tests_and_other_events() -> None:
    headers, body = compose(announced(ref="refs/tags/v1", after=ZERO))
    (push,) = read(raw(headers), body, KEYS, now=NOW).pushes
    assert (push.ref, push.deleted) == ("refs/tags/v1", True)
    headers, body = compose(announced(ping=True))
    delivery = read(raw(headers), body, KEYS, now=NOW)
    assert (delivery.ping, delivery.pushes) == (True, ())
    headers, body = compose(announced())
    headers["X-Gitee-Event"] = "Issue Hook"
    ignored = read(raw(headers), body, KEYS, now=NOW).ignored
    assert ignored == "the event Issue Hook is not a push"


def test_the_password_is_sent_as_it_is() -> None:
    headers, body = compose(announced(secret=None))
    headers["X-Gitee-Token"] = SECRET.decode()
    assert read(raw(headers), body, KEYS, now=NOW + 10_000).proven_by == (1,)


def test_a_password_may_look_like_a_signature() -> None:
    secret = base64.b64encode(b"x" * 32)
    headers, body = compose(announced(secret=None))
    headers["X-Gitee-Token"] = secret.decode()
    assert read(raw(headers), body, Keys((secret,)), now=NOW).pushes


def test_the_signature_may_be_percent_encoded() -> None:
    headers, body = compose(announced())
    headers["X-Gitee-Token"] = quote(headers["X-Gitee-Token"], safe="")
    assert read(raw(headers), body, KEYS, now=NOW).pushes


def test_a_signature_ages() -> None:
    headers, body = compose(announced())
    assert read(raw(headers), body, KEYS, now=NOW + 300).pushes
    refusal = refused(headers, body, NOW + 301)
    assert (refusal.status, refusal.why) == (401, "clock skew")


@pytest.mark.parametrize(
    ("token", "stamp"),
    [
        ("!" + "A" * 43, None),
        ("AAAA", None),
        ("\xe9", None),
        ("%", None),
        (None, ""),
        (None, "1"),
        (None, "\xb2"),
        (None, "1" * 100),
    ],
)
def test_what_proves_nothing(token: str | None, stamp: str | None) -> None:
    headers, body = compose(announced())
    if token is not None:
        headers["X-Gitee-Token"] = token
    if stamp is not None:
        headers["X-Gitee-Timestamp"] = stamp
    refusal = refused(headers, body)
    assert (refusal.status, refusal.why) == (401, "wrong secret")


@pytest.mark.parametrize("stamp", ["-1", "1_800", "\uff11\uff18", "1800000000000.0", "9" * 16])
def test_a_signed_time_is_digits_too(stamp: str) -> None:
    """Only who has the secret can sign such a time, but a number is a number."""
    headers, body = compose(announced())
    wire = stamp.encode().decode("latin-1")
    headers["X-Gitee-Timestamp"] = wire
    signature = hmac_sha256(wire.encode() + b"\n" + SECRET, SECRET)
    headers["X-Gitee-Token"] = base64.b64encode(signature).decode()
    assert refused(headers, body).why == "malformed timestamp"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"repository": None}, "repository: "),
        ({"repository": {}}, "repository: it has no clone_url"),
        ({"ref": "main"}, "ref: "),
        ({"hook_id": "x"}, "hook_id: "),
        ({"pusher": []}, "pusher: "),
    ],
)
def test_what_cannot_be_read_is_named(change: dict[str, Any], where: str) -> None:
    headers, body = compose(announced())
    refusal = refused(headers, json.dumps(json.loads(body) | change).encode())
    assert refusal.status == 400
    assert where in str(refusal)
