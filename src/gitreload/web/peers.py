"""Who is at the other end of a connection, and what they may see without being asked."""

from __future__ import annotations

import hmac
import logging
from pathlib import Path

from starlette.types import Receive, Scope

from gitreload.addresses import UNKNOWN, parsed
from gitreload.authority import Users
from gitreload.config import Settings
from gitreload.tokens import read_token
from gitreload.web.bodies import WATCHED

logger = logging.getLogger(__name__)

FORWARDED = frozenset({b"forwarded", b"x-forwarded-for"})


def restore_peer(scope: Scope, receive: Receive) -> None:
    """Put the connection's own peer back where uvicorn took a header's word for it.

    uvicorn's command and gunicorn's worker for it do so unless told otherwise, for peers in
    FORWARDED_ALLOW_IPS; where that is `*`, everybody could name any address. Whom to believe is
    for TRUSTED_PROXIES to say. Other servers leave the peer alone.
    https://www.uvicorn.org/settings/#http
    """
    if WATCHED in scope.get("state", ()) or not _forwarded(scope):
        return  # where we serve ourselves, nobody takes a header's word
    cycle = getattr(receive, "__self__", None)
    if type(cycle).__module__.startswith("uvicorn."):
        from uvicorn.protocols.utils import get_remote_addr

        scope["client"] = get_remote_addr(cycle.transport)  # type: ignore[union-attr]


def _forwarded(scope: Scope) -> bool:
    return any(name == b"x-forwarded-for" for name, _ in scope["headers"])


def peer_of(scope: Scope) -> str | None:
    """The peer's address; None for a unix socket, whose peers are on this machine."""
    client = scope.get("client")
    if client:
        return client[0] or None
    # Who sends, and resets the connection before it is accepted, is heard all the same, and no
    # server can tell any more who it was. A unix socket has no port.
    _, port = scope.get("server") or (None, None)
    return UNKNOWN if "client" in scope and isinstance(port, int) else None


def is_local(scope: Scope) -> bool:
    """Whether the connection comes from this machine: the loopback network or a unix socket."""
    peer = peer_of(scope)
    if peer is None:
        return True
    address = parsed(peer)
    if address is None:
        # uvicorn names the socket's path, test clients a word: neither comes from elsewhere,
        # but only a path is known to be a unix socket.
        return peer.startswith("/")
    return address.is_loopback


def may_read(scope: Scope, settings: Settings, users: Users) -> bool:
    """Whether `/queue` and the API are open to this request (design: who may read)."""
    if settings.queue_public or not settings.authenticated:
        return True
    names = {name for name, _ in scope["headers"]}
    if is_local(scope) and not names & FORWARDED:
        return True
    given = dict(scope["headers"]).get(b"authorization", b"")
    scheme, _, value = given.partition(b" ")
    if scheme.lower() == b"bearer":
        return _is_token(value, settings.state_dir)
    return users.know(given.decode("latin-1"))


def _is_token(value: bytes, state_dir: Path) -> bool:
    try:
        token = read_token(state_dir)
    except OSError as error:
        logger.error("no reader with the token is let in: %s", error)
        return False
    # An empty file, say of a disk that was full, is no token that anybody could send.
    return bool(token) and hmac.compare_digest(value, token)
