"""Durable acknowledgement: how fast signed pushes are answered, once they are on disk.

The peer, `webhook`, checks the signature too and runs /bin/true; it promises nothing durable.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from benchmarks import deliveries, load, servers
from benchmarks.fake_platform import Platform
from benchmarks.load import Load, median
from benchmarks.repos import COURSE, Remote
from benchmarks.table import Goal, Row, Section, at_least, compare, milliseconds, rate

NEEDS = ("wrk", "webhook")
THROUGHPUT = at_least(1.5)
LATENCY = Goal("< 1x", lambda ratio: ratio < 1)
# Imports take minutes: one is running all the time.
IMPORT_SECONDS = 600


def measure(scratch: Path, *, quick: bool) -> Section:
    rounds, seconds = (1, 2) if quick else (3, 8)
    remote = Remote(scratch / "forge", COURSE)
    remote.clone(scratch / "repos/course")
    delivery = deliveries.push(remote.url, remote.commit({"page.html": "a change\n"}))
    remote.push()
    platform = Platform(scratch / "platform", IMPORT_SECONDS)
    two, one, updating = scratch / "two", scratch / "one", scratch / "updating"
    repodir = scratch / "repos"
    with (
        servers.gitreload(two, repodir, processes=2, **platform.settings) as pair,
        servers.gitreload(one, repodir, **platform.settings) as single,
        servers.gitreload(updating, repodir) as busy,
        servers.webhook(scratch / "webhook") as peer,
    ):
        every = (pair, single, busy, peer)
        urls = (pair.url("/"), single.url("/"), busy.url("/update"), peer.url("/hooks/push"))
        warm = [load.run(url, delivery, 1, scratch) for url in urls]
        measured: list[list[Load]] = [[], [], [], []]
        for _ in range(rounds):
            for url, results in zip(urls, measured, strict=True):
                for server in every:
                    server.rest()
                results.append(load.run(url, delivery, seconds, scratch))
    *ours, theirs = measured
    both, alone, updates = ours
    return Section(
        "Durable acknowledgement",
        (
            *compared("two processes", both, theirs, THROUGHPUT, LATENCY),
            _kept("two processes", two, [warm[0], *both]),
            *compared("one process", alone, theirs),
            _kept("one process", one, [warm[1], *alone]),
            *compared("one, updating all the time", updates, theirs),
            _kept("one, updating all the time", updating, [warm[2], *updates]),
        ),
        f"`wrk -t1 -c{load.CONNECTIONS}` with signed GitHub pushes of {len(delivery.body):,} "
        f"bytes, each with a delivery id of its own: medians of {rounds} rounds of {seconds} s in "
        "turns. gitreload answers once delivery and job are on disk, while an import runs: two "
        "processes of gunicorn with our worker, on the two cores that `webhook` uses too; then "
        "`gitreload serve`, which is one; then that with pushes to `/update`, while the worker "
        "updates the checkout again and again. `webhook` checks the same signature, keeps "
        "nothing, and starts `/bin/true`.",
    )


def compared(
    what: str,
    ours: Sequence[Load],
    peer: Sequence[Load],
    throughput: Goal | None = None,
    latency: Goal | None = None,
) -> list[Row]:
    """How much was acknowledged a second, and how soon, by us and by a peer."""
    figures = (
        ("acknowledged", lambda load: load.rate, rate, throughput),
        ("p50", lambda load: load.p50, milliseconds, None),
        ("p99", lambda load: load.p99, milliseconds, latency),
    )
    return [
        compare(f"{what}, {name}", median(ours, figure), median(peer, figure), shown, goal)
        for name, figure, shown, goal in figures
    ]


def _kept(what: str, folder: Path, loads: Sequence[Load]) -> Row:
    """Whether the ledger holds what was acknowledged; it may hold what wrk did not wait for."""
    acknowledged = sum(load.acknowledged for load in loads)
    ledger = sqlite3.connect(folder / "state/ledger.sqlite3")
    held = sum(
        ledger.execute(
            "SELECT count(DISTINCT delivery_id) FROM deliveries WHERE delivery_id GLOB ?",
            (f"{load.prefix}*",),
        ).fetchone()[0]
        for load in loads
    )
    ledger.close()
    return Row(
        f"{what}, deliveries in the ledger",
        f"{held:,}",
        f"{acknowledged:,} acknowledged",
        goal="≥ acknowledged",
        met=held >= acknowledged,
    )
