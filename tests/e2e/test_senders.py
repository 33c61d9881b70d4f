"""Who may send and who may read, under any server: what it makes of headers changes nothing."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from e2e.deployment import COMMAND, SECRET, Deployment, deployment
from e2e.test_servers import GUNICORN, SERVERS, UVICORN
from fakes.github import github_push, signed

OWN = "a secret that is of one repository only"
PASSWORD = "a password of good length"
BASIC = {"Authorization": "Basic " + base64.b64encode(f"ada:{PASSWORD}".encode()).decode()}
CLIENT, ELSEWHERE = "192.0.2.9", "203.0.113.7"

EVERY = {
    "serve": [str(COMMAND), "serve"],
    "uvicorn-worker": [
        GUNICORN, "-b", "127.0.0.1:PORT", "-w", "1", "-k", "uvicorn_worker.UvicornWorker",
        "gitreload.asgi:app",
    ],
    **{name: SERVERS[name] for name in ("uvicorn", "sync", "ours", "asgi")},
}  # fmt: skip


@pytest.fixture(params=EVERY)
def started(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """Behind a web server on this machine. The server is told to believe everybody's headers."""
    with deployment(
        tmp_path / "host",
        TRUSTED_PROXIES=["127.0.0.1"],
        ALLOW_FROM=["192.0.2.0/24"],
        BASIC_AUTH={"ada": PASSWORD},
        REPOS={"lakes": {"SECRETS": [OWN]}},
    ) as made:
        made.course("rivers")
        made.course("lakes")
        start(made, request.param)
        yield made


def start(here: Deployment, server: str) -> None:
    here.variables["FORWARDED_ALLOW_IPS"] = "*"
    here.start(*(word.replace("PORT", str(here.port)) for word in EVERY[server]))


def send(here: Deployment, name: str, secret: str | None, **fields: str) -> tuple[int, str]:
    """Deliver a push of a course, as the web server in front hands it on."""
    url = f"file://{here.folder}/forge/{name}.git"
    headers, body = signed(
        github_push(url, after=here.head(name)), secret.encode() if secret else None
    )
    headers |= {key.replace("_", "-"): value for key, value in fields.items()}
    answer = here.request("POST", "/update", body, headers)
    return answer.status, answer.body["outcome"]


def peers(here: Deployment) -> set[str]:
    """From where the deliveries came that were genuine, as the ledger has it."""
    with closing(sqlite3.connect(here.state_dir / "ledger.sqlite3")) as ledger:
        return {peer for (peer,) in ledger.execute("SELECT peer FROM deliveries")}


def test_only_whoever_may_send_or_read_can(started: Deployment) -> None:
    here = started
    through = {"X_Forwarded_For": CLIENT}

    # The client is the last one in line, not what somebody put before it.
    assert send(here, "rivers", SECRET, X_Forwarded_For=ELSEWHERE) == (401, "refused")
    assert send(here, "rivers", SECRET, X_Forwarded_For=f"{CLIENT}, {ELSEWHERE}")[0] == 401
    assert send(here, "rivers", SECRET, Forwarded=f"for={ELSEWHERE}")[0] == 401
    assert send(here, "rivers", SECRET, Forwarded=f"for={ELSEWHERE}", **through)[0] == 401
    assert send(here, "rivers", SECRET)[0] == 401, "the proxy itself is in no network"
    assert here.queue() == []

    assert send(here, "rivers", OWN, **through) == (401, "refused")
    assert send(here, "rivers", None, **through) == (401, "refused")
    assert send(here, "lakes", SECRET, **through) == (401, "refused")
    assert send(here, "rivers", SECRET, X_Forwarded_For=f"{ELSEWHERE}, {CLIENT}")[1] == "queued"
    assert send(here, "lakes", OWN, Forwarded=f"for={CLIENT}")[1] == "queued"
    here.settle()
    assert send(here, "rivers", None, **through, **BASIC)[1] == "queued"
    assert send(here, "lakes", None, **through, **BASIC) == (401, "refused")
    assert send(here, "rivers", OWN, **through, **BASIC) == (401, "refused")
    here.settle()

    assert peers(here) == {CLIENT}

    def read(headers: dict[str, str]) -> int:
        return here.request("GET", "/queue", headers=headers).status

    assert read({}) == 200
    forwarded = {"X-Forwarded-For": "127.0.0.1"}
    assert read(forwarded) == 401, "who comes through a proxy is not on this machine"
    assert read(forwarded | BASIC) == 200
    assert read(forwarded | {"Authorization": "Basic YWRhOng="}) == 401

    here.logs(f"from {CLIENT} (forge github, hook 1, of repository 1, repository ")
    here.logs("its secret is not one of its repository's")
    log = here.log.read_text()
    for secret in (SECRET, OWN, PASSWORD, BASIC["Authorization"]):
        assert secret not in log
    assert "Traceback" not in log


@pytest.mark.parametrize("server", ["uvicorn", "uvicorn-worker", "sync"])
def test_without_a_secret_the_connection_decides(tmp_path: Path, server: str) -> None:
    """As in 0.2: a web server on this machine, that has authenticated whoever it names."""
    with deployment(tmp_path / "host", WEBHOOK_SECRETS=[]) as here:
        here.course("rivers")
        start(here, server)
        assert send(here, "rivers", None, X_Forwarded_For=ELSEWHERE)[1] == "queued"
        assert peers(here) == {"127.0.0.1"}


@pytest.mark.parametrize(
    "server",
    [
        [UVICORN, "gitreload.asgi:app", "--uds", "SOCKET"],
        [GUNICORN, "-b", "unix:SOCKET", "-w", "1", "gitreload.web:app"],
    ],
    ids=["uvicorn", "sync"],
)
def test_a_proxy_may_come_through_a_unix_socket(tmp_path: Path, server: list[str]) -> None:
    with deployment(
        tmp_path / "host", TRUSTED_PROXIES=["unix"], ALLOW_FROM=["192.0.2.0/24"]
    ) as here:
        here.variables["FORWARDED_ALLOW_IPS"] = "*"
        here.course("rivers")
        place = here.unix_socket = here.folder / "socket"
        here.start(*(word.replace("SOCKET", str(place)) for word in server))
        assert send(here, "rivers", SECRET, X_Forwarded_For=f"{CLIENT}, {ELSEWHERE}")[0] == 401
        assert send(here, "rivers", SECRET)[0] == 401
        assert send(here, "rivers", SECRET, X_Forwarded_For=CLIENT)[1] == "queued"
        assert peers(here) == {CLIENT}
        assert here.get("/queue").status == 200
        forwarded = {"X-Forwarded-For": "127.0.0.1"}
        assert here.request("GET", "/queue", headers=forwarded).status == 401
