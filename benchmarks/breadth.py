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
# What an update has to do besides, and what it may rest on being done.
CLEAN_FLOOR = f"{FLOOR} && git clean -qffd"


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
    courses, tips = _courses(scratch, number, 2 * rounds)
    ours, floor, clean_floor = 0.0, 0.0, 0.0
    with servers.gitreload(
        scratch / "gitreload", scratch / "repos", num_threads=WORKERS, reconcile_minutes=0
    ) as server:
        for first, second in zip(tips[::2], tips[1::2], strict=True):
            _show(courses, first)
            ours += _deliver(server, courses, first)
            floor += _git_alone(courses, FLOOR)
            _show(courses, second)
            clean_floor += _git_alone(courses, CLEAN_FLOOR)
            ours += _deliver(server, courses, second)
    ours /= 2
    return Section(
        "Breadth",
        (
            compare(f"{number:,} checkouts", ours / rounds, floor / rounds, seconds, GOAL),
            compare(
                f"{number:,} checkouts, the peer cleans too",
                ours / rounds,
                clean_floor / rounds,
                seconds,
            ),
            compare("checkouts", number * rounds / ours, number * rounds / floor, rate),
        ),
        f"{number:,} checkouts of {len(COURSE) + PAGES} files, a new commit in the remote of each; "
        f"from the first delivery to `/update` (over {CONNECTIONS} connections) until all are at "
        f"their tip, with {WORKERS} workers, against `git fetch && git reset --hard` in equal "
        f"clones by `xargs -P{WORKERS}`; means of {2 * rounds} and {rounds}, in turns. The limit "
        "is that an update runs a third git command, `git clean`, which removes what is not "
        "tracked: on so small a checkout all that git does is to start. The second row is against "
        "the same three commands. What is left is the ledger (each job is claimed, its children "
        "are noted for the case of a crash, its end is synced to disk) and the start of children "
        "from one Python process.",
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


def _show(courses: Sequence[_Course], tip: str) -> None:
    """Let the remotes have `tip` on their branch."""
    for course in courses:
        (course.bare / "refs/heads/main").write_text(f"{tip}\n")


def _git_alone(courses: Sequence[_Course], commands: str) -> float:
    began = time.perf_counter()
    subprocess.run(
        ["xargs", "-0", f"-P{WORKERS}", "-n1", "sh", "-c", commands],
        input="\0".join(str(course.floor) for course in courses),
        text=True,
        check=True,
    )
    return time.perf_counter() - began
