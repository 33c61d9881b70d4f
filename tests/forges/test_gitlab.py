"""GitLab: tokens and signatures, and pushes in two forms."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from fakes.forges import AFTER, BEFORE, NOW, SECRET, ZERO, announced, raw
from gitreload.forges import Keys, Refusal, read
from gitreload.forges.gitlab import compose
from gitreload.model import Delivery, GitreloadError, Push

KEY = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEYS = Keys((KEY, SECRET))
PROJECT = {
    "path_with_namespace": "org/sub/course",
    "git_http_url": "https://gitlab.example/org/sub/course.git",
    "git_ssh_url": "git@gitlab.example:org/sub/course.git",
    "web_url": "https://gitlab.example/org/sub/course",
}


def signed(**facts: Any) -> tuple[dict[str, str], bytes]:
    return compose(announced(secret=KEY, **facts))


def system_hook(payload: Any) -> tuple[dict[str, str], bytes]:
    headers = {
        "Content-Type": "application/json",
        "X-Gitlab-Event": "System Hook",
        "X-Gitlab-Token": SECRET.decode(),
    }
    return headers, json.dumps(payload).encode()


def refused(headers: dict[str, str], body: bytes, keys: Keys = KEYS, now: float = NOW) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(raw(headers), body, keys, now=now)
    return caught.value


def test_a_push() -> None:
    headers, body = signed()
    delivery = read(raw(headers), body, KEYS, now=NOW)
    assert structs.replace(delivery, nonces=(), fresh_until=None) == Delivery(
        forge="gitlab",
        event="push",
        delivery_id="one",
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
        proven_by=(0,),
    )


def test_tags_and_deletions() -> None:
    headers, body = signed(ref="refs/tags/v1", after=ZERO)
    delivery = read(raw(headers), body, KEYS, now=NOW)
    assert delivery.event == "tag_push"
    assert (delivery.pushes[0].ref, delivery.pushes[0].deleted) == ("refs/tags/v1", True)


def test_token_and_signature_have_both_to_be_right() -> None:
    headers, body = signed()
    both = headers | {"X-Gitlab-Token": SECRET.decode()}
    assert read(raw(both), body, KEYS, now=NOW).proven_by == (0, 1)
    refusal = refused(headers | {"X-Gitlab-Token": "another"}, body)
    assert (refusal.status, refusal.why) == (401, "wrong secret")
    assert "token" in str(refusal)
    assert refused(both, body + b" ").why == "wrong secret"
    assert refused(both, body, Keys((SECRET,))).why == "wrong secret"
    assert refused(both, body, Keys((KEY,))).why == "wrong secret"


def test_a_signature_is_not_fallen_back_from() -> None:
    headers, body = signed()
    headers |= {"X-Gitlab-Token": SECRET.decode(), "webhook-signature": "v2,AAAA"}
    assert refused(headers, body).why == "malformed signature"


def test_an_old_signature_is_refused() -> None:
    headers, body = signed()
    for now in (NOW + 300, NOW - 300):
        assert read(raw(headers), body, KEYS, now=now).pushes
    assert "301 s old" in str(refused(headers, body, now=NOW + 301))
    refusal = refused(headers, body, now=NOW - 301)
    assert (refusal.why, "301 s ahead" in str(refusal)) == ("clock skew", True)


@pytest.mark.parametrize("token", ["", " ", SECRET.decode() + " ", SECRET.decode()[:-1], "\xe9"])
def test_tokens_that_prove_nothing(token: str) -> None:
    headers, body = compose(announced())
    refusal = refused(headers | {"X-Gitlab-Token": token}, body)
    assert refusal.status == 401
    assert refusal.why == ("wrong secret" if token else "no token")


def test_a_token_beyond_ascii() -> None:
    secret = "geheimer Schlüssel".encode()
    headers, body = compose(announced(secret=secret))
    assert read(raw(headers), body, Keys((secret,)), now=NOW).pushes


def test_a_system_hook_tells_all_refs_at_once() -> None:
    changes = [
        {"before": BEFORE, "after": AFTER, "ref": "refs/heads/main"},
        {"before": BEFORE, "after": ZERO, "ref": "refs/heads/old"},
        {"before": ZERO, "after": AFTER, "ref": "refs/tags/v1"},
    ]
    payload = {"event_name": "repository_update", "user_name": "Ada", "project": PROJECT}
    headers, body = system_hook(payload | {"changes": changes, "refs": ["refs/heads/main"]})
    delivery = read(raw(headers), body, KEYS, now=NOW)
    assert [(push.ref, push.before, push.after, push.deleted) for push in delivery.pushes] == [
        ("refs/heads/main", BEFORE, AFTER, False),
        ("refs/heads/old", BEFORE, None, True),
        ("refs/tags/v1", None, AFTER, False),
    ]
    assert {push.repository for push in delivery.pushes} == {"org/sub/course"}
    assert {push.pusher for push in delivery.pushes} == {"Ada"}


def test_an_issue_has_changes_too_but_is_no_push() -> None:
    payload = {"object_kind": "issue", "project": PROJECT, "changes": {"updated_at": {}}}
    headers, body = system_hook(payload)
    delivery = read(raw(headers), body, KEYS, now=NOW)
    assert delivery.ignored == "the event issue is not a push"


def test_a_custom_template_need_not_name_the_event() -> None:
    payload = {"ref": "refs/heads/main", "project": PROJECT}
    headers, body = system_hook(payload)
    assert read(raw(headers), body, KEYS, now=NOW).ignored == "the event unknown is not a push"
    headers["X-Gitlab-Event"] = "Push Hook"
    assert read(raw(headers), body, KEYS, now=NOW).pushes[0].branch == "main"


def test_before_8_5_there_was_the_repository_alone() -> None:
    repository = {"url": "git@gitlab.example:a/b.git", "homepage": "https://gitlab.example/a/b"}
    payload = {"object_kind": "push", "ref": "refs/heads/main", "repository": repository}
    headers, body = system_hook(payload)
    (push,) = read(raw(headers), body, KEYS, now=NOW).pushes
    assert push.urls == ("https://gitlab.example/a/b", "git@gitlab.example:a/b.git")


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        ({"object_kind": 1}, "object_kind: "),
        ({"object_kind": "push"}, "ref: missing"),
        ({"object_kind": "push", "ref": "main", "project": PROJECT}, "ref: "),
        ({"object_kind": "push", "ref": "refs/heads/a"}, "project: it has no git_http_url"),
        ({"object_kind": "push", "ref": "refs/heads/a", "project": []}, "project: "),
        ({"event_name": "repository_update", "project": PROJECT}, "changes: missing"),
        ({"event_name": "repository_update", "changes": [{}]}, "changes"),
        ([], "expected object, got array"),
    ],
)
def test_what_cannot_be_read_is_named(payload: Any, where: str) -> None:
    refusal = refused(*system_hook(payload))
    assert refusal.status == 400
    assert where in str(refusal)


def test_the_hook_and_the_instance_are_named() -> None:
    headers, body = signed()
    refusal = refused(headers, body + b" ")
    assert (refusal.hook, refusal.claimed) == ("1", "https://forge.example")


def test_a_local_repository_is_of_no_instance() -> None:
    headers, _ = compose(announced(url="file:///srv/git/course.git"))
    assert "X-Gitlab-Instance" not in headers


def test_nothing_is_composed_with_a_key_that_is_none() -> None:
    with pytest.raises(GitreloadError, match="whsec_"):
        compose(announced(secret=b"whsec_!"))
