"""Nothing acknowledged is lost, and no checkout runs twice at once, whatever is killed."""

from __future__ import annotations

import http.client
import random
import sqlite3
import subprocess
import threading
import uuid
from pathlib import Path

import pytest

from e2e.deployment import COMMAND, Deployment, deployment
from helpers import Remote, git, wait_until

CHECKOUTS = 50
ROUNDS = 20


class Storm:
    """Pushes and delivers to random checkouts until told to stop; counts what was acknowledged."""

    def __init__(self, here: Deployment, remotes: dict[str, Remote], seed: int) -> None:
        self.here = here
        self.remotes = remotes
        self.random = random.Random(seed)
        self.acknowledged: dict[str, tuple[str, str]] = {}
        self.refused = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self.stopping.is_set():
            name = self.random.choice(list(self.remotes))
            remote = self.remotes[name]
            revision = remote.commit({"about/overview.html": f"<p>{uuid.uuid4()}</p>\n"})
            # Several deliveries for one commit, as a repeated or late hook would make.
            for _ in range(self.random.randint(1, 3)):
                delivery = str(uuid.uuid4())
                try:
                    answer = self.here.deliver(remote, revision, delivery=delivery)
                except (OSError, http.client.HTTPException):
                    # Killed under our hands; a moment later it is back.
                    self.refused += 1
                    self.stopping.wait(0.2)
                    continue
                if answer.status == 200:
                    self.acknowledged[delivery] = (name, revision)
                else:
                    self.refused += 1


@pytest.mark.timeout(400)
def test_kill_minus_nine_at_random_moments(tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    dice = random.Random(seed)
    with deployment(tmp_path / "host", NUM_THREADS=4, LOG_LEVEL="WARNING") as here:
        here.platform.behave(import_seconds=0.02)
        remotes = {name: here.course(name) for name in (f"c{i}" for i in range(CHECKOUTS))}
        worker = here.start(str(COMMAND), "worker")
        server = here.start()
        storm = Storm(here, remotes, seed)
        storm.thread.start()
        for number in range(ROUNDS):
            enough = len(storm.acknowledged) + dice.randint(3, 12)
            wait_until(lambda n=enough: len(storm.acknowledged) >= n, what="more pushes")  # type: ignore[misc]
            storm.stopping.wait(dice.uniform(0, 0.1))
            server, worker = _kill(here, server, worker, number % 3)
        storm.stopping.set()
        storm.thread.join()
        here.settle(seconds=180)
        counts = _check(here, remotes, storm)
    print(f"seed {seed}: {counts}")


def _kill(
    here: Deployment,
    server: subprocess.Popen[bytes],
    worker: subprocess.Popen[bytes],
    turn: int,
) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
    """In turn: everything, the server alone (its children live on), one worker."""
    if turn == 0:
        here.kill(worker, tree=True)
        here.kill(server, tree=True)
        return here.start(), here.start(str(COMMAND), "worker")
    if turn == 1:
        here.kill(server)
        return here.start(), worker
    here.kill(worker)
    return server, here.start(str(COMMAND), "worker")


def _check(here: Deployment, remotes: dict[str, Remote], storm: Storm) -> dict[str, int]:
    assert here.platform.journal("overlap") == []
    jobs = {job["id"]: job for job in here.jobs()}
    linked = _links(here.state_dir / "ledger.sqlite3")
    for delivery, (name, _) in storm.acknowledged.items():
        ended = [_followed(jobs, job) for job in linked.get(delivery, [])]
        assert any(job["state"] == "succeeded" for job in ended), (delivery, name, ended)
    # A commit whose deliveries were all refused may be at the tip unknown; each other is served.
    for name, revision in set(storm.acknowledged.values()):
        git("merge-base", "--is-ancestor", revision, "HEAD", cwd=here.repodir / name)
        if revision == _tip(remotes[name]):
            assert here.head(name) == revision
    attempts = _attempts(here.state_dir / "ledger.sqlite3")
    assert attempts.get("running", 0) == 0
    assert attempts.get("interrupted", 0) > 0, "no kill met a running attempt: it tests nothing"
    return {
        "acknowledged": len(storm.acknowledged),
        "refused": storm.refused,
        "imports": len(here.platform.journal("end")),
        "jobs": len(jobs),
        **attempts,
    }


def _tip(remote: Remote) -> str:
    return (remote.bare / "refs/heads/main").read_text().strip()


def _followed(jobs: dict[int, dict[str, object]], job_id: int) -> dict[str, object]:
    job = jobs[job_id]
    while isinstance(successor := job["superseded_by"], int):
        job = jobs[successor]
    return job


def _links(ledger: Path) -> dict[str, list[int]]:
    """The jobs of each delivery, by the forge's id of it."""
    linked: dict[str, list[int]] = {}
    with sqlite3.connect(ledger) as connection:
        for delivery, job in connection.execute(
            "SELECT d.delivery_id, j.job_id FROM deliveries d"
            " JOIN job_deliveries j ON j.delivery_id = d.id"
        ):
            linked.setdefault(delivery, []).append(job)
    return linked


def _attempts(ledger: Path) -> dict[str, int]:
    with sqlite3.connect(ledger) as connection:
        return dict(connection.execute("SELECT result, count(*) FROM attempts GROUP BY result"))
