"""Who sent a request, is it genuine, and which pushes does it tell of: functions without I/O.

A forge is a module that has what `Forge` lists, and a place in `FORGES`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Protocol

from msgspec import structs

from gitreload.forges import (
    azure,
    bitbucket_cloud,
    bitbucket_dc,
    forgejo,
    gitea,
    gitee,
    github,
    gitlab,
    gogs,
    sourcehut,
    standard,
)
from gitreload.forges.body import json_of, tree, without
from gitreload.forges.compose import Announcement
from gitreload.forges.request import (
    LOOK_BYTES,
    Headers,
    Keys,
    Malformed,
    Paths,
    Refusal,
    Unauthentic,
    Unsigned,
)
from gitreload.forges.signatures import sha256
from gitreload.model import Delivery, Push
from gitreload.remotes import MAX_URL, mask
from gitreload.visible import visible

__all__ = [
    "BY_NAME",
    "FORGES",
    "LONGEST_CLAIM",
    "SECRET_FIELDS",
    "Announcement",
    "Forge",
    "Headers",
    "Keys",
    "Malformed",
    "Paths",
    "Refusal",
    "addressed",
    "kept",
    "look",
    "named",
    "payload",
    "pushes",
    "read",
    "redacted",
    "refuse",
]

LONGEST_CLAIM = 256  # characters of a repository's name that a log line shows


class Forge(Protocol):
    """What a forge's module offers."""

    @property
    def name(self) -> str: ...

    @property
    def proofs(self) -> frozenset[bytes]:
        """The header fields, in lower case, in which this forge sends signatures and tokens."""

    @property
    def secret_fields(self) -> tuple[str, ...]:
        """The keys of the JSON whose values are secrets, which must not be stored."""

    @property
    def told_in(self) -> tuple[str, ...]:
        """The header fields, in lower case, that tell what a delivery is about; none is secret."""

    @property
    def has_ping(self) -> bool:
        """Whether `compose` can write a test call; the test buttons of others send a push."""

    def recognises(self, headers: Headers, /) -> bool:
        """Whether the headers are this forge's. The first forge that says so reads the request."""

    def authenticate(
        self, headers: Headers, body: bytes, keys: Keys, now: float, /
    ) -> tuple[int, ...]:
        """The places in `keys.secrets` of those that prove that the forge sent this.

        Every signature and token that is there has to be right. Raises Unsigned where there is
        none, and Unauthentic where one is wrong. `now` is in seconds since 1970.
        """

    def read(self, headers: Headers, body: bytes, /) -> Delivery:
        """Understand an authentic request; raise Malformed where that cannot be done."""

    def hook(self, headers: Headers, /) -> str | None:
        """The webhook's id, as claimed."""

    def claimed(self, headers: Headers, /) -> str | None:
        """What the webhook belongs to, as claimed."""

    def compose(self, announcement: Announcement, /) -> tuple[dict[str, str], bytes]:
        """Headers and body as this forge sends them; raises GitreloadError where it cannot."""


# In the order in which they are tried: the ones before send the headers of those after them too.
FORGES: tuple[Forge, ...] = (
    forgejo.FORGE,
    gitea.FORGE,
    gogs.FORGE,
    github,
    gitlab,
    gitee,
    bitbucket_cloud,
    bitbucket_dc,
    azure,
    sourcehut,
    standard.Sender(),
)
BY_NAME = {forge.name: forge for forge in FORGES}
_PROOFS = frozenset[bytes]().union(*(forge.proofs for forge in FORGES))
_FOREIGN = {forge.name: _PROOFS - forge.proofs for forge in FORGES}
SECRET_FIELDS = tuple({field for forge in FORGES for field in forge.secret_fields})
_KEPT = {
    forge.name: tuple(name.encode() for name in ("content-type", "user-agent", *forge.told_in))
    for forge in FORGES
}


def read(
    headers: Headers, body: bytes, keys: Keys, *, forge: str | None = None, now: float
) -> Delivery:
    """The delivery in a request, authenticated before a byte of its body is understood.

    `forge` names the one that it has to come from; otherwise the headers tell, and without any
    forge's header it counts as GitHub's. `now` is in seconds since 1970.

    Raises Refusal: 401 where it is not genuine, 400 where it cannot be understood. Without keys
    nothing can be genuine, and only `keys.unsigned` lets a request pass; signatures are then not
    looked at. Otherwise all that came along has to be right, also beside a right Basic credential.
    """
    sender = _sender(headers, forge, keys.paths)
    try:
        proven_by = _authenticate(sender, headers, body, keys, now)
        if forge is not None and forge not in BY_NAME:
            known = ", ".join(BY_NAME)
            raise Malformed(  # noqa: TRY301
                f"the hook's address names the forge {visible(forge)[:32]!r}, which is none:"
                f" expected one of {known}"
            )
        delivery = sender.read(headers, body)
    except Unauthentic as error:
        repository = _claimed_repository(sender, headers, body)
        raise _refusal(sender, headers, 401, error.why, str(error), repository) from None
    except Malformed as error:
        raise _refusal(sender, headers, 400, "malformed", str(error)) from None
    if not proven_by:
        return delivery
    # Made just now, and nobody else has it: a copy would take as long as half the signature.
    structs.force_setattr(delivery, "proven_by", proven_by)
    if delivery.nonces:
        nonces = _bound(delivery.nonces, [keys.secrets[place] for place in proven_by])
        structs.force_setattr(delivery, "nonces", nonces)
    return delivery


def look(
    headers: Headers, body: bytes, paths: Paths, *, forge: str | None = None
) -> Delivery | None:
    """What a request claims, genuine or not; None where it cannot be understood, or is large."""
    return _look(_sender(headers, forge, paths), headers, body)


def addressed(pushes: tuple[Push, ...], repository: str | None) -> tuple[Push, ...]:
    """The pushes, of the repository that the hook's own address names where they tell of none.

    `repository` is a clone URL. Raises Malformed where nothing tells.
    """
    for push in pushes:
        if not push.urls:
            break
    else:
        return pushes
    if not repository:
        raise Malformed(
            "the payload does not tell its repository: let the hook's address do it, such as"
            " …?repo=https://HOST/OWNER/NAME.git"
        )
    url = repository[:MAX_URL]
    shown = visible(mask(url))
    return tuple(
        push if push.urls else structs.replace(push, urls=(url,), repository=shown)
        for push in pushes
    )


def named(name: str, paths: Paths) -> Forge:
    """The forge of this name; `paths` are those of generic senders."""
    return _with(BY_NAME[name], paths)


def kept(forge: str, headers: Headers) -> tuple[tuple[str, str], ...]:
    """The header fields of a delivery of this forge that are stored with it, as (name, value).

    They are what `pushes` needs, and tell an operator what it was about; none is a secret.
    """
    return headers.fit(_KEPT[forge])


def pushes(
    forge: str, headers: Iterable[tuple[str, str]], body: bytes, paths: Paths
) -> tuple[Push, ...]:
    """What a delivery told of that was genuine when it came, from what was stored of it.

    Raises Malformed where that does not suffice, as of a body that was stored in part.
    """
    fields = Headers((name.encode(), value.encode()) for name, value in headers)
    return _sender(fields, forge, paths).read(fields, body).pushes


def payload(headers: Headers, body: bytes) -> Any:
    """All that a request says, as JSON has it; raises Malformed."""
    return tree(json_of(headers, body))


def refuse(
    headers: Headers, body: bytes, paths: Paths, why: str, message: str, *, forge: str | None = None
) -> Refusal:
    """The refusal, with 401, of a request that is wrong for a reason besides its signature.

    `why` and `message` are as in Refusal.
    """
    sender = _sender(headers, forge, paths)
    repository = _claimed_repository(sender, headers, body)
    return _refusal(sender, headers, 401, why, message, repository)


def redacted(forge: str, body: bytes, most: int) -> bytes:
    """The body of a delivery, fit to be stored: without the secrets that this forge echoes.

    Only its first `most` bytes are kept for sure. If there are more, it stays as long as it was,
    but may have spaces in their place: to look through all of them could take seconds.
    """
    fields = BY_NAME[forge].secret_fields
    if not fields:
        return body
    if len(body) <= most:
        return without(body, fields)
    return without(body[:most], fields)[:most].ljust(len(body))


def _sender(headers: Headers, name: str | None, paths: Paths) -> Forge:
    pinned = BY_NAME.get(name) if name is not None else None
    return _with(pinned or _recognised(headers), paths)


def _recognised(headers: Headers) -> Forge:
    for forge in FORGES:
        if forge.recognises(headers):
            return forge
    return github


def _with(forge: Forge, paths: Paths) -> Forge:
    return replace(forge, paths=paths) if isinstance(forge, standard.Sender) else forge


def _authenticate(
    sender: Forge, headers: Headers, body: bytes, keys: Keys, now: float
) -> tuple[int, ...]:
    if not (keys.secrets or keys.public or keys.basic):
        if keys.unsigned:
            return ()
        raise Unauthentic(
            "no secret configured",
            "only senders on this machine are served until WEBHOOK_SECRETS is set: set it, and"
            " give the hook one of them as its secret",
        )
    # Otherwise who is let in by the weaker check of one forge could pose with the headers of one
    # whose check is stronger.
    if headers.any_of(_FOREIGN[sender.name]):
        raise Unauthentic(
            "another forge's signature",
            f"a signature or token of another forge than {sender.name} came along: let one forge"
            " send this, or name the right one with ?forge=",
        )
    try:
        return sender.authenticate(headers, body, keys, now)
    except Unsigned:
        if keys.basic:
            return ()
        raise


def _bound(nonces: tuple[str, ...], secrets: Iterable[bytes]) -> tuple[str, ...]:
    """Each nonce with each secret that proves it genuine.

    Hooks with secrets of their own may be sent the same in all else. And of the signatures of a
    sender that changes its secret, a copy may bring any.
    """
    return tuple(sha256(nonce.encode(), secret) for secret in secrets for nonce in nonces)


def _look(sender: Forge, headers: Headers, body: bytes) -> Delivery | None:
    if len(body) > LOOK_BYTES:
        return None
    try:
        return sender.read(headers, body)
    except Malformed:
        return None


def _claimed_repository(sender: Forge, headers: Headers, body: bytes) -> str | None:
    delivery = _look(sender, headers, body)
    if delivery is None or not delivery.pushes:
        return None
    push = delivery.pushes[0]
    said = push.repository or next(iter(push.urls), None)
    return visible(mask(said))[:LONGEST_CLAIM] if said else None


def _refusal(
    sender: Forge,
    headers: Headers,
    status: int,
    why: str,
    message: str,
    repository: str | None = None,
) -> Refusal:
    return Refusal(
        message,
        status=status,
        why=why,
        forge=sender.name,
        hook=sender.hook(headers),
        claimed=sender.claimed(headers),
        repository=repository,
    )
