"""`python -m benchmarks [MEASUREMENT…] [--before REVISION] [--quick]`."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    ack,
    breadth,
    change,
    growth,
    machine,
    precheck,
    publish,
    push,
    reconcile,
    repos,
    storm,
)
from benchmarks.errors import BenchError
from benchmarks.table import Section, markdown

ROOT = Path(__file__).parents[1]
SCRATCH = ROOT / ".bench"
RESULTS = Path(__file__).with_name("RESULTS.md")
MEASUREMENTS = {
    "ack": ack,
    "push": push,
    "publish": publish,
    "storm": storm,
    "breadth": breadth,
    "reconcile": reconcile,
    "precheck": precheck,
    "growth": growth,
}


def main() -> int:
    """0 when all is measured, whatever came out; 1 when something failed; 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("measurement", nargs="*", help=f"of {', '.join(MEASUREMENTS)}; all")
    parser.add_argument("--quick", action="store_true", help="only to see that all of it works")
    parser.add_argument(
        "--before", metavar="REVISION", help="and acknowledgement against that of this revision"
    )
    arguments = parser.parse_args()
    chosen = arguments.measurement or list(MEASUREMENTS)
    unknown = [name for name in chosen if name not in MEASUREMENTS]
    if unknown:
        parser.error(f"no such measurement: {', '.join(unknown)}")
    packages = machine.missing(need for name in chosen for need in MEASUREMENTS[name].NEEDS)
    if packages:
        parser.error(
            f"install what is measured with; on Debian: apt-get install {' '.join(packages)}"
        )
    try:
        sections = [_measured(name, arguments.quick) for name in chosen]
        if arguments.before:
            sections.append(_measured("change", arguments.quick, arguments.before))
    except (BenchError, subprocess.CalledProcessError) as error:
        print(f"{error}\nWhat was left behind is in {SCRATCH}.", file=sys.stderr)
        return 1
    if chosen == list(MEASUREMENTS) and not arguments.quick:
        RESULTS.write_text(_page(sections))
        print(f"written to {RESULTS}")
    return 0


def _measured(name: str, quick: bool, before: str | None = None) -> Section:
    shutil.rmtree(SCRATCH, ignore_errors=True)
    repos.isolate(SCRATCH)
    began = time.monotonic()
    section: Section
    if before is None:
        section = MEASUREMENTS[name].measure(SCRATCH / name, quick=quick)
    else:
        section = change.measure(SCRATCH / name, before, quick=quick)
    shutil.rmtree(SCRATCH)
    print(f"{markdown(section)}\n\n({name} took {time.monotonic() - began:.0f} s)\n", flush=True)
    return section


def _page(sections: Sequence[Section]) -> str:
    missed = [section.title for section in sections if not section.met]
    verdict = f"Goals missed in: {', '.join(missed)}." if missed else "All goals are met."
    facts = "\n".join(f"| {name} | {value} |" for name, value in machine.facts())
    parts = [
        "# Benchmark results",
        f"Made by `make bench` on {datetime.now(UTC):%Y-%m-%d}. {verdict}",
        "One run on one machine, side by side: ratios carry over, absolute figures do not.",
        f"| machine | |\n|---|---|\n{facts}",
        *map(markdown, sections),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
