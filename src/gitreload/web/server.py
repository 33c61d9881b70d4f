"""`gitreload serve`: uvicorn in this process, with our signals."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import uvicorn

from gitreload.runtime import Runtime
from gitreload.web.application import build
from gitreload.web.gathering import GatheringProtocol

logger = logging.getLogger(__name__)

# Requests under way get this long to be answered after SIGTERM; a commit takes milliseconds.
ANSWER_SECONDS = 10
# How deliveries are served, in one process or in several of gunicorn's.
SERVING: dict[str, Any] = {
    "http": GatheringProtocol,
    "access_log": False,
    # Who the peer is decides who is served; no header may change it.
    "proxy_headers": False,
    "server_header": False,
    "timeout_graceful_shutdown": ANSWER_SECONDS,
}


class Server(uvicorn.Server):
    """uvicorn's server; SIGTERM and SIGINT end it, SIGHUP calls `reload`."""

    def __init__(
        self, runtime: Runtime, reload: Callable[[], None], listening: Callable[[str], None]
    ) -> None:
        settings = runtime.config.settings
        super().__init__(
            uvicorn.Config(
                build(lambda: runtime),
                host=settings.host,
                port=settings.port,
                lifespan="off",
                log_config=None,
                **SERVING,
            )
        )
        self._reload = reload
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._listening(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises the captured signal again when it is done, which would end this process
        # before its workers have. Ours only ask it to end.
        handlers = {
            signal.SIGTERM: self._end,
            signal.SIGINT: self._end,
            signal.SIGHUP: lambda _number, _frame: self._reload(),
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        # The second signal does not wait for requests that are under way.
        self.force_exit = self.should_exit and number == signal.SIGINT
        self.should_exit = True
