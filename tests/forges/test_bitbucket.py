"""Bitbucket Cloud and Data Center: one name for the header of the event, and two shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fakes.forges import AFTER, BEFORE, NOW, SECRET, announced, raw
from fakes.forges.bitbucket_cloud import BitbucketCloud
from fakes.forges.bitbucket_dc import BitbucketDC
from fakes.forges.sender import Move, Request, digest
from gitreload.forges import Keys, Refusal, read
from gitreload.forges.bitbucket_cloud import compose
from gitreload.model import Delivery, Push

KEYS = Keys((SECRET,))
CLOUD, DC = BitbucketCloud(), BitbucketDC()


def understood(request: Request, keys: Keys = KEYS) -> Delivery:
    return read(raw(request.headers), request.body, keys, now=NOW)


def refused(request: Request, keys: Keys = KEYS) -> Refusal:
    with pytest.raises(Refusal) as caught:
        understood(request, keys)
    return caught.value


def changed(request: Request, *path: str | int, to: Any) -> Request:
    """The same with another value in its payload, signed anew."""
    payload = place = json.loads(request.body)
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    body = json.dumps(payload).encode()
    return Request(request.headers, body).with_headers(X_Hub_Signature=f"sha256={digest(body)}")


def cloud(*moves: Move) -> Request:
    return CLOUD.push(moves or [Move()])[0]


def dc(*moves: Move) -> Request:
    return DC.push(moves or [Move()])[0]


def test_a_push_to_the_cloud() -> None:
    request = cloud()
    assert understood(request) == Delivery(
        forge="bitbucket-cloud",
        event="repo:push",
        delivery_id=request.headers["X-Request-UUID"],
        hook="10d0abcb-1bd6-4a6b-b1a3-6a1cc1d7ad5f",
        pushes=(
            Push(
                ref="refs/heads/main",
                urls=("https://bitbucket.org/org/course",),
                repository="org/course",
                before=BEFORE,
                after=AFTER,
                pusher="ada",
            ),
        ),
        proven_by=(0,),
    )


def test_the_hooks_uuid_is_no_secret() -> None:
    request = cloud().with_headers(X_Hub_Signature="")
    uuid = request.headers["X-Hook-UUID"].encode()
    assert refused(request, Keys((uuid,))).why == "no signature"


def test_a_sha1_is_refused() -> None:
    request = cloud().with_headers(X_Hub_Signature="sha1=" + "0" * 40)
    assert refused(request).why == "malformed signature"


def test_a_signature_of_the_cloud_is_not_taken_for_githubs() -> None:
    request = cloud().with_headers(X_GitHub_Event="push")
    refusal = refused(request)
    assert (refusal.forge, refusal.why) == ("github", "SHA-1 only")


def test_a_renamed_repository_is_found_under_the_name_of_its_page_too() -> None:
    page = "https://bitbucket.org/org/new-name"
    request = changed(cloud(), "repository", "links", "html", "href", to=page)
    assert understood(request).pushes[0].urls == ("https://bitbucket.org/org/course", page)
    request = changed(cloud(), "repository", "links", to=None)
    assert understood(request).pushes[0].urls == ("https://bitbucket.org/org/course",)


def test_what_is_neither_branch_nor_tag_is_no_branch() -> None:
    request = changed(cloud(), "push", "changes", 0, "new", "type", to="bookmark")
    (push,) = understood(request).pushes
    assert (push.ref, push.branch) == ("refs/bookmark/main", None)


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("push",), None, "push: expected object, got null"),
        (("push", "changes"), None, "push.changes: "),
        (("push", "changes"), {}, "push.changes: "),
        (("push", "changes"), [None], "push.changes[0]: "),
        (("push", "changes"), [{}], "push.changes: neither old nor new is told"),
        (("push", "changes"), [{"new": {"type": "branch"}}], "push.changes[0].new.name: missing"),
        (("push", "changes", 0, "new", "name"), "a b", "the name of a branch or tag"),
        (("push", "changes", 0, "new", "name"), "", "the name of a branch or tag"),
        (("push", "changes", 0, "new", "target"), [], "push.changes[0].new.target: "),
        (("push", "changes", 0, "new", "target", "hash"), 1, ".new.target.hash: "),
        (("repository",), None, "repository: "),
        (("repository", "full_name"), 1, "repository.full_name: "),
        (("repository", "links"), "boom", "repository.links: "),
        (("repository", "links", "html"), "boom", "repository.links.html: "),
        (("repository", "links", "html", "href"), [], "repository.links.html.href: "),
        (("actor", "nickname"), "\x1b[31m", "actor.nickname: text without control characters"),
    ],
)
def test_what_cannot_be_read_of_the_cloud_is_named(
    path: tuple[str | int, ...], value: Any, where: str
) -> None:
    refusal = refused(changed(cloud(), *path, to=value))
    assert refusal.status == 400
    assert where.replace(": text", ": expected text") in str(refusal)


def test_no_changes_are_no_pushes() -> None:
    assert understood(changed(cloud(), "push", "changes", to=[])).pushes == ()
    assert understood(changed(dc(), "changes", to=[])).pushes == ()


def test_a_push_to_the_data_center() -> None:
    request = dc()
    assert understood(request) == Delivery(
        forge="bitbucket-dc",
        event="repo:refs_changed",
        delivery_id=request.headers["X-Request-Id"],
        pushes=(
            Push(
                ref="refs/heads/main",
                urls=(
                    "ssh://git@bitbucket.example.org:7999/org/course.git",
                    "https://bitbucket.example.org/scm/org/course.git",
                ),
                repository="ORG/course",
                before=BEFORE,
                after=AFTER,
                pusher="ada",
            ),
        ),
        proven_by=(0,),
    )


@pytest.mark.parametrize(
    ("links", "urls"),
    [
        (
            {"self": [{"href": "https://git.example/bb/projects/ORG/repos/course/browse"}]},
            ("https://git.example/bb/scm/org/course.git",),
        ),
        (
            {"clone": [], "self": [{"href": "http://git.example/users/ada/repos/course/browse"}]},
            ("http://git.example/scm/org/course.git",),
        ),
        ({"self": [{"href": "javascript:alert(1)"}, {"href": None}]}, ()),
        ({}, ()),
        (None, ()),
    ],
)
def test_clone_urls_are_made_of_what_old_versions_tell(links: Any, urls: tuple[str, ...]) -> None:
    (push,) = understood(changed(dc(), "repository", "links", to=links)).pushes
    assert push.urls == urls


def test_the_ref_stands_in_either_of_two_places() -> None:
    change = {"ref": {"id": "refs/heads/x"}, "toHash": AFTER, "type": "UPDATE"}
    assert understood(changed(dc(), "changes", 0, to=change)).pushes[0].branch == "x"
    change = {"refId": "refs/heads/y", "toHash": AFTER, "type": "DELETE"}
    (push,) = understood(changed(dc(), "changes", 0, to=change)).pushes
    assert (push.branch, push.deleted) == ("y", True)


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("changes",), None, "changes: "),
        (("changes", 0), {"toHash": AFTER}, "changes.refId: missing"),
        (("changes", 0, "refId"), "main", "changes[0].refId: expected a full ref"),
        (("changes", 0, "toHash"), ["x"], "changes[0].toHash: "),
        (("repository", "project"), None, "repository.project: "),
        (("repository", "slug"), None, "repository.slug: "),
        (("repository", "links", "clone"), "boom", "repository.links.clone: "),
        (("repository", "links", "clone"), [{"href": []}], "repository.links.clone[0].href: "),
    ],
)
def test_what_cannot_be_read_of_the_data_center_is_named(
    path: tuple[str | int, ...], value: Any, where: str
) -> None:
    refusal = refused(changed(dc(), *path, to=value))
    assert refusal.status == 400
    assert where in str(refusal)


def test_an_unsigned_connection_test_is_refused_with_a_word_on_why() -> None:
    refusal = refused(DC.test().with_headers(X_Hub_Signature=""))
    assert (refusal.status, refusal.why) == (401, "no signature")
    assert "connection test unsigned" in str(refusal)
    push = refused(dc().with_headers(X_Hub_Signature=""))
    assert "give this hook one of WEBHOOK_SECRETS" in str(push)
    assert understood(DC.test().with_headers(X_Hub_Signature=""), Keys(basic=True)).ping


def test_a_local_repository_can_be_announced() -> None:
    headers, body = compose(announced(url="/srv/git/org/course"))
    (push,) = read(raw(headers), body, KEYS, now=NOW).pushes
    assert "file:///srv/git/org/course" in push.urls
