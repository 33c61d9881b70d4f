"""`gitreload.asgi:app`, for any ASGI server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


def __getattr__(name: str) -> Any:
    # Built when a server takes it, not when somebody imports this module.
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gitreload.current import begun, current
    from gitreload.web.application import build

    current()
    return build(current, _lifespan, begun)


@asynccontextmanager
async def _lifespan(_app: object) -> AsyncIterator[None]:
    # Some servers end by the signal that stopped them, so nothing that we leave for the exit runs.
    from gitreload.current import stop_current

    yield
    await asyncio.to_thread(stop_current)
