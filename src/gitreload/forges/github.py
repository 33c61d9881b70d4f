"""GitHub and GitHub Enterprise Server.

Headers, and how they are signed:
https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
The payloads: https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from gitreload.forges.body import (
    FORM,
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
from gitreload.forges.signatures import require_sha256, sha256
from gitreload.model import Delivery, Push

name = "github"
proofs = frozenset({b"x-hub-signature-256", b"x-hub-signature"})
secret_fields = ()
has_ping = True

EVENT = "x-github-event"
SIGNATURE = "X-Hub-Signature-256"
PREFIX = "sha256="
TARGET = "x-github-hook-installation-target-type"
told_in = (EVENT, TARGET, "x-github-hook-installation-target-id")


class _Repository(Payload, frozen=True):
    full_name: Text | None = None
    clone_url: Url | None = None
    ssh_url: Url | None = None
    git_url: Url | None = None
    html_url: Url | None = None
    url: Url | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        every = (self.clone_url, self.ssh_url, self.git_url, self.html_url, self.url)
        return distinct(every)


class _Pusher(Payload, frozen=True):
    name: Text | None = None


class _Push(Payload, frozen=True):
    ref: Ref
    repository: _Repository
    before: str | None = None
    after: str | None = None
    deleted: bool | None = None
    pusher: _Pusher | None = None


def recognises(headers: Headers) -> bool:
    """GitHub names the event of every delivery."""
    return headers.has(EVENT)


def authenticate(headers: Headers, body: bytes, keys: Keys, _now: float) -> tuple[int, ...]:
    """The signature covers the body as sent, also of a form; raises Unauthentic."""
    if not headers.has(SIGNATURE.lower()) and headers.get("x-hub-signature"):
        raise Unauthentic(
            "SHA-1 only",
            f"only the old SHA-1 signature was sent: gitreload needs {SIGNATURE}",
        )
    try:
        return require_sha256(SIGNATURE, headers, body, keys, prefix=PREFIX)
    except Unauthentic as error:
        if error.why == "wrong secret" and is_form(headers) and len(body) <= LOOK_BYTES:
            _explain(headers, body, keys)
        raise


def _explain(headers: Headers, body: bytes, keys: Keys) -> None:
    """Raise Unauthentic with a better reason where the JSON in the form is what was signed."""
    try:
        require_sha256(SIGNATURE, headers, json_of(headers, body), keys, prefix=PREFIX)
    except (Malformed, Unauthentic):
        return
    raise Unauthentic(
        "signed over another body",
        f"the signature ({SIGNATURE}) is of the JSON in the form, where GitHub signs the form as"
        " it is sent: let the hook send application/json",
    )


def read(headers: Headers, body: bytes) -> Delivery:
    """Understand an authentic request; raises Malformed.

    Without the event's header, as scripts send it, what has a push's shape is a push.
    """
    text = json_of(headers, body)
    event = "push" if headers.get(EVENT) is None else headers.short(EVENT) or "unknown"
    pushes: tuple[Push, ...] = ()
    ignored = None
    if event == "push":
        pushes = (_push(parse(_Push, text)),)
    else:
        parse(Payload, text)
        if event != "ping":
            ignored = f"the event {event} is not a push"
    return Delivery(
        forge=name,
        event=event,
        # Redelivering by hand keeps it:
        # https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks
        delivery_id=headers.short("x-github-delivery"),
        hook=hook(headers),
        pushes=pushes,
        ping=event == "ping",
        ignored=ignored,
        # The hooks of organizations and apps serve many repositories; one that is not cloned here
        # is no fault of theirs, so it must not look like one in their list of deliveries.
        never_disabled=headers.get(TARGET) in (None, "repository"),
    )


def hook(headers: Headers) -> str | None:
    """The id of the webhook, as in the address of its settings page."""
    return headers.short("x-github-hook-id")


def claimed(headers: Headers) -> str | None:
    """What the webhook belongs to, such as "repository 123"."""
    kind, number = headers.short(TARGET), headers.short("x-github-hook-installation-target-id")
    return f"{kind} {number}" if kind and number else None


def _push(payload: _Push) -> Push:
    urls = payload.repository.urls
    if not urls:
        raise Malformed("the payload cannot be read: repository: it has no clone_url")
    return Push(
        ref=payload.ref,
        urls=urls,
        repository=payload.repository.full_name,
        before=revision(payload.before),
        after=revision(payload.after),
        deleted=bool(payload.deleted) or is_zero(payload.after),
        pusher=payload.pusher.name if payload.pusher else None,
    )


def compose(announcement: Announcement) -> tuple[dict[str, str], bytes]:
    """Headers and body of a `push` or `ping` of a repository's hook.

    Raises GitreloadError where the announced URL names no repository.
    """
    told = announcement
    push = push_payload(told.url, told.ref, told.before, told.after)
    event = "ping" if told.ping else "push"
    body = body_of(ping_payload(push["repository"]) if told.ping else push)
    return headers_of(event, body, delivery_id=told.delivery_id, secret=told.secret), body


def push_payload(url: str, ref: str, before: str, after: str) -> dict[str, Any]:
    """The parts of a push that receivers read; zeros stand for "no commit", as in git's hooks."""
    created, deleted = is_zero(before), is_zero(after)
    head = {"id": after, "message": "Sent by gitreload", "added": [], "removed": [], "modified": []}
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "created": created,
        "deleted": deleted,
        "forced": False,
        "base_ref": None,
        "commits": [] if deleted else [head],
        "head_commit": None if deleted else head,
        "repository": _repository_payload(url),
        "pusher": {"name": "gitreload", "email": None},
        "sender": {"login": "gitreload", "type": "User"},
    }


def ping_payload(repository: Mapping[str, Any]) -> dict[str, Any]:
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#ping"""
    hook = {"type": "Repository", "id": 1, "name": "web", "active": True, "events": ["push"]}
    return {"zen": "Sent by gitreload", "hook_id": 1, "hook": hook, "repository": repository}


def body_of(payload: Mapping[str, Any], *, form: bool = False) -> bytes:
    """The payload as GitHub puts it on the wire: compact JSON, bare or in a form."""
    text = compact(payload)
    return urlencode({"payload": text}).encode() if form else text


def headers_of(
    event: str, body: bytes, *, delivery_id: str, secret: bytes | None, form: bool = False
) -> dict[str, str]:
    """What GitHub sends with a body of a repository's hook; signed unless `secret` is None."""
    headers = {
        "Accept": "*/*",
        "Content-Type": FORM if form else JSON,
        "User-Agent": "GitHub-Hookshot/gitreload",
        "X-GitHub-Delivery": delivery_id,
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": "1",
        "X-GitHub-Hook-Installation-Target-ID": "1",
        "X-GitHub-Hook-Installation-Target-Type": "repository",
    }
    if secret is not None:
        headers[SIGNATURE] = PREFIX + sha256(body, secret)
    return headers


def _repository_payload(url: str) -> dict[str, Any]:
    told = origin(url)
    return {
        "id": 1,
        "name": told.name,
        "full_name": told.full_name,
        "html_url": told.page,
        "url": told.page,
        "clone_url": told.clone,
        "git_url": None if told.local else f"git://{told.path}.git",
        "ssh_url": told.ssh,
    }
