"""Who is at the other end of a connection, and what they may see without being asked."""

from __future__ import annotations

import hmac
import ipaddress
import logging
from pathlib import Path

from starlette.types import Scope

from gitreload.config import Settings
from gitreload.tokens import read_token

logger = logging.getLogger(__name__)


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


def may_read(scope: Scope, settings: Settings) -> bool:
    """Whether `/queue` and the API are open to this request (design: who may read)."""
    if settings.queue_public or not settings.webhook_secrets:
        return True
    names = {name for name, _ in scope["headers"]}
    if is_local(scope) and not names & {b"forwarded", b"x-forwarded-for"}:
        return True
    given = dict(scope["headers"]).get(b"authorization", b"")
    scheme, _, value = given.partition(b" ")
    return scheme.lower() == b"bearer" and _is_token(value, settings.state_dir)


def _is_token(value: bytes, state_dir: Path) -> bool:
    try:
        token = read_token(state_dir)
    except OSError as error:
        logger.error("no reader with the token is let in: %s", error)
        return False
    # An empty file, say of a disk that was full, is no token that anybody could send.
    return bool(token) and hmac.compare_digest(value, token)
