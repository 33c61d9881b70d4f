"""Azure DevOps Services and Server.

Payloads: https://learn.microsoft.com/azure/devops/service-hooks/events#git.push
Settings of the hook: https://learn.microsoft.com/azure/devops/service-hooks/services/webhooks
What failures do: https://learn.microsoft.com/azure/devops/service-hooks/troubleshoot
"""

from __future__ import annotations

import re
from typing import Any

from gitreload.forges.body import (
    JSON,
    Id,
    Payload,
    Ref,
    Refs,
    Text,
    Url,
    distinct,
    is_zero,
    json_of,
    parse,
    revision,
)
from gitreload.forges.compose import Announcement, compact, origin
from gitreload.forges.request import Headers, Keys, Malformed, Unsigned
from gitreload.forges.signatures import require_token
from gitreload.model import Delivery, Push

name = "azure"
# Azure DevOps signs nothing. Besides a Basic credential it sends header fields of one's own choice,
# and unlike that a secret in such a field can be bound to its repository.
TOKEN = "X-Gitreload-Token"  # noqa: S105 - a header's name
proofs = frozenset({TOKEN.lower().encode()})
secret_fields = ()
has_ping = True
told_in = ()

PUSH = "git.push"
ACTIVITY, SUBSCRIPTION = "x-vss-activityid", "x-vss-subscriptionid"
# The id of the sample in the description of the event, which the Test button sends, filled with
# names of the project's own.
SAMPLE = "03c164c2-8912-4d5e-8009-3707d5f83734"

_HOSTED = re.compile(
    r"https://(?:[^@/]*@)?"
    r"(?:dev\.azure\.com/(?P<organization>[a-z0-9-]+)|(?P<account>[a-z0-9-]+)\.visualstudio\.com)"
    r"(?:/DefaultCollection)?(?:/(?P<project>[^/]+))?/_git/(?P<repository>[^/]+)/?",
    re.IGNORECASE,
)


class _Event(Payload, frozen=True):
    eventType: Id  # noqa: N815 - the payload's name
    id: Id | None = None
    subscriptionId: Id | None = None  # noqa: N815


class _Update(Payload, frozen=True):
    name: Ref
    oldObjectId: str | None = None  # noqa: N815
    newObjectId: str | None = None  # noqa: N815


class _Project(Payload, frozen=True):
    name: Text | None = None


class _Repository(Payload, frozen=True):
    remoteUrl: Url | None = None  # noqa: N815
    sshUrl: Url | None = None  # noqa: N815
    name: Text | None = None
    project: _Project | None = None

    @property
    def full_name(self) -> str | None:
        project = self.project.name if self.project else None
        return f"{project}/{self.name}" if project and self.name else self.name


class _User(Payload, frozen=True):
    uniqueName: Text | None = None  # noqa: N815
    displayName: Text | None = None  # noqa: N815


class _Resource(Payload, frozen=True):
    refUpdates: Refs[_Update] | None = None  # noqa: N815
    repository: _Repository | None = None
    pushedBy: _User | None = None  # noqa: N815

    def told(self) -> tuple[Push, ...]:
        repository, user = self.repository, self.pushedBy or _User()
        if self.refUpdates is None or repository is None or not repository.remoteUrl:
            raise _reduced()
        urls = distinct((*_spellings(repository.remoteUrl), repository.sshUrl))
        return tuple(
            Push(
                ref=update.name,
                urls=urls,
                repository=repository.full_name,
                before=revision(update.oldObjectId),
                after=revision(update.newObjectId),
                deleted=is_zero(update.newObjectId),
                pusher=user.uniqueName or user.displayName,
            )
            for update in self.refUpdates
        )


class _Push(Payload, frozen=True):
    resource: _Resource | None = None


def recognises(headers: Headers) -> bool:
    """No header names the event, but each delivery has an id."""
    return headers.has(ACTIVITY) or headers.has(SUBSCRIPTION)


def authenticate(headers: Headers, _body: bytes, keys: Keys, _now: float) -> tuple[int, ...]:
    """A secret in a header field of ours; it does not cover the body. Raises Unauthentic."""
    try:
        return require_token(TOKEN, headers, keys)
    except Unsigned:
        raise Unsigned(
            "no token",
            "neither user and password of BASIC_AUTH came along nor a token: give the"
            f" subscription the former, or the HTTP header {TOKEN}: and one of WEBHOOK_SECRETS",
        ) from None


def read(headers: Headers, body: bytes) -> Delivery:
    """Understand an authentic request; raises Malformed."""
    text = json_of(headers, body)
    told = parse(_Event, text)
    ping = told.id == SAMPLE
    pushes: tuple[Push, ...] = ()
    if told.eventType == PUSH and not ping:
        pushes = (parse(_Push, text).resource or _Resource()).told()
    return Delivery(
        forge=name,
        event=told.eventType,
        # The event's, and the same when it is tried again; the header's is the request's.
        delivery_id=told.id,
        hook=hook(headers) or told.subscriptionId,
        pushes=pushes,
        ping=ping,
        ignored=None
        if ping or told.eventType == PUSH
        else f"the event {told.eventType} is not a push",
    )


def hook(headers: Headers) -> str | None:
    """The id of the subscription."""
    return headers.short(SUBSCRIPTION)


def claimed(_headers: Headers) -> str | None:
    """No header tells."""
    return None


def _reduced() -> Malformed:
    return Malformed(
        "the payload cannot be read: resource: refUpdates or repository.remoteUrl is missing: set"
        ' "Resource details to send" of the subscription to All'
    )


def _spellings(remote: str) -> tuple[str, ...]:
    """All that a clone of the repository may have as its URL; the payload tells but one.

    https://learn.microsoft.com/azure/devops/repos/git/use-ssh-keys-to-authenticate
    https://learn.microsoft.com/azure/devops/release-notes/2018/sep-10-azure-devops-launch
    """
    found = _HOSTED.fullmatch(remote)
    if found is None:  # a server of one's own has one address
        return (remote,)
    owner, repository = found["organization"] or found["account"], found["repository"]
    project = found["project"] or repository
    # Where both have the same name, the URL has it once.
    pages = [f"{project}/_git/{repository}"]
    pages += [f"_git/{repository}"] if project == repository else []
    old = f"https://{owner}.visualstudio.com"
    return (
        remote,
        *(f"https://dev.azure.com/{owner}/{page}" for page in pages),
        *(f"{old}/{page}" for page in pages),
        *(f"{old}/DefaultCollection/{page}" for page in pages),
        f"git@ssh.dev.azure.com:v3/{owner}/{project}/{repository}",
        f"{owner}@vs-ssh.visualstudio.com:v3/{owner}/{project}/{repository}",
    )


def compose(announcement: Announcement) -> tuple[dict[str, str], bytes]:
    """A push or a test; raises GitreloadError where the URL names no repository."""
    told = announcement
    body = compact(_payload(told))
    headers = {
        "Content-Type": f"{JSON}; charset=utf-8",
        "User-Agent": "VSServices/gitreload",
        "X-Vss-ActivityId": told.delivery_id,
        "X-Vss-SubscriptionId": "1",
    }
    if told.secret is not None:
        headers[TOKEN] = told.secret.decode("latin-1")
    return headers, body


def _payload(told: Announcement) -> dict[str, Any]:
    repository = origin(told.url)
    update = {"name": told.ref, "oldObjectId": told.before, "newObjectId": told.after}
    project = repository.full_name.removesuffix(f"/{repository.name}").removesuffix("/_git")
    return {
        "subscriptionId": "1",
        "notificationId": 1,
        "id": SAMPLE if told.ping else told.delivery_id,
        "eventType": PUSH,
        "publisherId": "tfs",
        "resource": {
            "commits": [],
            "refUpdates": [update],
            "repository": {
                "id": "1",
                "name": repository.name,
                "project": {"id": "1", "name": project.rpartition("/")[2]},
                "remoteUrl": repository.page,
            },
            "pushedBy": {"id": "1", "displayName": "gitreload", "uniqueName": "gitreload"},
            "pushId": 1,
        },
        "resourceVersion": "1.0",
    }
