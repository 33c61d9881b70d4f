"""Growth: what ten thousand checkouts and a long past cost."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
import uuid
from pathlib import Path

from benchmarks import deliveries, load, servers
from benchmarks.deliveries import send_all
from benchmarks.fake_platform import Platform
from benchmarks.load import Load, median
from benchmarks.repos import COURSE, Remote
from benchmarks.table import (
    Section,
    at_most,
    compare,
    limit,
    megabytes,
    milliseconds,
    seconds,
)
from gitreload.ledger import Arrival, Entry, Ledger, Target
from gitreload.model import Action, Checkout, Delivery, Push

NEEDS = ("wrk",)
ACKNOWLEDGEMENT = at_most(1.2)
SCAN_SECONDS = 2.0
IDLE_MEGABYTES = 80
IMPORT_SECONDS = 600
BATCH = 250
SCAN = """\
import sys, time
from pathlib import Path
from gitreload.checkouts import Checkouts
checkouts = Checkouts(Path(sys.argv[1]), {})
began = time.perf_counter()
checkouts.look()
print(len(checkouts.all()), time.perf_counter() - began)
"""
# How a job of the past ended, for all jobs at once.
END_JOBS = """\
UPDATE jobs SET state = 'succeeded', started_at = queued_at, finished_at = queued_at + 60
WHERE state = 'queued';
INSERT INTO attempts (job_id, worker, marker, started_at, finished_at, result)
SELECT id, 'gone', 'gone', started_at, finished_at, 'succeeded' FROM jobs
WHERE id NOT IN (SELECT job_id FROM attempts);
"""


def measure(scratch: Path, *, quick: bool) -> Section:
    checkouts, past = (200, 2_000) if quick else (10_000, 100_000)
    rounds, length = (1, 2) if quick else (3, 6)
    remote = Remote(scratch / "forge", COURSE)
    delivery = deliveries.push(remote.url, remote.first)
    few, many = scratch / "few", scratch / "many"
    for repodir in (few, many):
        remote.clone(repodir / "course")
    others = [_clone(many / f"course{number}", number) for number in range(checkouts)]
    _live_through(scratch / "grown/state", others, past, delivery.body)

    # Before the load, which leaves an import behind that is run again by whoever starts next.
    idle_few = _idle(scratch / "idle", few, delivery)
    idle_many = _idle(scratch / "grown", many, delivery)
    empty: list[Load] = []
    grown: list[Load] = []
    for number in range(rounds):
        fresh = scratch / f"empty{number}"
        empty.append(_load(fresh, few, delivery, length))
        grown.append(_load(scratch / "grown", many, delivery, length))
    grown_to = f"{checkouts:,} checkouts, {past:,} deliveries"
    return Section(
        f"Growth: {grown_to}, against an empty state",
        (
            compare(
                "time for one acknowledged push",
                1000 / median(grown, lambda load: load.rate),
                1000 / median(empty, lambda load: load.rate),
                lambda duration: f"{duration:.3f} ms",
                ACKNOWLEDGEMENT,
            ),
            compare(
                "acknowledgement, p99",
                median(grown, lambda load: load.p99),
                median(empty, lambda load: load.p99),
                milliseconds,
            ),
            limit(f"first look at {checkouts:,} checkouts", _scan(many), SCAN_SECONDS, seconds),
            limit("memory when idle", idle_many, IDLE_MEGABYTES, megabytes, megabytes(idle_few)),
        ),
        "The peer is gitreload itself, with one checkout and no past. Acknowledgement as in the "
        f"first measurement, medians of {rounds} rounds of {length} s in turns. The look is timed "
        "in a fresh process; memory is what `gitreload serve` has resident at rest, after a first "
        "update.",
    )


def _clone(checkout: Path, number: int) -> Checkout:
    """As much of a clone as there is to see for who does not read its objects."""
    url = f"https://github.com/university/course{number}.git"
    git_dir = checkout / ".git"
    for folder in ("objects", "refs/heads", "refs/remotes/origin"):
        (git_dir / folder).mkdir(parents=True)
    (git_dir / "index").touch()
    (git_dir / "HEAD").write_text("ref: refs/heads/main\n")
    (git_dir / "refs/heads/main").write_text("1" * 40 + "\n")
    (git_dir / "config").write_text(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n"
        f'[remote "origin"]\n\turl = {url}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n'
        '[branch "main"]\n\tremote = origin\n\tmerge = refs/heads/main\n'
    )
    return Checkout(checkout.name, str(checkout), url, frozenset(), "main", "main")


def _live_through(state_dir: Path, checkouts: list[Checkout], past: int, body: bytes) -> None:
    """Fill a ledger with `past` deliveries, dealt out to the checkouts, their jobs all done."""
    state_dir.mkdir(parents=True)
    ledger = Ledger.open(state_dir)
    left = past
    while left:
        for start in range(0, min(left, len(checkouts)), BATCH):
            batch = checkouts[start : start + BATCH]
            ledger.record([_entry(checkout, body) for checkout in batch])
        left -= min(left, len(checkouts))
        with sqlite3.connect(ledger.database.path) as connection:
            connection.executescript(END_JOBS)
        connection.close()
    ledger.close()


def _entry(checkout: Checkout, body: bytes) -> Entry:
    push = Push("refs/heads/main", (checkout.origin or "",), checkout.directory, after="1" * 40)
    delivery = Delivery("github", "push", str(uuid.uuid4()), pushes=(push,))
    arrival = Arrival(delivery, Action.UPDATE, time.time() - 3600, "127.0.0.1", (), body)
    return Entry(arrival, (Target(checkout, push),))


def _load(folder: Path, repodir: Path, delivery: deliveries.Delivery, length: int) -> Load:
    platform = folder / "platform"
    shutil.rmtree(platform, ignore_errors=True)
    settings = Platform(platform, IMPORT_SECONDS).settings
    with servers.gitreload(folder, repodir, reconcile_minutes=0, **settings) as server:
        load.run(server.url("/"), delivery, 1, folder)
        server.rest()
        return load.run(server.url("/"), delivery, length, folder)


def _scan(repodir: Path) -> float:
    command = [sys.executable, "-c", SCAN, str(repodir)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[1])


def _idle(folder: Path, repodir: Path, delivery: deliveries.Delivery) -> float:
    with servers.gitreload(folder, repodir, reconcile_minutes=0) as server:
        send_all(server.port, "/update", [delivery], 1)
        server.wait_idle()
        server.rest()
        return server.resident_megabytes()
