"""The precheck of a course: how long `gitreload validate` takes, beside olxcleaner.

Both as a whole command, from start to exit code, as authors and the CI of their repositories run
them. olxcleaner looks for other things, and trusts what it reads.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.errors import BenchError
from benchmarks.push import courses
from benchmarks.table import Row, Section, compare, limit, milliseconds, seconds
from gitreload import olx

NEEDS = ()
# For the examination alone.
GOAL_SECONDS = 1.0
BIN = Path(sys.executable).parent


def measure(scratch: Path, *, quick: bool) -> Section:
    rounds = 3 if quick else 15
    rows: list[Row] = []
    for name, files in courses(quick=quick).items():
        root = _unpacked(scratch / name.split(",")[0], files)
        rows += _measured(name, root, rounds)
    return Section("Precheck", tuple(rows), _how(rounds))


def _how(rounds: int) -> str:
    return (
        "`gitreload validate` against olxcleaner's `edx-cleaner` on the same course, both from "
        f"their start to their end; medians of {rounds}, in turns. What an import waits for is the "
        "examination alone, without the start of a process."
    )


def _unpacked(folder: Path, files: Mapping[str, str] | Path) -> Path:
    """The directory with course.xml."""
    folder.mkdir(parents=True)
    if isinstance(files, Path):
        subprocess.run(["tar", "-xf", str(files), "-C", str(folder)], check=True)
    else:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    report = olx.examine(folder)
    if not report.courses:
        raise BenchError(f"there is no course in {folder}: {report.findings[0]}")
    return folder / report.courses[0].root


def _measured(name: str, root: Path, rounds: int) -> list[Row]:
    ours: list[float] = []
    theirs: list[float] = []
    alone: list[float] = []
    for _ in range(rounds):
        ours.append(_run([str(BIN / "gitreload"), "validate", "."], root))
        theirs.append(_run([str(BIN / "edx-cleaner"), "-q", "-e", "-c", "course.xml"], root))
        began = time.perf_counter()
        olx.examine(root)
        alone.append(time.perf_counter() - began)
    return [
        compare(
            name, statistics.median(ours) * 1000, statistics.median(theirs) * 1000, milliseconds
        ),
        limit(f"{name}, examined", statistics.median(alone), GOAL_SECONDS, seconds),
    ]


def _run(argv: Sequence[str], folder: Path) -> float:
    began = time.perf_counter()
    # Either may find something: that is not what is measured.
    subprocess.run(argv, cwd=folder, stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - began
