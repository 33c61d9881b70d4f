"""What a change costs: acknowledgement by this code, against that of an earlier revision."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks import deliveries, load, servers
from benchmarks.ack import IMPORT_SECONDS, compared
from benchmarks.fake_platform import Platform
from benchmarks.load import Load
from benchmarks.repos import COURSE, Remote
from benchmarks.table import Section, at_least

NEEDS = ("wrk",)
ROOT = Path(__file__).parents[1]
# What two runs of the same code differ by.
AS_FAST = at_least(0.95)


def measure(scratch: Path, revision: str, *, quick: bool) -> Section:
    """`revision` is of this repository, and its ledger has to understand the same configuration."""
    rounds, seconds = (1, 2) if quick else (7, 4)
    remote = Remote(scratch / "forge", COURSE)
    remote.clone(scratch / "repos/course")
    delivery = deliveries.push(remote.url, remote.commit({"page.html": "a change\n"}))
    remote.push()
    keys = Platform(scratch / "platform", IMPORT_SECONDS).settings
    source, repodir = _source(scratch / "before", revision), scratch / "repos"
    with (
        servers.gitreload(scratch / "now", repodir, **keys) as now,
        servers.gitreload(scratch / "then", repodir, source=source, **keys) as then,
    ):
        measured: dict[servers.Server, list[Load]] = {now: [], then: []}
        for server in measured:
            load.run(server.url("/"), delivery, 1, scratch)
        for _ in range(rounds):
            for server, results in measured.items():
                server.rest()
                results.append(load.run(server.url("/"), delivery, seconds, scratch))
    ours, theirs = measured.values()
    return Section(
        f"Acknowledgement, against revision {revision}",
        tuple(compared("one process", ours, theirs, AS_FAST)),
        f"`gitreload serve` of both, with the same dependencies: medians of {rounds} rounds of "
        f"{seconds} s in turns.",
    )


def _source(folder: Path, revision: str) -> Path:
    """The code of that revision."""
    folder.mkdir(parents=True)
    archive = ["git", "-C", str(ROOT), "archive", revision, "src"]
    packed = subprocess.run(archive, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed, check=True)
    return folder / "src"
