"""HTTP: webhooks, the queue, health. `gitreload.web:app` is for WSGI servers, as in 0.2."""

from __future__ import annotations

import sys
from typing import Any


def __getattr__(name: str) -> Any:
    # Built when a server takes it, not when somebody imports this package.
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gitreload.web import wsgi

    wsgi.start()
    return wsgi.application


if "uwsgi" in sys.modules:  # it exists in programs that uWSGI runs, and nowhere else
    from gitreload.web import under_uwsgi

    # uWSGI looks into the module's dictionary, and does not ask `__getattr__`.
    app = under_uwsgi.prepare(sys.modules["uwsgi"])
