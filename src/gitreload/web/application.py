"""The ASGI application: webhook routes, the queue, and whether all is well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from gitreload import __version__
from gitreload.model import Action, GitreloadError, Job
from gitreload.runtime import Runtime
from gitreload.web.answers import RETRY_AFTER_SECONDS
from gitreload.web.hooks import Hooks
from gitreload.web.peers import may_read, restore_peer

HOOKS = {"/": Action.IMPORT, "/gitreload": Action.IMPORT, "/update": Action.UPDATE}
READING = ["GET", "HEAD"]


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

    @app.get("/")
    async def start_page() -> RedirectResponse:
        return RedirectResponse("/queue")

    @app.api_route("/queue", methods=READING)
    def queue(request: Request) -> JSONResponse:
        try:
            found = runtime()
            refused = _refuse_reader(request, found)
            if refused is not None:
                return refused
            jobs = _ledger_jobs(found)
        except GitreloadError as error:
            return _unavailable(str(error))
        return JSONResponse({"queue_length": len(jobs), "queue": [_shown(job) for job in jobs]})

    @app.api_route("/healthz", methods=READING)
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok", "version": __version__})

    @app.api_route("/readyz", methods=READING)
    def readyz() -> JSONResponse:
        try:
            runtime().ready()
        except GitreloadError as error:
            return _unavailable(str(error))
        return JSONResponse({"status": "ready"})

    # Behind the pages: a route takes all methods, so that every answer of a hook is JSON.
    hooks = {path: Hooks(action, runtime, begun or runtime) for path, action in HOOKS.items()}
    for path, hook in hooks.items():
        app.router.routes.append(Route(path, hook))
        if path != "/":
            # Settings pages of forges tend to collect a slash.
            app.router.routes.append(Route(path + "/", hook))
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


def _ledger_jobs(runtime: Runtime) -> list[Job]:
    if runtime.ledger is None:
        raise GitreloadError(f"the ledger is not open yet: {runtime.trouble}")
    return runtime.ledger.unfinished()


def _shown(job: Job) -> dict[str, Any]:
    return {
        "repo_name": job.directory,
        "repo_url": job.origin,
        "action": job.action.queue_name,
        "state": job.state.value,
        "job": job.id,
        "queued_at": datetime.fromtimestamp(job.queued_at, UTC).isoformat(timespec="milliseconds"),
    }


def _refuse_reader(request: Request, runtime: Runtime) -> JSONResponse | None:
    users = runtime.authority.users
    if may_read(request.scope, runtime.config.settings, users):
        return None
    message = (
        "this page is for readers with the token: send `Authorization: Bearer <token>`, with the "
        "content of the file `token` in gitreload's STATE_DIR"
        f"{', or a user and password of BASIC_AUTH' if users else ''}"
    )
    return JSONResponse(
        {"msg": message, "outcome": "refused", "delivery": None, "jobs": []},
        status_code=401,
        # A browser asks for a password where Basic comes first.
        headers={"www-authenticate": 'Basic realm="gitreload", Bearer' if users else "Bearer"},
    )


def _unavailable(why: str) -> JSONResponse:
    return JSONResponse(
        {"status": "unavailable", "msg": why},
        status_code=503,
        headers={"retry-after": str(RETRY_AFTER_SECONDS)},
    )
