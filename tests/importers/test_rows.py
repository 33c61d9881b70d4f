"""Every known end of an import: what becomes of the job, and what people are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import platform
from helpers import Remote
from importers.rows import CASES, NAMES, Row, play
from reporters.hearing import check_heard
from workbench import Bench


@pytest.fixture(scope="module")
def kept() -> Iterator[list[Bench]]:
    """Where a bench is kept for all rows, as they need no other."""
    benches: list[Bench] = []
    yield benches
    for bench in benches:
        bench.ledger.close()


@pytest.fixture
def host(
    kept: list[Bench], empty_ledger: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Bench, platform.Platform]:
    if not kept:
        folder = tmp_path_factory.mktemp("rows")
        remote = Remote(folder / "forge")
        remote.commit({}, "first")
        kept.append(Bench(folder, empty_ledger, remote))
        platform.build(folder / "platform", repodir=kept[0].repodir)
    return kept[0], platform.Platform(kept[0].folder / "platform")


@pytest.mark.parametrize(("row", "importer"), CASES, ids=NAMES)
def test_the_verdict_is_right(
    row: Row, importer: str, host: tuple[Bench, platform.Platform]
) -> None:
    bench, built = host
    job = play(row, importer, bench, built)
    assert job.state is row.state, job.error
    expected = row.error and row.error.format(command=importer, path=bench.checkout().path)
    assert (job.error or "").startswith(expected or "")
    assert (job.error is None) == (row.error is None)
    check_heard(bench.ledger, job)
    if not job.state.finished:
        bench.ledger.cancel(job)
