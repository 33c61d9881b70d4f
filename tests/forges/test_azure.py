"""Azure DevOps: nothing is signed, and a repository has many URLs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fakes.forges import AFTER, BEFORE, NOW, SECRET, announced, raw
from fakes.forges.azure import AzureToken
from fakes.forges.sender import Move, Request
from gitreload.forges import Keys, Refusal, read
from gitreload.forges.azure import compose
from gitreload.model import Delivery, Push
from gitreload.remotes import canonical

KEYS = Keys((SECRET,))
SENDER = AzureToken()


def understood(request: Request, keys: Keys = KEYS) -> Delivery:
    return read(raw(request.headers), request.body, keys, now=NOW)


def refused(request: Request, keys: Keys = KEYS) -> Refusal:
    with pytest.raises(Refusal) as caught:
        understood(request, keys)
    return caught.value


def changed(*path: str | int, to: Any) -> Request:
    request = SENDER.push([Move()])[0]
    payload = place = json.loads(request.body)
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return Request(request.headers, json.dumps(payload).encode())


def urls(remote: str) -> set[str | None]:
    """The canonical URLs under which a repository is found."""
    request = changed("resource", "repository", "remoteUrl", to=remote)
    return {canonical(url) for url in understood(request).pushes[0].urls}


def test_a_push() -> None:
    request = SENDER.push([Move()])[0]
    delivery = understood(request)
    (push,) = delivery.pushes
    assert delivery == Delivery(
        forge="azure",
        event="git.push",
        delivery_id=json.loads(request.body)["id"],
        hook="4f6e6328-0251-4814-a009-c01dfa368e3f",
        pushes=(
            Push(
                ref="refs/heads/main",
                urls=push.urls,
                repository="Teaching/course",
                before=BEFORE,
                after=AFTER,
                pusher="ada@example.org",
            ),
        ),
        proven_by=(0,),
    )


def test_every_url_that_people_clone_from_is_told() -> None:
    assert urls("https://org@dev.azure.com/org/My%20Team/_git/course") == {
        "dev.azure.com/org/My%20Team/_git/course",
        "org.visualstudio.com/My%20Team/_git/course",
        "org.visualstudio.com/DefaultCollection/My%20Team/_git/course",
        # As git takes the path of `git@host:path`: literally.
        canonical("git@ssh.dev.azure.com:v3/org/My%20Team/course"),
        canonical("org@vs-ssh.visualstudio.com:v3/org/My%20Team/course"),
    }


@pytest.mark.parametrize(
    "remote",
    [
        "https://dev.azure.com/org/_git/course",
        "https://dev.azure.com/org/DefaultCollection/_git/course",
        "https://dev.azure.com/org/course/_git/course",
        "https://org.visualstudio.com/_git/course",
        "https://org.visualstudio.com/DefaultCollection/course/_git/course/",
    ],
)
def test_a_repository_of_its_projects_name_has_more(remote: str) -> None:
    assert urls(remote) >= {
        "dev.azure.com/org/_git/course",
        "dev.azure.com/org/course/_git/course",
        "org.visualstudio.com/_git/course",
        "org.visualstudio.com/course/_git/course",
        "ssh.dev.azure.com/v3/org/course/course",
        "vs-ssh.visualstudio.com/v3/org/course/course",
    }


@pytest.mark.parametrize(
    "remote",
    [
        "https://azure.example.org/tfs/DefaultCollection/Teaching/_git/course",
        "https://dev.azure.com.example.org/org/Teaching/_git/course",
        "https://example.org/dev.azure.com/org/Teaching/_git/course",
        # Would be a repository of `evil`, if the organization went into another URL as it is.
        "https://dev.azure.com/org@evil/Teaching/_git/course",
        "https://evil.org.visualstudio.com/Teaching/_git/course",
        "https://dev.azure.com/org/Teaching/_git/course/x",
        "not a URL",
    ],
)
def test_other_urls_are_taken_as_they_are(remote: str) -> None:
    assert urls(remote) == {canonical(remote)}


def test_an_ssh_url_in_the_payload_counts_too() -> None:
    ssh = "ssh://azure.example.org:22/tfs/Teaching/_git/course"
    request = changed("resource", "repository", "sshUrl", to=ssh)
    assert ssh in understood(request).pushes[0].urls


def test_without_password_and_token_both_are_named() -> None:
    request = SENDER.push([Move()])[0].with_headers(X_Gitreload_Token="")
    refusal = refused(request)
    assert (refusal.status, refusal.why) == (401, "no token")
    assert "BASIC_AUTH" in str(refusal)
    assert "X-Gitreload-Token" in str(refusal)
    assert understood(request, Keys(basic=True)).pushes


def test_the_authorization_header_is_not_looked_at() -> None:
    request = SENDER.push([Move()])[0].with_headers(
        X_Gitreload_Token="", Authorization="Basic OmEgc2VjcmV0IG9mIGdvb2QgbGVuZ3Ro"
    )
    assert refused(request).why == "no token"


@pytest.mark.parametrize("name", ["resource", "repository", "refUpdates"])
@pytest.mark.parametrize("value", [None, "gone"])
def test_reduced_payloads_are_refused_with_the_cure(name: str, value: str | None) -> None:
    request = SENDER.push([Move()])[0]
    payload = json.loads(request.body)
    holder = payload if name == "resource" else payload["resource"]
    holder[name] = None
    if value == "gone":
        del holder[name]
    refusal = refused(Request(request.headers, json.dumps(payload).encode()))
    assert refusal.status == 400
    assert '"Resource details to send" of the subscription to All' in str(refusal)


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("eventType",), None, "eventType: "),
        (("eventType",), "x" * 129, "eventType: expected 1 to 128 printable ASCII characters"),
        (("id",), 1, "id: "),
        (("id",), "a\nb", "id: expected 1 to 128 printable ASCII characters"),
        (("resource",), [], "resource: "),
        (("resource", "refUpdates"), {}, "resource.refUpdates: "),
        (("resource", "refUpdates", 0), None, "resource.refUpdates[0]: "),
        (("resource", "refUpdates", 0, "name"), "main", "resource.refUpdates[0].name: "),
        (("resource", "refUpdates", 0, "newObjectId"), 1, ".newObjectId: "),
        (("resource", "repository", "remoteUrl"), [], "resource.repository.remoteUrl: "),
        (("resource", "repository", "project"), "x", "resource.repository.project: "),
        (("resource", "pushedBy", "uniqueName"), "\x00", "resource.pushedBy.uniqueName: "),
    ],
)
def test_what_cannot_be_read_is_named(path: tuple[str | int, ...], value: Any, where: str) -> None:
    refusal = refused(changed(*path, to=value))
    assert refusal.status == 400
    assert where in str(refusal)


def test_no_updates_are_no_pushes() -> None:
    assert understood(changed("resource", "refUpdates", to=[])).pushes == ()


def test_a_composed_test_is_one() -> None:
    headers, body = compose(announced(ping=True))
    assert read(raw(headers), body, KEYS, now=NOW).ping


def test_a_composed_push_has_the_repositorys_names() -> None:
    headers, body = compose(announced(url="https://dev.azure.com/org/Team/_git/course"))
    (push,) = read(raw(headers), body, KEYS, now=NOW).pushes
    assert push.repository == "Team/course"
    assert "git@ssh.dev.azure.com:v3/org/Team/course" in push.urls
