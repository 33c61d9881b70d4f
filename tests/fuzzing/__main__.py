"""`python -m fuzzing --minutes 30`: search with every target, keep what is worth it, sum up."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fuzzing.targets import CORPUS, TARGETS, Target

TESTS = Path(__file__).parents[1]
SUMMARY = Path(__file__).with_name("SUMMARY.md")
# Properties of the parsers that are tested besides, and get more examples here.
PROPERTIES = [
    "fuzzing",
    "test_remotes.py",
    "test_visible.py",
    "checkouts/test_gitconfig.py",
    "forges/test_core.py",
    "forges/test_github.py",
]
EXAMPLES = 300  # of each, by the profile "fuzz" in tests/conftest.py
# What is kept for a target, besides what broke a promise once.
MOST_INPUTS, MOST_BYTES = 60, 20_000
LONGEST = 8192  # bytes of an input
FOUND = "found-"  # the name of an input that broke a promise begins so: it is kept for ever
# An input that takes this long, or this much memory, breaks a promise too.
SECONDS_EACH, MEGABYTES_EACH = 20, 1024


@dataclass(frozen=True)
class Result:
    target: Target
    executions: int
    reached: int
    kept: int
    findings: tuple[str, ...]


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzzing", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--only", choices=TARGETS, action="append", help="these targets alone")
    options = parser.parse_args()
    chosen = [TARGETS[name] for name in options.only or TARGETS]
    seconds = options.minutes * 60 / len(chosen)
    results = [search(target, seconds) for target in chosen]
    found = [finding for result in results for finding in result.findings]
    print(*found or ["nothing was found"], sep="\n")
    if options.only:
        return 1 if found else 0
    hold = properties_hold()
    SUMMARY.write_text(summary(options.minutes, results, hold=hold))
    return 1 if found or not hold else 0


def search(target: Target, seconds: float) -> Result:
    """Search with a target for this long, or until something is found."""
    with tempfile.TemporaryDirectory() as folder:
        growing, broken = Path(folder, "corpus"), Path(folder, "broken")
        growing.mkdir()
        broken.mkdir()
        for data in [*target.seeds, *target.kept()]:
            keep(data, growing)
        limits = (f"-timeout={SECONDS_EACH}", f"-rss_limit_mb={MEGABYTES_EACH}")
        said = run(
            target,
            growing,
            f"-max_total_time={seconds:.0f}",
            f"-artifact_prefix={broken}/",
            *limits,
        )
        findings = tuple(
            f"{target.name}: {path.name} breaks its promise ({len(path.read_bytes())} bytes)"
            for path in sorted(broken.iterdir())
        )
        for path in broken.iterdir():
            shutil.copy(path, target.corpus / f"{FOUND}{path.name}")
        return Result(
            target,
            executions=last(r"stat::number_of_executed_units: (\d+)", said),
            reached=last(r"cov: (\d+)", said),
            kept=replace_corpus(target, growing),
            findings=findings,
        )


def run(target: Target, *options: Path | str) -> str:
    """What libFuzzer says."""
    target.corpus.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "fuzzing.search", target.name, *map(str, options)]
    argv += [f"-max_len={LONGEST}", "-print_final_stats=1"]
    done = subprocess.run(
        argv, cwd=TESTS, capture_output=True, text=True, errors="replace", check=False
    )
    print(target.name, *done.stderr.splitlines()[-3:], sep="\n  ")
    if "Traceback" in done.stderr:
        print(done.stderr[done.stderr.index("Traceback") :][:4000])
    return done.stderr


def replace_corpus(target: Target, grown: Path) -> int:
    """Keep a choice of all sizes of the inputs that reached something new; how many these are."""
    for path in target.corpus.glob("*"):
        if not path.name.startswith(FOUND):
            path.unlink()
    new = {path.read_bytes() for path in grown.iterdir()} - set(target.seeds)
    ordered = sorted(new, key=len)
    room, kept = MOST_BYTES, 0
    for data in ordered[:: 1 + len(ordered) // MOST_INPUTS]:
        room -= len(data)
        if room >= 0:
            keep(data, target.corpus)
            kept += 1
    return kept


def keep(data: bytes, folder: Path) -> None:
    (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def properties_hold() -> bool:
    """Whether those of the parsers do, for many examples each."""
    argv = [sys.executable, "-m", "pytest", "-q", "-n", "0", *PROPERTIES]
    argv += ["--hypothesis-profile=fuzz", "--timeout=1200"]
    return subprocess.run(argv, cwd=TESTS, check=False).returncode == 0


def last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def summary(minutes: float, results: list[Result], *, hold: bool) -> str:
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("gitreload", "atheris", "hypothesis", "msgspec")
    )
    rows = [
        f"| {each.target.name} | {(each.target.check.__doc__ or '').strip()} | {each.executions:,} "
        f"| {each.reached:,} | {each.kept} | {len(each.findings)} |"
        for each in results
    ]
    broken = sorted(path.relative_to(CORPUS) for path in CORPUS.rglob(f"{FOUND}*"))
    return f"""# The last run of `make fuzz`

Written by it. {datetime.now(UTC):%Y-%m-%d}, {minutes:g} minutes on one core, Python
{platform.python_version()}, {versions}.

| target | promise | executions | edges reached | inputs kept | findings |
|---|---|---|---|---|---|
{chr(10).join(rows)}

The properties of the parsers (in {", ".join(PROPERTIES)}) {"held" if hold else "did not hold"}
for {EXAMPLES:,} examples each.

Inputs that broke a promise in any run, and are tested since:
{chr(10).join(f"- `{path}`" for path in broken) or "none."}
"""


if __name__ == "__main__":
    sys.exit(main())
