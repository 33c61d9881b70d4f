"""Forgejo, Gitea and Gogs: alike, with headers that contain each other's."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from fakes.forges import AFTER, BEFORE, NOW, SECRET, ZERO, announced, raw
from gitreload.forges import BY_NAME, Keys, Refusal, read
from gitreload.forges.signatures import sha256
from gitreload.model import Delivery, Push

KEYS = Keys((SECRET,))
FORM = "application/x-www-form-urlencoded"
NAMES = ["forgejo", "gitea", "gogs"]


def composed(name: str, **facts: Any) -> tuple[dict[str, str], bytes]:
    return BY_NAME[name].compose(announced(**facts))


def understood(name: str, **facts: Any) -> Delivery:
    headers, body = composed(name, **facts)
    return read(raw(headers), body, KEYS, now=NOW)


def refused(headers: dict[str, str], body: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(raw(headers), body, KEYS, now=NOW)
    return caught.value


@pytest.mark.parametrize("name", NAMES)
def test_a_push(name: str) -> None:
    assert understood(name) == Delivery(
        forge=name,
        event="push",
        delivery_id="one",
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
        never_disabled=True,
        proven_by=(0,),
    )


@pytest.mark.parametrize("ref", ["refs/heads/a/b", "refs/tags/v1"])
@pytest.mark.parametrize("name", NAMES)
def test_a_deletion_is_an_event_with_a_short_ref(name: str, ref: str) -> None:
    delivery = understood(name, ref=ref, after=ZERO)
    assert delivery.event == "delete"
    (push,) = delivery.pushes
    assert (push.ref, push.deleted, push.after) == (ref, True, None)
    assert push.urls


@pytest.mark.parametrize("name", NAMES)
def test_other_events_are_ignored(name: str) -> None:
    headers, body = composed(name)
    headers[f"X-{name.title()}-Event"] = "create"
    delivery = read(raw(headers), body, KEYS, now=NOW)
    assert delivery.ignored == "the event create is not a push"
    assert delivery.never_disabled


def as_form(headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
    return headers | {"Content-Type": FORM}, urlencode({"payload": body}).encode()


@pytest.mark.parametrize("name", NAMES)
def test_the_signature_is_of_the_json_in_the_form(name: str) -> None:
    headers, body = as_form(*composed(name))
    assert read(raw(headers), body, KEYS, now=NOW).pushes
    signed = sha256(body, SECRET)
    headers = {
        field: signed if field.endswith("-Signature") else value for field, value in headers.items()
    }
    if "X-Hub-Signature-256" in headers:
        headers["X-Hub-Signature-256"] = f"sha256={signed}"
    refusal = refused(headers, body)
    assert (refusal.status, refusal.why) == (401, "signed over another body")


@pytest.mark.parametrize("name", NAMES)
def test_each_signature_that_was_sent_has_to_be_right(name: str) -> None:
    headers, body = composed(name)
    signatures = [field for field in headers if "Signature" in field]
    for field in signatures:
        wrong = headers[field][:-64] + "0" * 64
        assert refused(headers | {field: wrong}, body).why == "wrong secret"
        assert refused(headers | {field: headers[field] + "0"}, body).why == "malformed signature"
        assert refused(headers | {field: " "}, body).why == "malformed signature"
        if len(signatures) > 1:
            # Empty is what a hook without a secret sends, so it proves nothing and hinders nothing.
            empty = headers | {field: headers[field][:-64]}
            assert read(raw(empty), body, KEYS, now=NOW).pushes


@pytest.mark.parametrize("name", NAMES)
def test_a_body_of_no_known_type_is_told_only_to_those_who_signed_it(name: str) -> None:
    headers, body = composed(name)
    headers["Content-Type"] = "text/plain"
    assert refused(headers, body).status == 400
    assert refused(headers, body + b" ").status == 401


def old_gogs(secret: Any) -> tuple[dict[str, str], bytes]:
    headers, body = composed("gogs", secret=None)
    del headers["X-Gogs-Signature"]
    return headers, json.dumps({"secret": secret} | json.loads(body)).encode()


def test_old_gogs_has_the_secret_in_the_body() -> None:
    headers, body = old_gogs(SECRET.decode())
    assert read(raw(headers), body, KEYS, now=NOW).proven_by == (0,)
    form_headers, form = as_form(headers, body)
    assert read(raw(form_headers), form, KEYS, now=NOW).pushes


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("another", "wrong secret"),
        ("é", "wrong secret"),
        ("", "no signature"),
        (None, "no signature"),
        (1, "no signature"),
        ([SECRET.decode()], "no signature"),
    ],
)
def test_a_wrong_secret_in_the_body(secret: Any, why: str) -> None:
    refusal = refused(*old_gogs(secret))
    assert (refusal.status, refusal.why) == (401, why)


@pytest.mark.parametrize("name", ["forgejo", "gitea"])
def test_only_gogs_has_it(name: str) -> None:
    headers, body = composed(name, secret=None)
    body = json.dumps({"secret": SECRET.decode()} | json.loads(body)).encode()
    assert refused(headers, body).why == "no signature"


def test_no_large_body_is_searched_for_a_secret() -> None:
    headers, body = old_gogs(SECRET.decode())
    assert refused(headers, body[:-1] + b', "x": "' + b"y" * 2**20 + b'"}').why == "no signature"


def test_a_signature_counts_more_than_the_secret_in_the_body() -> None:
    headers, body = old_gogs(SECRET.decode())
    headers["X-Gogs-Signature"] = "0" * 64
    assert refused(headers, body).why == "wrong secret"


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        ({"ref": "main", "ref_type": "branch"}, "repository: missing"),
        ({"ref": "main", "ref_type": "x", "repository": {"clone_url": "a"}}, "ref_type: "),
        ({"ref": "a\n", "ref_type": "branch", "repository": {"clone_url": "a"}}, "ref: "),
        ({"ref": "main", "ref_type": "tag", "repository": {}}, "repository: it has no clone_url"),
    ],
)
def test_deletions_that_cannot_be_read(payload: dict[str, Any], where: str) -> None:
    headers, _ = composed("gitea", after=ZERO, secret=None)
    body = json.dumps(payload).encode()
    headers["X-Gitea-Signature"] = sha256(body, SECRET)
    refusal = refused(headers, body)
    assert refusal.status == 400
    assert where in str(refusal)


def test_the_kind_of_hook_is_claimed() -> None:
    headers, body = composed("gitea", secret=b"another secret")
    headers["X-Gitea-Hook-Installation-Target-Type"] = "organization"
    assert refused(headers, body).claimed == "organization"
