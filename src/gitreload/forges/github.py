"""GitHub and GitHub Enterprise Server.

Headers, and how they are signed:
https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
The payloads: https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlencode

from gitreload.forges.body import FORM, JSON, Payload, Ref, Text, Url, json_of, parse
from gitreload.forges.request import Headers, Malformed, Unauthentic
from gitreload.forges.signatures import require_sha256, sha256
from gitreload.model import Delivery, GitreloadError, Push
from gitreload.remotes import canonical, mask

name = "github"

EVENT = "x-github-event"
SIGNATURE = "X-Hub-Signature-256"
TARGET = "x-github-hook-installation-target-type"

_REVISION = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})")


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
        return tuple(dict.fromkeys(filter(None, every)))


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
    return headers.get(EVENT) is not None


def authenticate(headers: Headers, body: bytes, secrets: Sequence[bytes]) -> None:
    """The signature covers the body as sent, also of a form; raises Unauthentic."""
    signature = headers.get(SIGNATURE.lower())
    if signature is None and headers.get("x-hub-signature"):
        raise Unauthentic(
            "SHA-1 only",
            f"only the old SHA-1 signature was sent: gitreload needs {SIGNATURE}",
        )
    require_sha256(SIGNATURE, signature, body, secrets)


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
        before=_revision(payload.before),
        after=_revision(payload.after),
        deleted=bool(payload.deleted) or _is_zero(payload.after),
        pusher=payload.pusher.name if payload.pusher else None,
    )


def _revision(text: str | None) -> str | None:
    """A full commit id in lower case. What is none (zeros too) tells nothing: None."""
    if text is None or len(text) not in (40, 64) or _is_zero(text):
        return None
    lower = text.lower()
    return lower if _REVISION.fullmatch(lower) else None


def _is_zero(text: str | None) -> bool:
    return text is not None and text != "" and not text.strip("0")


def compose(
    event: Literal["push", "ping"],
    *,
    url: str,
    branch: str,
    before: str,
    after: str,
    delivery_id: str,
    secret: bytes | None,
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a `push` or `ping` as GitHub sends it, to try a set-up end to end.

    `url` is a remote in any spelling; its credentials are not sent. Raises GitreloadError where it
    names no repository.
    """
    push = push_payload(url, f"refs/heads/{branch}", before, after)
    body = body_of(push if event == "push" else ping_payload(push["repository"]))
    return headers_of(event, body, delivery_id=delivery_id, secret=secret), body


def push_payload(url: str, ref: str, before: str, after: str) -> dict[str, Any]:
    """The parts of a push that receivers read; zeros stand for "no commit", as in git's hooks."""
    created, deleted = _is_zero(before), _is_zero(after)
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
    text = json.dumps(payload, separators=(",", ":")).encode()
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
        headers[SIGNATURE] = sha256(body, secret)
    return headers


def _repository_payload(url: str) -> dict[str, Any]:
    identity = canonical(url)
    if identity is None:
        raise GitreloadError(
            f"{mask(url)} names no repository that a forge could tell of: give the checkout's"
            " origin a URL with host and path, or an absolute path."
        )
    local = identity.startswith("file:")
    path = identity.removeprefix("file:")
    page = f"file://{path}" if local else f"https://{path}"
    return {
        "id": 1,
        "name": path.rpartition("/")[2],
        "full_name": "/".join(path.split("/")[-2:]),
        "html_url": page,
        "url": page,
        "clone_url": f"{page}.git",
        "git_url": None if local else f"git://{path}.git",
        "ssh_url": None if local else f"ssh://git@{path}.git",
    }
