"""A worker of gunicorn that serves as `gitreload serve` does, in several processes:
`gunicorn -w 2 -k gitreload.web.gunicorn.Worker gitreload.asgi:app`.
"""

from __future__ import annotations

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
