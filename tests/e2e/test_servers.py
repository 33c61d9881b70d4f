"""Any server, any number of processes: every promise holds, and work needs no first request."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from e2e.deployment import COMMAND, Deployment
from helpers import wait_until

GUNICORN = str(COMMAND.with_name("gunicorn"))
UVICORN = str(COMMAND.with_name("uvicorn"))

SERVERS = {
    "uvicorn": [UVICORN, "gitreload.asgi:app", "--host", "127.0.0.1", "--port", "PORT"],
    "sync": [GUNICORN, "-b", "127.0.0.1:PORT", "-w", "2", "gitreload.web:app"],
    "preload": [GUNICORN, "-b", "127.0.0.1:PORT", "-w", "4", "--preload", "gitreload.web:app"],
    "gthread": [
        GUNICORN, "-b", "127.0.0.1:PORT", "-w", "2", "-k", "gthread", "--threads", "4",
        "gitreload.web:app",
    ],
    "ours": [
        GUNICORN, "-b", "127.0.0.1:PORT", "-w", "2", "-k", "gitreload.web.gunicorn.Worker",
        "gitreload.asgi:app",
    ],
    "asgi": [GUNICORN, "-b", "127.0.0.1:PORT", "-w", "2", "-k", "asgi", "gitreload.asgi:app"],
}  # fmt: skip


def _command(server: str, here: Deployment) -> list[str]:
    return [word.replace("PORT", str(here.port)) for word in SERVERS[server]]


@pytest.mark.parametrize("server", SERVERS)
def test_a_push_is_imported_once(here: Deployment, server: str) -> None:
    remotes = [here.course(name) for name in ("rivers", "lakes", "seas")]
    here.platform.behave(import_seconds=0.1)
    process = here.start(*_command(server, here))
    for remote in remotes:
        revision = remote.commit({"about/overview.html": "<h2>New</h2>\n"})
        answers = [here.deliver(remote, revision) for _ in range(8)]
        assert {answer.status for answer in answers} == {200}
    here.settle()
    assert here.platform.journal("overlap") == []
    for remote in remotes:
        name = remote.bare.stem
        imported = here.platform.course(f"Brook/{name}/2026")
        assert imported is not None
        assert imported["revision"] == here.head(name)
    # uvicorn's own command ends by the signal that it was sent, once all is done.
    assert here.stop(process) in (0, -signal.SIGTERM)
    assert here.running_attempts() == 0


@pytest.mark.parametrize(("server", "processes"), [("sync", 2), ("preload", 4)])
def test_queued_work_starts_without_a_request(
    here: Deployment, server: str, processes: int
) -> None:
    here.course("rivers")
    here.run("sync", "rivers")
    process = here.start_unasked(*_command(server, here))
    wait_until(lambda: here.platform.journal("end"), what="an import")
    # Each process says that it starts, and one what is configured.
    here.logs("serves in process", times=processes)
    here.logs("deliveries: must be")
    assert here.log.read_text().count("deliveries: must be") == 1
    assert here.stop(process) == 0


def test_our_worker_does_not_outlive_the_server(here: Deployment) -> None:
    ours = [*_command("ours", here), "--timeout", "1"]
    process = here.start(*ours)
    task = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_until(lambda: len(task.read_text().split()) == 2, what="two workers")
    workers = task.read_text().split()
    process.kill()
    process.wait()
    left = [Path("/proc", pid) for pid in workers]
    wait_until(lambda: not any(each.exists() for each in left), what="the workers to end")


def test_a_process_that_can_never_serve_ends_the_server(here: Deployment) -> None:
    here.write_config(WEBHOOK_SECRETS=["short"])
    process = here.start_unasked(*_command("sync", here))
    assert process.wait(timeout=60) != 0
    assert "WEBHOOK_SECRETS" in here.log.read_text()
