"""Gitee.

Headers and payloads: https://help.gitee.com/webhook/gitee-webhook-push-data-format
The two proofs: https://gitee.com/help/articles/4290
"""

from __future__ import annotations

import base64
import re
from hmac import compare_digest
from typing import Any
from urllib.parse import unquote

from gitreload.forges.body import (
    JSON,
    Payload,
    Ref,
    Text,
    Url,
    distinct,
    is_zero,
    json_of,
    parse,
    revision,
)
from gitreload.forges.compose import Announcement, compact, origin
from gitreload.forges.request import Headers, Keys, Malformed, Unauthentic
from gitreload.forges.signatures import (
    hmac_sha256,
    malformed,
    require_recent,
    unsigned,
)
from gitreload.model import Delivery, Push
from gitreload.webhook_keys import strict_base64

name = "gitee"
proofs = frozenset({b"x-gitee-token"})
secret_fields = ("password", "sign")
has_ping = True

EVENT = "x-gitee-event"
told_in = (EVENT,)
TOKEN = "X-Gitee-Token"  # noqa: S105 - a header's name
TIMESTAMP = "X-Gitee-Timestamp"

_MILLISECONDS = re.compile(r"[0-9]{1,15}")
# Either spelling is seen in the header.
_PUSHES = frozenset({"Push Hook", "Tag Push Hook", "push_hooks", "tag_push_hooks"})


class _Repository(Payload, frozen=True):
    full_name: Text | None = None
    path_with_namespace: Text | None = None
    clone_url: Url | None = None
    git_http_url: Url | None = None
    ssh_url: Url | None = None
    git_ssh_url: Url | None = None
    html_url: Url | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        http = (self.clone_url, self.git_http_url)
        return distinct((*http, self.ssh_url, self.git_ssh_url, self.html_url))


class _Pusher(Payload, frozen=True):
    username: Text | None = None
    name: Text | None = None


class _Hook(Payload, frozen=True):
    hook_id: int | None = None


class _Push(_Hook, frozen=True, kw_only=True):
    ref: Ref
    repository: _Repository
    before: str | None = None
    after: str | None = None
    deleted: bool | None = None
    pusher: _Pusher | None = None


def recognises(headers: Headers) -> bool:
    return headers.has(EVENT)


def authenticate(headers: Headers, _body: bytes, keys: Keys, now: float) -> tuple[int, ...]:
    """The secret itself, or a signature of the time; neither covers the body. Raises Unauthentic.

    Which of the two a hook sends cannot be told from the header, so both are tried.
    """
    value = headers.get(TOKEN.lower())
    if not value:
        raise unsigned("token", TOKEN)
    sent = value.encode("latin-1")
    secrets = tuple([place for place, key in keys.plain if compare_digest(key, sent)])
    if secrets:
        return secrets
    # The description has it percent-encoded, what is sent is not.
    signature = strict_base64(unquote(value)) or b""
    stamp = headers.get(TIMESTAMP.lower()) or ""
    signed = tuple(
        [place for place, key in keys.plain if compare_digest(_signature(stamp, key), signature)]
    )
    if not signed:
        raise Unauthentic(
            "wrong secret",
            f"the token ({TOKEN}) is neither one of WEBHOOK_SECRETS nor signed with one: compare"
            " this hook's password or key with WEBHOOK_SECRETS",
        )
    if _MILLISECONDS.fullmatch(stamp) is None:
        raise malformed(TIMESTAMP, "milliseconds since 1970 in digits", what="timestamp")
    require_recent(TIMESTAMP, int(stamp) / 1000, now)
    return signed


def _signature(stamp: str, key: bytes) -> bytes:
    return hmac_sha256(stamp.encode() + b"\n" + key, key)


def read(headers: Headers, body: bytes) -> Delivery:
    """Understand an authentic request; raises Malformed."""
    text = json_of(headers, body)
    event = headers.short(EVENT) or "unknown"
    ping = headers.get("x-gitee-ping") == "true"
    pushes: tuple[Push, ...] = ()
    if ping or event not in _PUSHES:
        number = parse(_Hook, text).hook_id
    else:
        push = parse(_Push, text)
        number, pushes = push.hook_id, (_push(push),)
    return Delivery(
        forge=name,
        event=event,
        hook=None if number is None else str(number),
        pushes=pushes,
        ping=ping,
        ignored=None if ping or pushes else f"the event {event} is not a push",
    )


def hook(_headers: Headers) -> str | None:
    """The id stands in the body only."""
    return None


def claimed(_headers: Headers) -> str | None:
    """No header tells."""
    return None


def _push(payload: _Push) -> Push:
    repository, pusher = payload.repository, payload.pusher
    if not repository.urls:
        raise Malformed("the payload cannot be read: repository: it has no clone_url")
    return Push(
        ref=payload.ref,
        urls=repository.urls,
        repository=repository.full_name or repository.path_with_namespace,
        before=revision(payload.before),
        after=revision(payload.after),
        deleted=bool(payload.deleted) or is_zero(payload.after),
        pusher=(pusher.username or pusher.name) if pusher else None,
    )


def compose(announcement: Announcement) -> tuple[dict[str, str], bytes]:
    """A push or a test, signed; raises GitreloadError where the URL names no repository."""
    told = announcement
    tag = told.ref.startswith("refs/tags/")
    stamp = str(int(told.now * 1000))
    body = compact(_payload(told, "tag_push_hooks" if tag else "push_hooks", stamp))
    headers = {
        "Content-Type": JSON,
        "User-Agent": "git-oschina-hook",
        "X-Gitee-Event": "Tag Push Hook" if tag else "Push Hook",
        "X-Gitee-Ping": "true" if told.ping else "false",
        TIMESTAMP: stamp,
        TOKEN: "",
    }
    if told.secret is not None:
        headers[TOKEN] = base64.b64encode(_signature(stamp, told.secret)).decode()
    return headers, body


def _payload(told: Announcement, kind: str, stamp: str) -> dict[str, Any]:
    repository = origin(told.url)
    return {
        "hook_name": kind,
        "hook_id": 1,
        "timestamp": stamp,
        "ref": told.ref,
        "before": told.before,
        "after": told.after,
        "created": told.created,
        "deleted": told.deleted,
        "commits": [],
        "repository": {
            "id": 1,
            "full_name": repository.full_name,
            "clone_url": repository.clone,
            "ssh_url": repository.ssh,
            "html_url": repository.page,
        },
        "pusher": {"name": "gitreload", "username": "gitreload"},
    }
