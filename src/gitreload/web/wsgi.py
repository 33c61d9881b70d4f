"""For WSGI servers: the ASGI application behind a2wsgi, one adapter for each process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from a2wsgi import ASGIMiddleware

from gitreload.current import begun, current
from gitreload.web.application import build


class _Adapter:
    """The adapter of this process, made on first use; its event loop is a thread of its own."""

    def __init__(self) -> None:
        # a2wsgi types the protocols more narrowly than Starlette does; both speak ASGI and WSGI.
        self._made: Any = None
        self._lock = threading.Lock()

    def get(self) -> Any:
        with self._lock:
            if self._made is None:
                application: Any = build(current, begun=begun)
                self._made = ASGIMiddleware(application)
            return self._made

    def forget(self) -> None:
        """After a fork: the thread stayed behind, and maybe one that held the lock."""
        self._made = None
        self._lock = threading.Lock()


_adapter = _Adapter()
os.register_at_fork(after_in_child=_adapter.forget)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The WSGI callable."""
    if "REMOTE_ADDR" in environ:
        # Without a port the adapter drops the address, and nobody's is that of a unix socket.
        environ.setdefault("REMOTE_PORT", "0")
    answer: Iterable[bytes] = _adapter.get()(environ, start_response)
    return answer


def start() -> None:
    """Let this process work at once, without waiting for a first request."""
    current()
