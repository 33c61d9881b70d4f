"""The ASGI application: webhook routes, the queue, jobs' pages, and whether all is well."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from gitreload import __version__
from gitreload.model import Action
from gitreload.runtime import Runtime
from gitreload.web.hooks import Hooks
from gitreload.web.pages import add_pages
from gitreload.web.peers import restore_peer

HOOKS = {
    "/": Action.IMPORT,
    "/gitreload": Action.IMPORT,
    "/update": Action.UPDATE,
    # The address of edx-sysadmin's webhook, for hooks that lead there (edx_sysadmin/urls.py,
    # api/urls.py): https://github.com/mitodl/open-edx-plugins/tree/main/src/edx_sysadmin
    "/sysadmin/api/gitreload": Action.IMPORT,
}


def build(
    runtime: Callable[[], Runtime],
    lifespan: Lifespan[FastAPI] | None = None,
    begun: Callable[[], Runtime | None] | None = None,
) -> ASGIApp:
    """The application; `runtime` is asked at each request, so it may start later.

    Where that may take time, `begun` gives at once the one that is there already, or None.
    """
    app = FastAPI(
        title="gitreload",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    add_pages(app, runtime)
    # Behind the pages: a route takes all methods, so that every answer of a hook is JSON.
    hooks = {path: Hooks(action, runtime, begun or runtime) for path, action in HOOKS.items()}
    # Settings pages of forges tend to collect a slash.
    hooks |= {f"{path}/": hook for path, hook in hooks.items() if path != "/"}
    app.router.routes += [Route(path, hook) for path, hook in hooks.items()]
    return _DeliveriesFirst(app, hooks)


class _DeliveriesFirst:
    """Deliveries go straight to their route, which the application would lead them to as well.

    Its way there (middleware, matching) takes as long as checking and reading a delivery.
    """

    def __init__(self, app: ASGIApp, hooks: Mapping[str, Hooks]) -> None:
        self._app = app
        self._hooks = hooks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            restore_peer(scope, receive)
        delivered = scope["type"] == "http" and scope["method"] == "POST"
        hook = self._hooks.get(scope["path"]) if delivered else None
        await (hook or self._app)(scope, receive, send)
