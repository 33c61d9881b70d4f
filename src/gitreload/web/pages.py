"""The pages that people and monitors read: the queue, a job, and whether all is well."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from gitreload import __version__
from gitreload.ledger import Ledger
from gitreload.model import GitreloadError, Job
from gitreload.runtime import Runtime
from gitreload.web.answers import RETRY_AFTER_SECONDS
from gitreload.web.job_page import job_page, message_page
from gitreload.web.peers import may_read

READING = ["GET", "HEAD"]
_LATER = {"retry-after": str(RETRY_AFTER_SECONDS)}


def add_pages(app: FastAPI, runtime: Callable[[], Runtime]) -> None:
    """Let `app` have all pages; `runtime` is asked at each request."""
    _add_reading(app, runtime)
    _add_health(app, runtime)


def _add_reading(app: FastAPI, runtime: Callable[[], Runtime]) -> None:
    @app.get("/")
    async def start_page() -> RedirectResponse:
        return RedirectResponse("/queue")

    @app.api_route("/queue", methods=READING)
    def queue(request: Request) -> JSONResponse:
        try:
            found = runtime()
            _require_reader(request, found)
            jobs = _ledger(found).unfinished()
        except NotForYou as refused:
            return JSONResponse(
                {"msg": str(refused), "outcome": "refused", "delivery": None, "jobs": []},
                status_code=401,
                headers=refused.headers,
            )
        except GitreloadError as error:
            return _unavailable(str(error))
        return JSONResponse({"queue_length": len(jobs), "queue": [_shown(job) for job in jobs]})

    @app.api_route("/jobs/{number}", methods=READING)
    def job(request: Request, number: str, attempt: str | None = None) -> Response:
        try:
            found = runtime()
            _require_reader(request, found)
            return job_page(_ledger(found), number, attempt)
        except NotForYou as refused:
            return message_page(401, "not for everyone", f"{refused}.", refused.headers)
        except GitreloadError as error:
            return message_page(503, "unavailable", f"{error}.", _LATER)


def _add_health(app: FastAPI, runtime: Callable[[], Runtime]) -> None:
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


def _ledger(runtime: Runtime) -> Ledger:
    if runtime.ledger is None:
        raise GitreloadError(f"the ledger is not open yet: {runtime.trouble}")
    return runtime.ledger


def _shown(job: Job) -> dict[str, Any]:
    return {
        "repo_name": job.directory,
        "repo_url": job.origin,
        "action": job.action.queue_name,
        "state": job.state.value,
        "job": job.id,
        "queued_at": datetime.fromtimestamp(job.queued_at, UTC).isoformat(timespec="milliseconds"),
    }


class NotForYou(Exception):  # noqa: N818 - an answer on its way up
    """Who asks has to prove that they may read; the text says how, `headers` what with."""

    def __init__(self, message: str, challenge: str) -> None:
        super().__init__(message)
        self.headers = {"www-authenticate": challenge}


def _require_reader(request: Request, runtime: Runtime) -> None:
    users = runtime.authority.users
    if may_read(request.scope, runtime.config.settings, users):
        return
    raise NotForYou(
        "this page is for readers with the token: send `Authorization: Bearer <token>`, with the "
        "content of the file `token` in gitreload's STATE_DIR"
        f"{', or a user and password of BASIC_AUTH' if users else ''}",
        # A browser asks for a password where Basic comes first.
        'Basic realm="gitreload", Bearer' if users else "Bearer",
    )


def _unavailable(why: str) -> JSONResponse:
    return JSONResponse(
        {"status": "unavailable", "msg": why},
        status_code=503,
        headers=_LATER,
    )
