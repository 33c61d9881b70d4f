"""What Gogs, Gitea and Forgejo have in common: each sends the headers of those before it too."""

from __future__ import annotations

from collections.abc import Mapping
from hmac import compare_digest
from typing import Any

from gitreload.forges.body import (
    JSON,
    Payload,
    Ref,
    Text,
    Url,
    distinct,
    is_form,
    is_zero,
    json_of,
    parse,
    revision,
)
from gitreload.forges.compose import Announcement, compact, origin
from gitreload.forges.request import LOOK_BYTES, Headers, Keys, Malformed, Unauthentic
from gitreload.forges.signatures import require, require_sha256, sha256, unsigned
from gitreload.model import Delivery, Push

HUB = "X-Hub-Signature-256"
HUB_PREFIX = "sha256="

_SHORT_REFS = {"branch": "refs/heads/", "tag": "refs/tags/"}


class _Repository(Payload, frozen=True):
    full_name: Text | None = None
    clone_url: Url | None = None
    ssh_url: Url | None = None
    html_url: Url | None = None
    url: Url | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        urls = distinct((self.clone_url, self.ssh_url, self.html_url, self.url))
        if not urls:
            raise Malformed("the payload cannot be read: repository: it has no clone_url")
        return urls


class _User(Payload, frozen=True):
    username: Text | None = None
    login: Text | None = None

    @property
    def name(self) -> str | None:
        return self.username or self.login


class _Push(Payload, frozen=True):
    ref: Ref
    repository: _Repository
    before: str | None = None
    after: str | None = None
    pusher: _User | None = None

    def told(self) -> Push:
        return Push(
            ref=self.ref,
            urls=self.repository.urls,
            repository=self.repository.full_name,
            before=revision(self.before),
            after=revision(self.after),
            deleted=is_zero(self.after),
            pusher=self.pusher.name if self.pusher else None,
        )


class _Delete(Payload, frozen=True):
    """A deletion is no push here, and its ref is short."""

    ref: Text
    ref_type: Text
    repository: _Repository
    sender: _User | None = None

    def told(self) -> Push:
        if self.ref_type not in _SHORT_REFS:
            raise Malformed("the payload cannot be read: ref_type: expected branch or tag")
        return Push(
            ref=_SHORT_REFS[self.ref_type] + self.ref,
            urls=self.repository.urls,
            repository=self.repository.full_name,
            deleted=True,
            pusher=self.sender.name if self.sender else None,
        )


_EVENTS: Mapping[str, type[_Push | _Delete]] = {"push": _Push, "delete": _Delete}


class _Secret(Payload, frozen=True):
    secret: str | None = None


class Family:
    """One of them. Its own brand, such as "Gitea", comes first, then those whose headers it adds.

    `hub` says that it sends GitHub's signature too, `body_secret` that its old versions prove
    themselves by the secret in the body alone.
    """

    # Of old versions; https://github.com/go-gitea/gitea/issues/11755 took it out of Gitea 1.14.
    secret_fields = ("secret",)
    has_ping = False

    def __init__(self, *brands: str, hub: bool = True, body_secret: bool = False) -> None:
        self.name = brands[0].lower()
        self._event = f"x-{self.name}-event"
        self.told_in = (self._event,)
        self._body_secret = body_secret
        self._brands = (*brands, "GitHub") if hub else brands
        # The header fields that carry signatures, each with what precedes the hex digits.
        own = [(f"X-{brand}-Signature", "") for brand in brands]
        self._signatures = [*own, (HUB, HUB_PREFIX)] if hub else own
        proofs = {header.lower().encode() for header, _ in self._signatures}
        self.proofs = frozenset(proofs | {b"x-hub-signature"} if hub else proofs)

    def recognises(self, headers: Headers) -> bool:
        return headers.has(self._event)

    def authenticate(
        self, headers: Headers, body: bytes, keys: Keys, _now: float
    ) -> tuple[int, ...]:
        """Signed is the JSON, also where a form carries it; raises Unauthentic.

        A hook without a secret sends the signatures all the same, but empty:
        https://github.com/go-gitea/gitea/blob/main/services/webhook/deliver.go
        """
        sent = [
            pair for pair in self._signatures if headers.get(pair[0].lower()) not in _empty(pair)
        ]
        text = _signed_text(headers, body)
        if not sent:
            return self._by_body_secret(text, keys)
        try:
            places = [
                require_sha256(header, headers, text, keys, prefix=prefix)
                for header, prefix in sent
            ]
        except Unauthentic as error:
            if error.why == "wrong secret" and is_form(headers):
                _explain(sent[0], headers, body, keys)
            raise
        return places[0]

    def _by_body_secret(self, text: bytes, keys: Keys) -> tuple[int, ...]:
        missing = unsigned("signature", self._signatures[0][0])
        if not self._body_secret or len(text) > LOOK_BYTES:
            raise missing
        try:
            claimed = (parse(_Secret, text).secret or "").encode()
        except Malformed:
            raise missing from None
        if not claimed:
            raise missing
        return require(
            "in the body", keys.plain, lambda key: compare_digest(key, claimed), what="secret"
        )

    def read(self, headers: Headers, body: bytes) -> Delivery:
        """Understand an authentic request; raises Malformed."""
        text = json_of(headers, body)
        event = headers.short(self._event) or "unknown"
        model = _EVENTS.get(event)
        pushes = () if model is None else (parse(model, text).told(),)
        if model is None:
            parse(Payload, text)
        return Delivery(
            forge=self.name,
            event=event,
            delivery_id=headers.short(f"x-{self.name}-delivery"),
            pushes=pushes,
            ignored=f"the event {event} is not a push" if model is None else None,
            # None of them counts failures:
            # https://github.com/go-gitea/gitea/blob/main/services/webhook/deliver.go
            never_disabled=True,
        )

    def hook(self, _headers: Headers) -> str | None:
        """None of them tells the hook's id."""
        return None

    def claimed(self, headers: Headers) -> str | None:
        """The kind of hook, such as "repository"; new versions tell it."""
        return headers.short(f"x-{self.name}-hook-installation-target-type")

    def compose(self, announcement: Announcement) -> tuple[dict[str, str], bytes]:
        """A push, or a deletion; its test button sends a push that moves nothing.

        Raises GitreloadError where the announced URL names no repository.
        """
        told = announcement
        event = "delete" if told.deleted else "push"
        body = compact(_deletion(told) if told.deleted else _payload(told))
        headers = {"Content-Type": JSON, "User-Agent": "Go-http-client/1.1"}
        for brand in self._brands:
            headers |= {
                f"X-{brand}-Delivery": told.delivery_id,
                f"X-{brand}-Event": event,
            }
        for header, prefix in self._signatures:
            headers[header] = prefix + ("" if told.secret is None else sha256(body, told.secret))
        return headers, body


def _empty(signature: tuple[str, str]) -> tuple[str | None, ...]:
    return (None, "", signature[1])


def _signed_text(headers: Headers, body: bytes) -> bytes:
    try:
        return json_of(headers, body)
    except Malformed:
        return body  # is told afterwards, and only to those who may know


def _explain(signature: tuple[str, str], headers: Headers, body: bytes, keys: Keys) -> None:
    """Raise Unauthentic with a better reason where the form is what was signed."""
    header, prefix = signature
    try:
        require_sha256(header, headers, body, keys, prefix=prefix)
    except Unauthentic:
        return
    raise Unauthentic(
        "signed over another body",
        f"the signature ({header}) is of the form as it was sent, where the JSON in it is to be"
        " signed: let the hook send application/json",
    )


def _payload(told: Announcement) -> dict[str, Any]:
    user = {"id": 1, "login": "gitreload", "username": "gitreload", "email": ""}
    return {
        "ref": told.ref,
        "before": told.before,
        "after": told.after,
        "commits": [{"id": told.after, "message": "Sent by gitreload"}],
        "repository": _repository(told.url),
        "pusher": user,
        "sender": user,
    }


def _deletion(told: Announcement) -> dict[str, Any]:
    return {
        "ref": told.short_ref,
        "ref_type": "tag" if told.ref.startswith("refs/tags/") else "branch",
        "pusher_type": "user",
        "repository": _repository(told.url),
        "sender": {"id": 1, "login": "gitreload", "username": "gitreload", "email": ""},
    }


def _repository(url: str) -> dict[str, Any]:
    told = origin(url)
    return {
        "id": 1,
        "name": told.name,
        "full_name": told.full_name,
        "html_url": told.page,
        "ssh_url": told.ssh,
        "clone_url": told.clone,
    }
