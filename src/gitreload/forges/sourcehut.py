"""SourceHut's git.sr.ht, with the webhooks of its GraphQL API and of the API before it.

Headers and signatures: https://man.sr.ht/graphql.md#webhooks and
https://man.sr.ht/api-conventions.md#webhook-signatures
Payloads: https://man.sr.ht/git.sr.ht/graphql.md and https://man.sr.ht/git.sr.ht/api.md

A GraphQL webhook sends the answer to a query of its owner's. Read is what this one asks for:

    query { webhook { uuid event ... on GitEvent {
        repository { name owner { canonicalName } } pusher { canonicalName }
        updates { ref { name } old { id } new { id } } } } }

An instance signs for all its users with one key. So its signature proves that the instance sent
this, but not for whom: with aliases in a query any user can have any answer signed. A wrong one
costs a look at the remote, as what is deployed is always what that says.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from gitreload.forges.body import JSON, Payload, Ref, Refs, Text, json_of, parse, revision
from gitreload.forges.compose import Announcement, compact, origin
from gitreload.forges.request import Headers, Keys, Unauthentic
from gitreload.forges.signatures import ed25519_fits, ed25519_signature, malformed, unsigned
from gitreload.model import Delivery, GitreloadError, Push
from gitreload.webhook_keys import strict_base64

name = "sourcehut"
proofs = frozenset({b"x-payload-signature"})
secret_fields = ()
has_ping = False

# The key of sr.ht itself; other instances have their own.
KEY = base64.b64decode("uX7KWyyDNMaBma4aVbJ/cbUQpdjqczuCyK/HxzV/u+4=")
HOST = "git.sr.ht"

SIGNATURE = "X-Payload-Signature"
NONCE = "X-Payload-Nonce"
EVENT = "x-webhook-event"
told_in = (EVENT,)

# Signed is the body with the nonce behind it. As JSON ends with a brace, and no brace or space is
# in a nonce, the border between them cannot be moved to make a used nonce look new.
_NONCE = re.compile(r"[0-9A-Za-z]{1,64}")


class _Object(Payload, frozen=True):
    id: str | None = None


class _Ref(Payload, frozen=True):
    name: Ref


class _User(Payload, frozen=True, rename="camel"):
    canonical_name: Text


class _Repository(Payload, frozen=True):
    name: Text
    owner: _User

    @property
    def full_name(self) -> str:
        return f"{self.owner.canonical_name}/{self.name}"


class _Update(Payload, frozen=True):
    """`ref` is null where the ref is not there any more."""

    ref: _Ref | None = None
    old: _Object | None = None
    new: _Object | None = None


class _GitEvent(Payload, frozen=True):
    updates: Refs[_Update]
    repository: _Repository | None = None
    pusher: _User | None = None

    def told(self) -> tuple[Push, ...]:
        repository = self.repository.full_name if self.repository else None
        return tuple(
            Push(
                ref=update.ref.name,
                urls=(f"https://{HOST}/{repository}",) if repository else (),
                repository=repository,
                before=_revision(update.old),
                after=_revision(update.new),
                deleted=update.new is None,
                pusher=self.pusher.canonical_name if self.pusher else None,
            )
            for update in self.updates
            if update.ref
        )


class _Data(Payload, frozen=True):
    webhook: _GitEvent


class _Answer(Payload, frozen=True):
    data: _Data

    def told(self) -> tuple[Push, ...]:
        return self.data.webhook.told()


class _OldUser(Payload, frozen=True):
    canonical_name: Text


class _OldUpdate(Payload, frozen=True):
    name: Ref
    old: _Object | None = None
    new: _Object | None = None


class _PostUpdate(Payload, frozen=True):
    """It does not tell the repository, so the hook's URL has to."""

    refs: Refs[_OldUpdate]
    pusher: _OldUser | None = None

    def told(self) -> tuple[Push, ...]:
        return tuple(
            Push(
                ref=update.name,
                urls=(),
                before=_revision(update.old),
                after=_revision(update.new),
                deleted=update.new is None,
                pusher=self.pusher.canonical_name if self.pusher else None,
            )
            for update in self.refs
        )


_EVENTS: Mapping[str, type[_Answer | _PostUpdate]] = {
    "GIT_POST_RECEIVE": _Answer,
    "repo:post-update": _PostUpdate,
}


def recognises(headers: Headers) -> bool:
    """Its other headers are named as many senders name theirs."""
    return headers.has(SIGNATURE.lower())


def authenticate(headers: Headers, body: bytes, keys: Keys, _now: float) -> tuple[int, ...]:
    """No place: the key is the instance's, not one of our secrets. Raises Unauthentic."""
    value = headers.get(SIGNATURE.lower())
    if not value:
        raise unsigned("signature", SIGNATURE)
    signature = strict_base64(value)
    if signature is None or len(signature) != 64:
        raise malformed(SIGNATURE, "the Base64 of 64 bytes")
    nonce = headers.get(NONCE.lower()) or ""
    if _NONCE.fullmatch(nonce) is None:
        raise malformed(NONCE, "up to 64 letters and digits", what="nonce")
    signed = body + nonce.encode()
    if not any(ed25519_fits(key, signature, signed) for key in keys.public):
        raise Unauthentic(
            "unknown key",
            f"the signature ({SIGNATURE}) is of no SourceHut instance that is trusted here: set"
            ' "FORGE": "sourcehut" for the checkout in REPOS',
        )
    return ()


def read(headers: Headers, body: bytes) -> Delivery:
    """Understand an authentic request; raises Malformed."""
    text = json_of(headers, body)
    event = headers.short(EVENT) or "unknown"
    model = _EVENTS.get(event)
    pushes: tuple[Push, ...] = ()
    ignored = None
    if model is None:
        parse(Payload, text)
        ignored = f"the event {event} is not a push"
    else:
        pushes = parse(model, text).told()
        ignored = None if pushes else "no ref that it tells of is there any more"
    nonce = headers.short(NONCE.lower()) if headers.get(SIGNATURE.lower()) else None
    return Delivery(
        forge=name,
        event=event,
        delivery_id=headers.short("x-webhook-delivery"),
        pushes=pushes,
        ignored=ignored,
        # Its failures are shown to the owner, and not counted.
        never_disabled=True,
        nonces=(nonce,) if nonce else (),
    )


def hook(_headers: Headers) -> str | None:
    """No header tells."""
    return None


def claimed(_headers: Headers) -> str | None:
    """No header tells."""
    return None


def _revision(told: _Object | None) -> str | None:
    return revision(told.id) if told else None


def compose(announcement: Announcement) -> tuple[dict[str, str], bytes]:
    """A push, as the answer to the query above; there is no test call.

    It is signed with an Ed25519 key, `whsk_` and the Base64 of its 32 bytes, as nobody has sr.ht's.
    Raises GitreloadError where the secret is none, or the URL names no repository of git.sr.ht.
    """
    told = announcement
    body = compact({"data": {"webhook": _event(told)}})
    nonce = hashlib.sha256(told.delivery_id.encode()).hexdigest()[:16]
    headers = {
        "Content-Type": JSON,
        "X-Webhook-Event": "GIT_POST_RECEIVE",
        "X-Webhook-Delivery": told.delivery_id,
        NONCE: nonce,
        SIGNATURE: "",
    }
    if told.secret is not None:
        headers[SIGNATURE] = base64.b64encode(_sign(body + nonce.encode(), told.secret)).decode()
    return headers, body


def _sign(text: bytes, secret: bytes) -> bytes:
    signature = ed25519_signature(secret, text)
    if signature is None:
        raise GitreloadError(
            "the secret cannot sign as SourceHut does: it has to be whsk_ and the Base64 of the 32"
            " bytes of an Ed25519 key"
        )
    return signature


def _event(told: Announcement) -> dict[str, Any]:
    repository = origin(told.url)
    owner, _, last = repository.full_name.rpartition("/")
    if repository.path != f"{HOST}/{repository.full_name}" or not owner:
        raise GitreloadError(
            f"SourceHut tells only of repositories on {HOST}, and the checkout's origin is none:"
            " send as its own forge does"
        )
    return {
        "uuid": told.delivery_id,
        "event": "GIT_POST_RECEIVE",
        "repository": {"name": last, "owner": {"canonicalName": owner}},
        "pusher": {"canonicalName": "~gitreload"},
        "updates": [
            {
                "ref": {"name": told.ref},
                "old": None if told.created else {"id": told.before},
                "new": None if told.deleted else {"id": told.after},
            }
        ],
    }
