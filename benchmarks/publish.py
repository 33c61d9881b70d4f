"""Published against in place: the time of one update, and the room that a revision takes.

The floor is `git fetch && git reset --hard` in an equal clone. Ours are called in this process, so
that neither queue nor HTTP has a part in it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.push import FLOOR, PAGE, courses
from benchmarks.repos import Remote
from benchmarks.table import Row, Section, at_most, compare, milliseconds
from gitreload import git
from gitreload.checkouts import Checkouts
from gitreload.process import Runner
from gitreload.publish import Published

NEEDS = ()
GOAL = at_most(1.5)
WARM_UP = 2
HOW = (
    "From the push of one changed file until readers get it: `git.update`, against the same and "
    "then `Published.publish`, and a bare `git fetch && git reset --hard`, in turns, in equal "
    "clones. What the job does after the link is switched stands by itself: it removes an old "
    "revision, and copies or links the files for the next one; a push that comes meanwhile waits "
    "for it. The room is that of a kept revision, beside that of the whole tree; without reflinks "
    "(ext4), unchanged files are copied unless `HARDLINKS` are configured."
)


def measure(scratch: Path, *, quick: bool) -> Section:
    rounds = 5 if quick else 30
    rows = [
        row
        for name, files in courses(quick=quick).items()
        for row in _Course(name, scratch / name.split(",")[0], files).rows(rounds)
    ]
    return Section("Published", tuple(rows), HOW)


class _Course:
    """A remote, and a clone of it for each way to update one."""

    def __init__(self, name: str, folder: Path, files: Mapping[str, str] | Path) -> None:
        self._name = name
        self._remote = Remote(folder / "forge", files)
        self._folder = folder
        for each in ("place", "copied", "linked", "bare"):
            self._remote.clone(folder / "repos" / each)
        self._checkouts = Checkouts(folder / "repos", {})

    def rows(self, rounds: int) -> list[Row]:
        ways: dict[str, Callable[[], object]] = {
            "place": lambda: self._in_place("place"),
            "copied": lambda: self._publish("copied", hardlinks=False),
            "linked": lambda: self._publish("linked", hardlinks=True),
            "bare": self._bare,
        }
        afterwards = {
            "copied": self._published("copied"),
            "linked": self._published("linked", hardlinks=True),
        }
        took: dict[str, list[float]] = {way: [] for way in [*ways, *map(_after, afterwards)]}
        for number in range(WARM_UP + rounds):
            self._remote.commit({PAGE: f"<p>{number}</p>\n"})
            self._remote.push()
            for way, update in ways.items():
                took[way].append(_milliseconds(update))
                if way in afterwards:
                    took[_after(way)].append(_milliseconds(afterwards[way].make_ready))
        of = {way: statistics.median(times[WARM_UP:]) for way, times in took.items()}
        return [
            compare(f"{self._name}: in place; bare", of["place"], of["bare"], milliseconds),
            compare(
                f"{self._name}: published; in place", of["copied"], of["place"], milliseconds, GOAL
            ),
            compare(
                f"{self._name}: HARDLINKS; in place", of["linked"], of["place"], milliseconds, GOAL
            ),
            *(
                compare(
                    f"{self._name}: {way} revision; tree",
                    self._room(way),
                    self._room(way, whole=True),
                    _kilobytes,
                )
                for way in afterwards
            ),
            *(
                Row(f"{self._name}: afterwards, {way}", milliseconds(of[_after(way)]))
                for way in afterwards
            ),
        ]

    def _in_place(self, name: str) -> str:
        checkout = self._checkouts.get(name)
        assert checkout is not None
        runner = Runner(log=lambda _: None)
        return git.update(checkout, runner, timeout=60, clean_policy="untracked").after

    def _publish(self, name: str, *, hardlinks: bool) -> None:
        revision = self._in_place(name)
        checkout = self._checkouts.get(name)
        assert checkout is not None
        self._published(name, hardlinks=hardlinks).publish(
            revision,
            write=lambda folder, index: git.write(
                checkout,
                Runner(log=lambda _: None),
                revision,
                folder=folder,
                index=index,
                timeout=60,
            ),
            validate=lambda _: None,
            may_switch=lambda: True,
        )

    def _published(self, name: str, *, hardlinks: bool = False) -> Published:
        return Published(self._folder / "published" / name, 3, 0, hardlinks)

    def _bare(self) -> None:
        subprocess.run(["sh", "-c", FLOOR], cwd=self._folder / "repos/bare", check=True)

    def _room(self, name: str, *, whole: bool = False) -> float:
        """Bytes that the newest revision takes beside the one before it, or alone."""
        published = self._published(name)
        newest, before = published.kept()[:2]
        shared = set() if whole else {each.st_ino for each in _files(published.folder(before))}
        new = (each for each in _files(published.folder(newest)) if each.st_ino not in shared)
        return float(sum(each.st_blocks * 512 for each in new))


def _milliseconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - began)


def _after(way: str) -> str:
    return f"after {way}"


def _files(folder: Path) -> list[os.stat_result]:
    return [each.lstat() for each in folder.rglob("*")]


def _kilobytes(size: float) -> str:
    return f"{size / 1024:,.0f} KiB"
