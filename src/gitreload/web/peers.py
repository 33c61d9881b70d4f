"""Who is at the other end of a connection, and what they may see without being asked."""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
from contextlib import suppress
from pathlib import Path

from starlette.types import Scope

from gitreload.config import Settings

TOKEN_FILE = "token"  # noqa: S105 - a file's name


def peer_of(scope: Scope) -> str | None:
    """The peer's address; None for a unix socket, whose peers are on this machine."""
    client = scope.get("client")
    return client[0] or None if client else None


def is_local(scope: Scope) -> bool:
    """Whether the connection comes from this machine: the loopback network or a unix socket."""
    peer = peer_of(scope)
    if peer is None:
        return True
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        # uvicorn names the socket's path, test clients a word: neither comes from elsewhere,
        # but only a path is known to be a unix socket.
        return peer.startswith("/")
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def may_read(scope: Scope, settings: Settings, token: bytes | None) -> bool:
    """Whether `/queue` and the API are open to this request (design: who may read)."""
    if settings.queue_public or not settings.webhook_secrets:
        return True
    names = {name for name, _ in scope["headers"]}
    if is_local(scope) and not names & {b"forwarded", b"x-forwarded-for"}:
        return True
    given = dict(scope["headers"]).get(b"authorization", b"")
    scheme, _, value = given.partition(b" ")
    # An empty file, say of a disk that was full, is no token that anybody could send.
    return bool(token) and scheme.lower() == b"bearer" and hmac.compare_digest(value, token or b"")


def read_token(state_dir: Path) -> bytes:
    """The token of this state directory, made at the first start. Raises OSError."""
    path = state_dir / TOKEN_FILE
    if not path.exists():
        _make_token(path)
    return path.read_bytes().strip()


def _make_token(path: Path) -> None:
    # Under another name first: nobody may meet the file while it is empty, nor two make one each.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_urlsafe(32).encode() + b"\n")
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
