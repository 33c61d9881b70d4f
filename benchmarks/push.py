"""Push to served: from the end of `git push` until the files are in the checkout.

The floor is what nobody can do without: `git fetch && git reset --hard` in a clone of the same
repository, started at once. Both are watched in the same way.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks import deliveries, servers
from benchmarks.deliveries import Delivery, Sender
from benchmarks.errors import BenchError
from benchmarks.repos import COURSE, Remote, revision
from benchmarks.servers import Server, wait_until
from benchmarks.table import Row, Section, at_most, compare, milliseconds

NEEDS = ()
GOAL = at_most(1.15)
# Real courses, where somebody put archives of some beside the project.
COURSES = Path(__file__).parents[2] / "shared/courses"
FLOOR = "git fetch -q && git reset -q --hard origin/main"
# Between two looks: short beside what is measured, and no burden for those who work.
PAUSE = 0.0002
WARM_UP = 2
PAGE = "page.html"


def measure(scratch: Path, *, quick: bool) -> Section:
    rounds = 5 if quick else 40
    rows = tuple(
        _measured(name, scratch / name.split(",")[0], files, rounds)
        for name, files in courses(quick=quick).items()
    )
    return Section("Push to served", rows, _how(rounds, real=len(rows) > 1))


def _how(rounds: int, *, real: bool) -> str:
    how = (
        "From the end of `git push` until the new commit is checked out, by a delivery to "
        "`/update` over a keep-alive connection, against a bare `git fetch && git reset --hard "
        f"origin/main` in an equal clone: medians of {rounds} commits, in turns."
    )
    if real:
        return how
    return f"{how} Real courses are left out: this is a quick run, or none are in {COURSES}."


def courses(*, quick: bool) -> dict[str, Mapping[str, str] | Path]:
    """What is updated, by name: files of our own, and unless `quick` the archives of courses."""
    found: dict[str, Mapping[str, str] | Path] = {"generated, 800 files": generated(800)}
    if not quick:
        archives = sorted(COURSES.glob("*.tar.gz"))
        found |= {archive.name.removesuffix(".tar.gz"): archive for archive in archives}
    return found


def generated(files: int) -> dict[str, str]:
    pages = {f"html/page{number}.html": f"<p>Page {number}.</p>\n" * 40 for number in range(files)}
    return COURSE | pages


def _measured(name: str, folder: Path, files: Mapping[str, str] | Path, rounds: int) -> Row:
    remote = Remote(folder / "forge", files)
    ours = remote.clone(folder / "repos/course")
    bare = remote.clone(folder / "bare")
    served: list[float] = []
    floor: list[float] = []
    with servers.gitreload(folder / "gitreload", folder / "repos") as server:
        sender = Sender(server.port, "/update")
        for number in range(WARM_UP + rounds):
            page = f"<p>{number}</p>\n"
            tip = remote.commit({PAGE: page})
            delivery = deliveries.push(remote.url, tip)
            remote.push()
            if number % 2:
                served.append(_serve(server, sender, delivery, ours, tip))
                floor.append(_fetch_and_reset(bare, tip))
            else:
                floor.append(_fetch_and_reset(bare, tip))
                served.append(_serve(server, sender, delivery, ours, tip))
            if any((checkout / PAGE).read_text() != page for checkout in (ours, bare)):
                raise BenchError(f"the files of {folder} are not those of {tip}")
        sender.close()
    return compare(
        name,
        statistics.median(served[WARM_UP:]) * 1000,
        statistics.median(floor[WARM_UP:]) * 1000,
        milliseconds,
        GOAL,
    )


def _serve(server: Server, sender: Sender, delivery: Delivery, checkout: Path, tip: str) -> float:
    """Seconds from the moment of the delivery."""
    began = time.perf_counter()
    sender.send(delivery)
    took = _when_at(checkout, tip) - began
    server.wait_idle()
    return took


def _fetch_and_reset(checkout: Path, tip: str) -> float:
    began = time.perf_counter()
    with subprocess.Popen(["sh", "-c", FLOOR], cwd=checkout):
        return _when_at(checkout, tip) - began


def _when_at(checkout: Path, tip: str) -> float:
    wait_until(lambda: revision(checkout) == tip, f"{checkout} to be at {tip}", 60, PAUSE)
    return time.perf_counter()
