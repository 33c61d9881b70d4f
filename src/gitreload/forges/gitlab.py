"""GitLab: project, group and system hooks.

Headers, and how they prove themselves: https://docs.gitlab.com/user/project/integrations/webhooks/
Payloads: https://docs.gitlab.com/user/project/integrations/webhook_events/#push-events
System hooks: https://docs.gitlab.com/administration/system_hooks/
"""

from __future__ import annotations

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
from gitreload.forges.request import Headers, Keys, Malformed
from gitreload.forges.signatures import require_token, unsigned
from gitreload.forges.standard_webhooks import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    once,
    require_signature,
    sign_with,
)
from gitreload.model import Delivery, GitreloadError, Push
from gitreload.webhook_keys import SYMMETRIC

name = "gitlab"
proofs = frozenset({b"x-gitlab-token", SIGNATURE.encode()})
secret_fields = ()
has_ping = False

EVENT = "x-gitlab-event"
TOKEN = "X-Gitlab-Token"  # noqa: S105 - a header's name
INSTANCE = "x-gitlab-instance"
told_in = (EVENT, INSTANCE)

# A system hook may tell each push once with all its refs: repository_update.
_PUSHES = frozenset({"push", "tag_push", "repository_update"})
# Custom templates need not say in the body what they are.
_BY_HEADER = {"Push Hook": "push", "Tag Push Hook": "tag_push"}


class _Kind(Payload, frozen=True):
    object_kind: Id | None = None
    event_name: Id | None = None


class _Project(Payload, frozen=True):
    path_with_namespace: Text | None = None
    git_http_url: Url | None = None
    git_ssh_url: Url | None = None
    web_url: Url | None = None
    http_url: Url | None = None
    ssh_url: Url | None = None
    # Before GitLab 8.5 there was only `repository`, with these.
    homepage: Url | None = None
    url: Url | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        urls = (self.git_http_url, self.git_ssh_url, self.web_url)
        old = (self.http_url, self.ssh_url, self.homepage, self.url)
        return distinct((*urls, *old))


class _Change(Payload, frozen=True):
    ref: Ref
    before: str | None = None
    after: str | None = None


class _About(Payload, frozen=True):
    """What pushes of either form tell besides refs."""

    project: _Project | None = None
    repository: _Project | None = None
    user_username: Text | None = None
    user_name: Text | None = None

    def push(self, change: _Change) -> Push:
        told = [one for one in (self.project, self.repository) if one is not None]
        urls = distinct(url for one in told for url in one.urls)
        if not urls:
            raise Malformed("the payload cannot be read: project: it has no git_http_url")
        return Push(
            ref=change.ref,
            urls=urls,
            repository=self.project.path_with_namespace if self.project else None,
            before=revision(change.before),
            after=revision(change.after),
            deleted=is_zero(change.after),
            pusher=self.user_username or self.user_name,
        )


class _Update(_About, frozen=True, kw_only=True):
    changes: Refs[_Change]


def recognises(headers: Headers) -> bool:
    return headers.has(EVENT)


def authenticate(headers: Headers, body: bytes, keys: Keys, now: float) -> tuple[int, ...]:
    """A token, a signature, or both, and then both have to be right; raises Unauthentic."""
    places: tuple[int, ...] = ()
    if headers.get(SIGNATURE):
        places += require_signature(headers, body, keys, now)
    if headers.get(TOKEN.lower()):
        places += require_token(TOKEN, headers, keys)
    if not places:
        raise unsigned("token", TOKEN)
    return places


def read(headers: Headers, body: bytes) -> Delivery:
    """Understand an authentic request; raises Malformed."""
    text = json_of(headers, body)
    told = parse(_Kind, text)
    event = told.object_kind or told.event_name or _BY_HEADER.get(headers.get(EVENT) or "")
    pushes: tuple[Push, ...] = ()
    if event == "repository_update":
        update = parse(_Update, text)
        pushes = tuple(update.push(change) for change in update.changes)
    elif event in _PUSHES:
        pushes = (parse(_About, text).push(parse(_Change, text)),)
    nonces, fresh_until = once(headers, body)
    return Delivery(
        forge=name,
        event=event or "unknown",
        # Stays the same when GitLab tries again. X-Gitlab-Webhook-UUID is the hook's, and
        # X-Gitlab-Event-UUID is shared by all hooks that one event sets off.
        delivery_id=headers.short(ID) or headers.short("idempotency-key"),
        hook=hook(headers),
        pushes=pushes,
        ignored=None if event in _PUSHES else f"the event {event or 'unknown'} is not a push",
        nonces=nonces,
        fresh_until=fresh_until,
    )


def hook(headers: Headers) -> str | None:
    return headers.short("x-gitlab-webhook-uuid")


def claimed(headers: Headers) -> str | None:
    """The instance's address."""
    return headers.short(INSTANCE)


def compose(announcement: Announcement) -> tuple[dict[str, str], bytes]:
    """A push of a branch or tag; its test button sends one too.

    A secret that begins with `whsec_` signs it, another is its token. Raises GitreloadError where
    the announced URL names no repository, or the secret is no key.
    """
    told = announcement
    repository = origin(told.url)
    tag = told.ref.startswith("refs/tags/")
    body = compact(_payload(told, "tag_push" if tag else "push"))
    headers = {
        "Content-Type": JSON,
        "User-Agent": "GitLab/gitreload",
        "X-Gitlab-Event": "Tag Push Hook" if tag else "Push Hook",
        "X-Gitlab-Webhook-UUID": "1",
        "Idempotency-Key": told.delivery_id,
    }
    if not repository.local:
        headers["X-Gitlab-Instance"] = f"https://{repository.path.partition('/')[0]}"
    return headers | _proof(told, body), body


def _proof(told: Announcement, body: bytes) -> dict[str, str]:
    if told.secret is None:
        return {}
    if not told.secret.startswith(SYMMETRIC):
        return {TOKEN: told.secret.decode("latin-1")}
    seconds = int(told.now)
    signature = sign_with(told.secret, told.delivery_id, seconds, body)
    if signature is None:
        raise GitreloadError("the secret is no signing token: after whsec_ comes Base64")
    return {ID: told.delivery_id, TIMESTAMP: str(seconds), SIGNATURE: signature}


def _payload(told: Announcement, kind: str) -> dict[str, Any]:
    return {
        "object_kind": kind,
        "event_name": kind,
        "ref": told.ref,
        "before": told.before,
        "after": told.after,
        "checkout_sha": None if told.deleted else told.after,
        "user_name": "gitreload",
        "user_username": "gitreload",
        "project_id": 1,
        "project": _project(told.url),
        "commits": [],
        "total_commits_count": 0,
    }


def _project(url: str) -> dict[str, Any]:
    told = origin(url)
    return {
        "id": 1,
        "name": told.name,
        "web_url": told.page,
        "git_ssh_url": told.ssh,
        "git_http_url": told.clone,
        "path_with_namespace": told.full_name,
    }
