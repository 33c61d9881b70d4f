"""`gitreload.asgi:app`, for any ASGI server."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    # Built when a server takes it, not when somebody imports this module.
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gitreload.runtime import current
    from gitreload.web.app import build

    current()
    return build(current)
