"""A worker of gunicorn that serves as `gitreload serve` does, in several processes:
`gunicorn -w 2 -k gitreload.web.gunicorn.Worker gitreload.asgi:app`.
"""

from __future__ import annotations

import os
import signal
from typing import Any, ClassVar

from gitreload.web.server import SERVING

try:
    from uvicorn_worker import UvicornWorker  # type: ignore[import-untyped]
except ImportError as error:
    raise ImportError(
        "this worker needs the package uvicorn-worker: pip install 'gitreload[gunicorn]'"
    ) from error


class Worker(UvicornWorker):  # type: ignore[misc]
    """uvicorn in each of gunicorn's processes, with the speed and limits of `gitreload serve`."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = SERVING

    async def callback_notify(self) -> None:
        """Called by uvicorn now and then: tell gunicorn that all is well, or end without it."""
        if os.getppid() != self.ppid:
            # It was killed. Whoever starts it anew wants the port, and another configuration.
            self.log.info("the parent is gone: ending")
            signal.raise_signal(signal.SIGTERM)
        await super().callback_notify()
