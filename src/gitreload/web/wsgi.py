"""For WSGI servers: the ASGI application behind a2wsgi, one adapter for each process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from a2wsgi import ASGIMiddleware

from gitreload.current import begun, current
from gitreload.web.application import build

_lock = threading.Lock()
# a2wsgi types the protocols more narrowly than Starlette does; both speak ASGI and WSGI.
_adapters: dict[int, Any] = {}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The WSGI callable. The adapter's event loop is a thread, which no fork takes along."""
    if "REMOTE_ADDR" in environ:
        # Without a port the adapter drops the address, and nobody's is that of a unix socket.
        environ.setdefault("REMOTE_PORT", "0")
    answer: Iterable[bytes] = _adapter()(environ, start_response)
    return answer


def _adapter() -> Any:
    pid = os.getpid()
    found = _adapters.get(pid)
    if found is None:
        with _lock:
            application: Any = build(current, begun=begun)
            found = _adapters.setdefault(pid, ASGIMiddleware(application))
    return found


def start() -> None:
    """Let this process work at once, without waiting for a first request."""
    current()
