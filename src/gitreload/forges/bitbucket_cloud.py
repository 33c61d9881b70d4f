"""Bitbucket Cloud.

Headers and payloads: https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Push
Signatures: https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/#Secure-webhooks
"""

from __future__ import annotations

from typing import Any

from gitreload.forges.body import (
    JSON,
    Payload,
    Refs,
    ShortRef,
    Text,
    Url,
    distinct,
    json_of,
    parse,
    revision,
)
from gitreload.forges.compose import Announcement, compact, origin
from gitreload.forges.request import Headers, Keys, Malformed
from gitreload.forges.signatures import require_sha256, sha256
from gitreload.model import Delivery, Push

name = "bitbucket-cloud"
# GitHub's name for its SHA-1, with a SHA-256 in it.
proofs = frozenset({b"x-hub-signature"})
secret_fields = ()
has_ping = False

EVENT = "x-event-key"
told_in = (EVENT, "x-attempt-number")
HOOK = "x-hook-uuid"  # names the hook to everyone who sees a delivery, so it proves nothing
SIGNATURE = "X-Hub-Signature"
PREFIX = "sha256="

_PLACES = {"branch": "refs/heads/", "tag": "refs/tags/"}


class _Target(Payload, frozen=True):
    hash: str | None = None


class _Side(Payload, frozen=True):
    """A ref, as it was or as it is."""

    type: Text
    name: ShortRef
    target: _Target | None = None

    @property
    def ref(self) -> str:
        return _PLACES.get(self.type, f"refs/{self.type}/") + self.name


class _Change(Payload, frozen=True):
    """`old` is null where the ref was created, `new` where it was deleted."""

    old: _Side | None = None
    new: _Side | None = None

    @property
    def ref(self) -> str:
        side = self.new or self.old
        if side is None:
            raise Malformed("the payload cannot be read: push.changes: neither old nor new is told")
        return side.ref


class _Changes(Payload, frozen=True):
    changes: Refs[_Change]


class _Link(Payload, frozen=True):
    href: Url | None = None


class _Links(Payload, frozen=True):
    html: _Link | None = None


class _Repository(Payload, frozen=True):
    full_name: Text
    links: _Links | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        """The payload has no clone URL, but all of them are made of the full name."""
        page = self.links.html.href if self.links and self.links.html else None
        return distinct((f"https://bitbucket.org/{self.full_name}", page))


class _Actor(Payload, frozen=True):
    nickname: Text | None = None
    display_name: Text | None = None


class _Push(Payload, frozen=True):
    push: _Changes
    repository: _Repository
    actor: _Actor | None = None

    def told(self) -> tuple[Push, ...]:
        actor, urls = self.actor or _Actor(), self.repository.urls
        return tuple(
            Push(
                ref=change.ref,
                urls=urls,
                repository=self.repository.full_name,
                before=_revision(change.old),
                after=_revision(change.new),
                deleted=change.new is None,
                pusher=actor.nickname or actor.display_name,
            )
            for change in self.push.changes
        )


def recognises(headers: Headers) -> bool:
    return headers.has(HOOK)


def authenticate(headers: Headers, body: bytes, keys: Keys, _now: float) -> tuple[int, ...]:
    """The signature covers the body as sent; raises Unauthentic."""
    return require_sha256(SIGNATURE, headers, body, keys, prefix=PREFIX)


def read(headers: Headers, body: bytes) -> Delivery:
    """Understand an authentic request; raises Malformed."""
    text = json_of(headers, body)
    event = headers.short(EVENT) or "unknown"
    pushes: tuple[Push, ...] = ()
    if event == "repo:push":
        pushes = parse(_Push, text).told()
    else:
        parse(Payload, text)
    return Delivery(
        forge=name,
        event=event,
        delivery_id=headers.short("x-request-uuid"),
        hook=hook(headers),
        pushes=pushes,
        ignored=None if event == "repo:push" else f"the event {event} is not a push",
    )


def hook(headers: Headers) -> str | None:
    return headers.short(HOOK)


def claimed(_headers: Headers) -> str | None:
    """No header tells."""
    return None


def _revision(side: _Side | None) -> str | None:
    return revision(side.target.hash) if side and side.target else None


def compose(announcement: Announcement) -> tuple[dict[str, str], bytes]:
    """A push; there is no test call. Raises GitreloadError where the URL names no repository."""
    told = announcement
    body = compact(_payload(told))
    headers = {
        "Content-Type": JSON,
        "User-Agent": "Bitbucket-Webhooks/2.0",
        "X-Event-Key": "repo:push",
        "X-Hook-UUID": "1",
        "X-Request-UUID": told.delivery_id,
        "X-Attempt-Number": "1",
    }
    if told.secret is not None:
        headers[SIGNATURE] = PREFIX + sha256(body, told.secret)
    return headers, body


def _payload(told: Announcement) -> dict[str, Any]:
    repository = origin(told.url)
    change: dict[str, Any] = {
        "old": None if told.created else _side(told, told.before),
        "new": None if told.deleted else _side(told, told.after),
        "created": told.created,
        "closed": told.deleted,
        "forced": False,
        "truncated": False,
        "commits": [],
    }
    return {
        "push": {"changes": [change]},
        "repository": {
            "type": "repository",
            "name": repository.name,
            "full_name": repository.full_name,
            "links": {"html": {"href": repository.page}},
        },
        "actor": {"type": "user", "nickname": "gitreload", "display_name": "gitreload"},
    }


def _side(told: Announcement, commit: str) -> dict[str, Any]:
    kind = "tag" if told.ref.startswith("refs/tags/") else "branch"
    return {"type": kind, "name": told.short_ref, "target": {"type": "commit", "hash": commit}}
