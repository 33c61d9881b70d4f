"""Any sender after the Standard Webhooks specification; `Paths` say where its JSON has what.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gitreload.forges.body import (
    JSON,
    Id,
    Refs,
    converted,
    distinct,
    is_zero,
    json_of,
    ref_of,
    revision,
    text_of,
    tree,
)
from gitreload.forges.compose import Announcement, compact, origin
from gitreload.forges.request import DEFAULT_PATHS, Headers, Keys, Malformed, Paths
from gitreload.forges.standard_webhooks import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    once,
    require_signature,
    sign_with,
)
from gitreload.model import Delivery, GitreloadError, Push


@dataclass(frozen=True, slots=True)
class Sender:
    """The generic sender, with the paths into what it sends."""

    paths: Paths = DEFAULT_PATHS
    name: str = "standard"
    proofs: frozenset[bytes] = frozenset({SIGNATURE.encode()})
    secret_fields: tuple[str, ...] = ()
    told_in: tuple[str, ...] = ()

    @property
    def has_ping(self) -> bool:
        return bool(self.paths.pings)

    def recognises(self, headers: Headers) -> bool:
        return headers.has(SIGNATURE) or headers.has(ID)

    def authenticate(
        self, headers: Headers, body: bytes, keys: Keys, now: float
    ) -> tuple[int, ...]:
        """Raises Unauthentic."""
        return require_signature(headers, body, keys, now)

    def read(self, headers: Headers, body: bytes) -> Delivery:
        """Understand an authentic request; raises Malformed naming the path that leads nowhere."""
        told = tree(json_of(headers, body))
        named: str | None = converted(told, self.paths.event, Id | None)
        event = named or self.paths.pushes[0]
        pushes: tuple[Push, ...] = ()
        if event in self.paths.pushes:
            pushes = tuple(self._push(told, entry) for entry in self._entries(told))
        ping = event in self.paths.pings
        nonces, fresh_until = once(headers, body)
        return Delivery(
            forge=self.name,
            event=event,
            # Stays the same when the sender tries again.
            delivery_id=headers.short(ID),
            pushes=pushes,
            ping=ping,
            ignored=None
            if ping or event in self.paths.pushes
            else f"the event {event} is not a push",
            nonces=nonces,
            fresh_until=fresh_until,
        )

    def hook(self, _headers: Headers) -> str | None:
        """The specification knows no ids of hooks."""
        return None

    def claimed(self, _headers: Headers) -> str | None:
        """No header tells."""
        return None

    def _entries(self, told: Any) -> list[Any]:
        each = self.paths.each
        if each is None:
            return [told]
        entries: list[Any] | None = converted(told, each, Refs[dict[str, Any]] | None)
        if entries is None:
            raise _missing(each)
        return entries

    def _push(self, told: Any, entry: Any) -> Push:
        paths = self.paths
        urls = distinct(text_of(told, path) for path in paths.urls)
        if not urls:
            raise _missing(", ".join(paths.urls))
        after = text_of(entry, paths.after)
        return Push(
            ref=self._ref(entry),
            urls=urls,
            repository=text_of(told, paths.repository),
            before=revision(text_of(entry, paths.before)),
            after=revision(after),
            deleted=bool(converted(entry, paths.deleted, bool | None)) or is_zero(after),
            pusher=text_of(told, paths.pusher),
        )

    def _ref(self, entry: Any) -> str:
        paths = self.paths
        ref = ref_of(entry, paths.ref)
        branch = text_of(entry, paths.branch)
        if ref is None and not branch:
            raise _missing(" or ".join(filter(None, (paths.ref, paths.branch))))
        return ref or f"refs/heads/{branch}"

    def compose(self, announcement: Announcement) -> tuple[dict[str, str], bytes]:
        """A push or ping in the shape that the paths tell.

        Raises GitreloadError where the announced URL names no repository, or the secret is no
        `whsec_` or `whsk_` key.
        """
        told = announcement
        seconds = int(told.now)
        body = compact(self._payload(told))
        headers = {"Content-Type": JSON, ID: told.delivery_id, TIMESTAMP: str(seconds)}
        if told.secret is not None:
            signature = sign_with(told.secret, told.delivery_id, seconds, body)
            if signature is None:
                raise GitreloadError(
                    "the secret cannot sign as Standard Webhooks do: it has to be whsec_ and the"
                    " Base64 of 24 bytes or more, or whsk_ and that of an Ed25519 key"
                )
            headers[SIGNATURE] = signature
        return headers, body

    def _payload(self, told: Announcement) -> dict[str, Any]:
        paths = self.paths
        payload: dict[str, Any] = {}
        _put(payload, paths.event, paths.pings[0] if told.ping else paths.pushes[0])
        _put(payload, paths.urls[0], origin(told.url).clone)
        _put(payload, paths.repository, origin(told.url).full_name)
        _put(payload, paths.pusher, "gitreload")
        entry = payload if paths.each is None else {}
        if paths.ref is None:
            _put(entry, paths.branch, told.short_ref)
        else:
            _put(entry, paths.ref, told.ref)
        _put(entry, paths.before, told.before)
        _put(entry, paths.after, told.after)
        _put(entry, paths.deleted, told.deleted)
        if paths.each is not None:
            _put(payload, paths.each, [entry])
        return payload


def _missing(path: str) -> Malformed:
    return Malformed(f"the payload cannot be read: {path}: missing")


def _put(payload: dict[str, Any], path: str | None, value: Any) -> None:
    if path is None:
        return
    *parents, last = path.split(".")
    for parent in parents:
        payload = payload.setdefault(parent, {})
    payload[last] = value
