"""Promises of the forges' parsers, whoever has signed what they read."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from typing import Any

from fakes.forges import NOW, raw, sourcehut
from fakes.forges.everyone import SENDERS
from fakes.forges.gitlab import GitLabSigned
from fakes.forges.sender import Move, Request, Sender, digest
from fakes.forges.sourcehut import SourceHut
from fakes.forges.standard import Standard
from gitreload import forges
from gitreload.forges import Keys, Refusal
from gitreload.forges.body import FORM, json_of
from gitreload.forges.request import Malformed
from gitreload.model import Delivery, Push
from gitreload.visible import visible

# Of the ledger's columns, and of a ref that is put together of two texts of the payload.
SHORT, LONG = 128, 9000
# Parts that URLs and refs are put together with.
_WORDS = {"https", "refs", "heads", "tags", "scm", "_git", "v3", "DefaultCollection"}
_WORDS |= {"bitbucket.org", "git.sr.ht", "dev.azure.com", "ssh.dev.azure.com"}
_WORDS |= {"vs-ssh.visualstudio.com", "git"}
_PARTS = re.compile(r"[/:@]+")
# Nobody knows these, so nothing can be signed with them.
_UNKNOWN = Keys((secrets.token_hex().encode(), b"whsec_" + b"A" * 43), public=(bytes(32),))


def signed(sender: Sender, fields: Mapping[str, str], body: bytes) -> dict[str, str]:
    """The header fields of a delivery, with a proof that fits another body."""
    sent = dict(fields)
    # GitHub signs a form as it is sent, the family of Gogs the JSON in it.
    text = body if sender.forge == "github" else payload_of(fields, body)
    for name in fields:
        if name.endswith("-Signature-256") or name == "X-Hub-Signature":
            sent[name] = f"sha256={digest(text)}"
        elif name in ("X-Gogs-Signature", "X-Gitea-Signature", "X-Forgejo-Signature"):
            sent[name] = digest(text)
    if isinstance(sender, SourceHut):
        sent["X-Payload-Signature"] = sourcehut.sign(body + sent["X-Payload-Nonce"].encode())
    elif isinstance(sender, GitLabSigned):
        sent |= sender._proof(sent["webhook-id"], body)
    elif isinstance(sender, Standard):
        sent |= sender._proof(sent["webhook-id"], int(NOW), body)
    if sender.forge in ("forgejo", "gitea", "github"):
        sent.pop("X-Hub-Signature", None)  # SHA-1, which proves nothing
    return sent


def payload_of(fields: Mapping[str, str], body: bytes) -> bytes:
    """The JSON in a body, be it a form."""
    if fields["Content-Type"] != FORM:
        return body
    try:
        return json_of(raw(fields), body)
    except Malformed:
        return body


def requests(sender: Sender) -> list[Request]:
    """One of everything that a forge sends."""
    moves = [Move(), Move("refs/tags/v1"), Move(after="0" * 40), Move("refs/heads/a/b")]
    tried = [*sender.push(moves), sender.other(), sender.test()]
    return [request for request in tried if request is not None]


_EVERYTHING = [(sender, request) for sender in SENDERS for request in requests(sender)]


def seeds() -> list[bytes]:
    return [bytes([place]) + request.body for place, (_, request) in enumerate(_EVERYTHING)]


def genuine(data: bytes) -> None:
    """A signed body is understood or refused with 400, and no push tells what it does not."""
    sender, request = _EVERYTHING[data[0] % len(_EVERYTHING)] if data else _EVERYTHING[0]
    body = data[1:]
    fields = signed(sender, request.headers, body)
    try:
        delivery = forges.read(raw(fields), body, sender.keys, now=NOW)
    except Refusal as refusal:
        # An old Gogs proves itself by what is in the body, so it may be lost with that.
        by_body = sender.forge == "gogs" and "X-Gogs-Signature" not in fields
        assert refusal.status == 400 or by_body, refusal
        assert len(str(refusal)) < LONG
        return
    check(delivery, payload_of(fields, body))
    forges.redacted(delivery.forge, body, 1024)


def check(delivery: Delivery, body: bytes) -> None:
    for text in (delivery.event, delivery.delivery_id, delivery.hook, *delivery.nonces):
        assert text is None or (len(text) <= SHORT and text.isprintable()), text
    said = "\n".join(_texts(json.loads(body, parse_int=str, parse_float=str))).lower()
    for push in delivery.pushes:
        assert all(text.lower() in said for text in _parts(push)), (push, said)
        for text in (push.ref, push.repository, push.pusher, *push.urls):
            assert text is None or len(text) <= LONG
        for kept in (push.ref, push.repository, push.pusher):
            assert kept is None or not re.search(r"[\x00-\x1f\x7f]", kept)
        for revision in (push.before, push.after):
            assert revision is None or re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", revision)


def _parts(push: Push) -> list[str]:
    texts = (push.ref, push.before, push.after, push.repository, push.pusher, *push.urls)
    parts = {part for text in texts if text for part in _PARTS.split(text)}
    return [part.removesuffix(".git").removesuffix(".visualstudio.com") for part in parts - _WORDS]


def _texts(told: Any) -> list[str]:
    """All keys and texts of a JSON tree."""
    if isinstance(told, dict):
        return [text for pair in told.items() for each in pair for text in _texts(each)]
    if isinstance(told, list):
        return [text for each in told for text in _texts(each)]
    return [told] if isinstance(told, str) else [json.dumps(told)]


def forged_seeds() -> list[bytes]:
    found = []
    for _, request in _EVERYTHING:
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        found.append("\n".join(lines).encode("latin-1") + b"\n\n" + request.body)
    return found


def forged(data: bytes) -> None:
    """Whoever knows no secret is refused with 401, whatever header fields and body they send."""
    head, _, body = data.partition(b"\n\n")
    pairs = [line.partition(b": ") for line in head.split(b"\n")]
    headers = forges.Headers((name.lower(), value) for name, _, value in pairs)
    for pinned in (None, "gitee", "standard", "none"):
        try:
            forges.read(headers, body, _UNKNOWN, forge=pinned, now=NOW)
        except Refusal as refusal:
            assert refusal.status == 401, refusal
            assert len(str(refusal)) < LONG
            assert refusal.hook is None or len(refusal.hook) <= SHORT
            assert refusal.repository is None or visible(refusal.repository) == refusal.repository
        else:
            raise AssertionError("it was believed")
