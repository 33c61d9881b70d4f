"""Breadth: very many checkouts, each pushed once, against the same work done by git alone."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import deliveries, servers
from benchmarks.deliveries import send_all
from benchmarks.repos import COURSE, Remote, git, revision
from benchmarks.servers import Server, wait_until
from benchmarks.table import Section, at_most, compare, rate, seconds

NEEDS = ()
GOAL = at_most(1.3)
WORKERS = 4
CONNECTIONS = 16
PAGES = 20
FLOOR = 'cd "$0" && git fetch -q && git reset -q --hard origin/main'


@dataclass(frozen=True, slots=True)
class _Course:
    """A remote of its own, with a checkout of ours and one that git alone brings up to date."""

    bare: Path
    ours: Path
    floor: Path

    @property
    def url(self) -> str:
        return f"file://{self.bare}"


def measure(scratch: Path, *, quick: bool) -> Section:
    number, rounds = (50, 1) if quick else (1000, 2)
    courses, tips = _courses(scratch, number, rounds)
    ours, floor = 0.0, 0.0
    with servers.gitreload(scratch / "gitreload", scratch / "repos", num_threads=WORKERS) as server:
        for turn, tip in enumerate(tips):
            for course in courses:
                (course.bare / "refs/heads/main").write_text(f"{tip}\n")
            if turn % 2:
                floor += _fetch_and_reset(courses)
                ours += _deliver(server, courses, tip)
            else:
                ours += _deliver(server, courses, tip)
                floor += _fetch_and_reset(courses)
    return Section(
        "Breadth",
        (
            compare(f"{number:,} checkouts", ours / rounds, floor / rounds, seconds, GOAL),
            compare("checkouts", number * rounds / ours, number * rounds / floor, rate),
        ),
        f"{number:,} checkouts of {len(COURSE) + PAGES} files, a new commit in the remote of each; "
        f"from the first delivery to `/update` (over {CONNECTIONS} connections) until all are at "
        f"their tip, with {WORKERS} workers, against `git fetch && git reset --hard` in equal "
        f"clones by `xargs -P{WORKERS}`; mean of {rounds}, in turns.",
    )


def _courses(scratch: Path, number: int, commits: int) -> tuple[list[_Course], list[str]]:
    """So many equal courses, and the revisions that their remotes hold but do not yet show."""
    remote = Remote(
        scratch / "forge", COURSE | {f"html/{page}.html": "<p>Text.</p>\n" for page in range(PAGES)}
    )
    clone = remote.clone(scratch / "clone")
    tips = remote.commit_many(commits)
    remote.push()
    courses = [
        _Course(
            scratch / f"remotes/{count}.git",
            scratch / f"repos/course{count}",
            scratch / f"floor/course{count}",
        )
        for count in range(number)
    ]
    for course in courses:
        shutil.copytree(remote.bare, course.bare)
        for checkout in (course.ours, course.floor):
            shutil.copytree(clone, checkout)
            config = checkout / ".git/config"
            config.write_text(config.read_text().replace(remote.url, course.url))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(_settle, [checkout for one in courses for checkout in (one.ours, one.floor)]))
    return courses, tips


def _settle(copy: Path) -> None:
    # A copy's index knows the times of the files that it was copied from.
    git("update-index", "-q", "--refresh", cwd=copy)


def _deliver(server: Server, courses: Sequence[_Course], tip: str) -> float:
    pushes = [deliveries.push(course.url, tip) for course in courses]
    began = time.perf_counter()
    send_all(server.port, "/update", pushes, CONNECTIONS)
    for course in courses:
        wait_until(partial(_is_at, course.ours, tip), f"{course.ours} at {tip}", 600)
    took = time.perf_counter() - began
    server.wait_idle()
    server.rest()
    return took


def _is_at(checkout: Path, tip: str) -> bool:
    return revision(checkout) == tip


def _fetch_and_reset(courses: Sequence[_Course]) -> float:
    began = time.perf_counter()
    subprocess.run(
        ["xargs", "-0", f"-P{WORKERS}", "-n1", "sh", "-c", FLOOR],
        input="\0".join(str(course.floor) for course in courses),
        text=True,
        check=True,
    )
    return time.perf_counter() - began
