"""Reconcile: very many checkouts compared with their remotes, against `git ls-remote` alone."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from pathlib import Path

from benchmarks.errors import BenchError
from benchmarks.repos import COURSE, Remote
from benchmarks.table import Section, at_most, compare, rate, seconds
from gitreload import config
from gitreload.ledger import Ledger
from gitreload.reconcile import Reconciler
from gitreload.runtime import make_tools
from gitreload.tips import PARALLEL

NEEDS = ()
GOAL = at_most(1.2)
DAY_SECONDS = 86_400.0
BARE = ("git", "-C", "{}", "ls-remote", "-q", "--heads", "origin", "refs/heads/main")


def measure(scratch: Path, *, quick: bool) -> Section:
    number, rounds = (50, 1) if quick else (1000, 3)
    checkouts = _checkouts(scratch, number)
    first, ours, bare = 0.0, 0.0, 0.0
    for turn in range(rounds):
        bare += _git_alone(checkouts)
        begun, later = _reconcile(scratch / f"state{turn}", scratch / "repos", number)
        first += begun
        ours += later
    name = f"{number:,} checkouts"
    return Section(
        "Reconcile",
        (
            compare(name, ours / rounds, bare / rounds, seconds, GOAL),
            compare("remotes", number * rounds / ours, number * rounds / bare, rate),
            compare(f"{name}, the first round", first / rounds, bare / rounds, seconds),
        ),
        f"{name}, each of a remote of its own on the same disk and at its tip: one round, "
        f"{PARALLEL} remotes at a time, against `git ls-remote` in each of them by "
        f"`xargs -P{PARALLEL}`; means of {rounds}, in turns. The first round besides reads what is "
        "checked out, and writes all of them into an empty ledger. Remotes on this disk answer in "
        "milliseconds, so that what gitreload adds (the look at all checkouts, the start of "
        "children from one Python process) shows as it never does with a forge.",
    )


def _checkouts(scratch: Path, number: int) -> list[Path]:
    """So many checkouts of equal remotes, `course0`, …"""
    remote = Remote(scratch / "forge", COURSE)
    clone = remote.clone(scratch / "clone")
    made = []
    for count in range(number):
        bare = scratch / f"remotes/{count}.git"
        shutil.copytree(remote.bare, bare)
        checkout = scratch / f"repos/course{count}"
        shutil.copytree(clone, checkout)
        file = checkout / ".git/config"
        file.write_text(file.read_text().replace(remote.url, f"file://{bare}"))
        made.append(checkout)
    return made


def _reconcile(state_dir: Path, repodir: Path, number: int) -> tuple[float, float]:
    """The seconds of a first round with an empty ledger, and of the one after it."""
    keys = {"GITRELOAD_REPODIR": str(repodir), "GITRELOAD_STATE_DIR": str(state_dir)}
    tools = make_tools(config.load(keys | {"HOME": str(state_dir)}, repodir).settings)
    clock = _Clock()
    ledger = Ledger.open(state_dir, clock=clock)
    reconciler = Reconciler(ledger, lambda: tools, lambda: None, threading.Event())
    now, took = clock.now, []
    for later in (0.0, DAY_SECONDS):
        clock.now = now + later
        began = time.perf_counter()
        reconciler.attend()
        took.append(time.perf_counter() - began)
    reconciler.leave()
    compared = sum(record.tip is not None for record in ledger.last_results().values())
    ledger.close()
    if compared != number:
        raise BenchError(f"{compared} of {number} checkouts were compared")
    return took[0], took[1]


class _Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def _git_alone(checkouts: list[Path]) -> float:
    began = time.perf_counter()
    subprocess.run(
        ["xargs", "-0", f"-P{PARALLEL}", "-I{}", *BARE],
        input="\0".join(map(str, checkouts)),
        stdout=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return time.perf_counter() - began
