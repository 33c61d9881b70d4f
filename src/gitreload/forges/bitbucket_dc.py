"""Bitbucket Data Center and Server.

Headers and payloads: https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
Signatures, and what failures do:
https://confluence.atlassian.com/bitbucketserver/manage-webhooks-938025878.html
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from msgspec import Meta

from gitreload.forges.body import (
    JSON,
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
from gitreload.forges.signatures import require_sha256, sha256
from gitreload.model import Delivery, Push

name = "bitbucket-dc"
proofs = frozenset({b"x-hub-signature"})
secret_fields = ()
has_ping = True

EVENT = "x-event-key"
told_in = (EVENT,)
SIGNATURE = "X-Hub-Signature"
PREFIX = "sha256="
PING = "diagnostics:ping"

# A mirror that people clone from tells when it has caught up, in a payload of the same shape.
_PUSHES = frozenset({"repo:refs_changed", "mirror:repo_synchronized"})
_BROWSE = re.compile(r"(https?://.*)/(?:projects|users)/[^/]+/repos/[^/]+/browse/?")


class _Ref(Payload, frozen=True):
    id: Ref


class _Change(Payload, frozen=True):
    ref: _Ref | None = None
    refId: Ref | None = None  # noqa: N815 - the payload's name
    fromHash: str | None = None  # noqa: N815
    toHash: str | None = None  # noqa: N815
    type: Text | None = None

    @property
    def name(self) -> str:
        found = self.refId or (self.ref.id if self.ref else None)
        if found is None:
            raise Malformed("the payload cannot be read: changes.refId: missing")
        return found


class _Link(Payload, frozen=True):
    href: Url | None = None


_SomeLinks = Annotated[list[_Link], Meta(max_length=16)]  # one for each protocol


class _Links(Payload, frozen=True):
    clone: _SomeLinks | None = None
    self: _SomeLinks | None = None


class _Project(Payload, frozen=True):
    key: Text


class _Repository(Payload, frozen=True):
    slug: Text
    project: _Project
    links: _Links | None = None

    @property
    def full_name(self) -> str:
        return f"{self.project.key}/{self.slug}"

    @property
    def urls(self) -> tuple[str, ...]:
        """None before Bitbucket Server 6, whose payload does not even tell the server's name."""
        links = self.links or _Links()
        clone = [link.href for link in links.clone or ()]
        bases = [_BROWSE.fullmatch(link.href or "") for link in links.self or ()]
        made = [f"{base[1]}/scm/{self.full_name.lower()}.git" for base in bases if base]
        return distinct(clone or made)


class _Actor(Payload, frozen=True):
    name: Text | None = None
    displayName: Text | None = None  # noqa: N815


class _Push(Payload, frozen=True):
    changes: Refs[_Change]
    repository: _Repository
    actor: _Actor | None = None

    def told(self) -> tuple[Push, ...]:
        actor, urls = self.actor or _Actor(), self.repository.urls
        return tuple(
            Push(
                ref=change.name,
                urls=urls,
                repository=self.repository.full_name,
                before=revision(change.fromHash),
                after=revision(change.toHash),
                deleted=change.type == "DELETE" or is_zero(change.toHash),
                pusher=actor.name or actor.displayName,
            )
            for change in self.changes
        )


def recognises(headers: Headers) -> bool:
    """Bitbucket Cloud names the event in the same header, so it has to be asked before."""
    return headers.has(EVENT)


def authenticate(headers: Headers, body: bytes, keys: Keys, _now: float) -> tuple[int, ...]:
    """The signature covers the body as sent; raises Unauthentic."""
    try:
        return require_sha256(SIGNATURE, headers, body, keys, prefix=PREFIX)
    except Unsigned:
        if headers.get(EVENT) == PING:
            raise _unsigned_test() from None
        raise


def read(headers: Headers, body: bytes) -> Delivery:
    """Understand an authentic request; raises Malformed."""
    text = json_of(headers, body)
    event = headers.short(EVENT) or "unknown"
    ping, push = event == PING, event in _PUSHES
    pushes: tuple[Push, ...] = ()
    if push:
        pushes = parse(_Push, text).told()
    else:
        parse(Payload, text)
    return Delivery(
        forge=name,
        event=event,
        delivery_id=headers.short("x-request-id"),
        pushes=pushes,
        ping=ping,
        ignored=None if push or ping else f"the event {event} is not a push",
    )


def hook(_headers: Headers) -> str | None:
    """No header tells."""
    return None


def claimed(_headers: Headers) -> str | None:
    """No header tells."""
    return None


def _unsigned_test() -> Unsigned:
    # https://github.com/runatlantis/atlantis/issues/474
    return Unsigned(
        "no signature",
        f"the signature ({SIGNATURE}) is missing, as many versions of Bitbucket send their"
        " connection test unsigned: push a commit to try a hook that has a secret",
    )


def compose(announcement: Announcement) -> tuple[dict[str, str], bytes]:
    """A push or a connection test; raises GitreloadError where the URL names no repository."""
    told = announcement
    body = compact({"test": True} if told.ping else _payload(told))
    headers = {
        "Content-Type": f"{JSON}; charset=utf-8",
        "User-Agent": "Atlassian HttpClient gitreload",
        "X-Event-Key": PING if told.ping else "repo:refs_changed",
        "X-Request-Id": told.delivery_id,
    }
    if told.secret is not None:
        headers[SIGNATURE] = PREFIX + sha256(body, told.secret)
    return headers, body


def _payload(told: Announcement) -> dict[str, Any]:
    repository = origin(told.url)
    key, _, slug = repository.full_name.removeprefix("scm/").rpartition("/")
    kinds = {told.created: "ADD", told.deleted: "DELETE"}
    clone = {"http": repository.clone, "ssh": repository.ssh}
    return {
        "eventKey": "repo:refs_changed",
        "actor": {"name": "gitreload", "displayName": "gitreload", "type": "NORMAL"},
        "repository": {
            "slug": slug,
            "id": 1,
            "name": slug,
            "project": {"key": key, "id": 1, "name": key},
            "links": {"clone": [{"name": kind, "href": url} for kind, url in clone.items() if url]},
        },
        "changes": [
            {
                "ref": {"id": told.ref, "displayId": told.short_ref},
                "refId": told.ref,
                "fromHash": told.before,
                "toHash": told.after,
                "type": kinds.get(True, "UPDATE"),
            }
        ],
    }
