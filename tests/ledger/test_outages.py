"""Disks that are full or read-only, and a ledger that somebody else holds; and afterwards."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitreload.ledger import Ledger, LedgerUnavailable, database
from gitreload.ledger.logs import CHUNK_CHARACTERS
from gitreload.model import Outcome, PermanentError, TransientError
from helpers import counts, tmpfs

from .builders import Clock, Desk, a_checkout, an_entry, database_file


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB of its own."""
    folder = tmp_path / "disk"
    with tmpfs(folder, "2m"):
        yield folder


def fill(folder: Path) -> Path:
    """Leave not a byte; the file that takes all."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return ballast


def test_a_full_disk_refuses_and_everything_goes_on_once_there_is_room(
    small_disk: Path, empty_ledger: Path, clock: Clock
) -> None:
    state_dir = small_disk / "state"
    state_dir.mkdir()
    shutil.copy(empty_ledger, database_file(state_dir))
    ledger = Ledger.open(state_dir, "pool", clock)
    desk = Desk(ledger, clock)
    desk.push("running")
    claimed = desk.claim()
    desk.push("waiting")
    log = ledger.logs.open(claimed.attempt.id)
    ballast = fill(small_disk)

    entries = [an_entry(a_checkout("new"), at=clock(), body=os.urandom(50_000)) for _ in range(4)]
    attempts: list[Callable[[], object]] = [
        lambda: ledger.record(entries),
        lambda: ledger.claim("worker"),
    ]
    for attempt in attempts:
        with pytest.raises(LedgerUnavailable, match=r"free some space|has room"):
            attempt()
    log.write("x" * CHUNK_CHARACTERS * 10)
    with pytest.raises(LedgerUnavailable):
        ledger.logs.close(log)
    assert [job.directory for job in ledger.unfinished()] == ["running", "waiting"]

    ballast.unlink()
    assert ledger.record(entries)[0].outcome is Outcome.QUEUED
    ledger.logs.close(log)
    assert len("".join(text for _, text in ledger.log(claimed.attempt.id))) > 10 * CHUNK_CHARACTERS
    desk.succeed(claimed)
    assert [desk.claim().job.directory for _ in range(2)] == ["waiting", "new"]
    ledger.close()


def test_a_full_disk_at_the_start_is_told_and_not_half_made(small_disk: Path, clock: Clock) -> None:
    (small_disk / "state").mkdir()
    ballast = fill(small_disk)
    with pytest.raises(LedgerUnavailable, match=r"has room|free some space"):
        Ledger.open(small_disk / "state", "pool", clock)
    ballast.unlink()
    ledger = Ledger.open(small_disk / "state", "pool", clock)
    assert Desk(ledger, clock).push().outcome is Outcome.QUEUED
    ledger.close()


def test_a_read_only_disk_at_the_start_is_told(small_disk: Path, clock: Clock) -> None:
    state_dir = small_disk / "state"
    state_dir.mkdir()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(TransientError, match=f"{state_dir} is not writable .* read-write"):
        Ledger.open(state_dir, "pool", clock)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    ledger = Ledger.open(state_dir, "pool", clock)
    assert Desk(ledger, clock).push().outcome is Outcome.QUEUED
    ledger.close()


def test_a_ledger_that_becomes_read_only_is_told_and_works_again(desk: Desk) -> None:
    ledger = desk.ledger
    connections = []
    for durable in (True, False):
        with ledger.database.write(durable=durable) as connection:
            raw = connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            connections.append(raw)
    for raw in connections:
        raw.execute("PRAGMA query_only = 1")
    for attempt in (desk.push, lambda: ledger.claim("worker")):
        with pytest.raises(LedgerUnavailable, match="make the file and its directory writable"):
            attempt()
    assert ledger.unfinished() == [], "reading goes on"
    for raw in connections:
        raw.execute("PRAGMA query_only = 0")
    assert desk.push().outcome is Outcome.QUEUED
    desk.claim()


def test_a_ledger_that_grows_no_more_refuses_whole_batches(desk: Desk) -> None:
    """As on a full disk, but in every environment."""
    ledger = desk.ledger
    desk.push("running")
    claimed = desk.claim()
    with ledger.database.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # raised to what there is
    before = counts(ledger)
    entries = [
        an_entry(a_checkout(f"c{number}"), at=desk.clock(), body=os.urandom(20_000))
        for number in range(3)
    ]
    with pytest.raises(LedgerUnavailable, match="free some space on that disk"):
        ledger.record(entries)
    assert counts(ledger) == before
    with ledger.database.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert len(ledger.record(entries)) == 3
    desk.succeed(claimed)


def test_a_ledger_that_somebody_holds_is_told_after_a_while(
    state_dir: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    ledger = Ledger.open(state_dir, "pool", clock)
    holder = sqlite3.connect(database_file(state_dir), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    desk = Desk(ledger, clock)
    with pytest.raises(LedgerUnavailable, match="other process holds it"):
        desk.push()
    assert ledger.unfinished() == [], "reading goes on"
    holder.execute("COMMIT")
    holder.close()
    assert desk.push().outcome is Outcome.QUEUED
    ledger.close()


class TestBackup:
    def test_a_copy_is_whole_while_others_write(
        self, desk: Desk, tmp_path: Path, clock: Clock
    ) -> None:
        desk.push("a")
        claimed = desk.claim()
        with desk.ledger.database.write() as connection:
            connection.exec_driver_sql("UPDATE jobs SET error = 'not committed yet'")
            desk.ledger.backup(tmp_path / "copy.sqlite3")
        desk.push("b")
        assert (tmp_path / "copy.sqlite3").stat().st_mode & 0o777 == 0o600
        restored = tmp_path / "restored"
        restored.mkdir()
        shutil.copy(tmp_path / "copy.sqlite3", database_file(restored))
        copy = Ledger.open(restored, "pool", clock)
        [job] = copy.unfinished()
        assert (job.id, job.directory, job.error) == (claimed.job.id, "a", None)
        assert Desk(copy, clock).push("c").outcome is Outcome.QUEUED
        with copy.database.read() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        assert mode == "wal"
        copy.close()

    def test_an_older_copy_is_replaced(self, desk: Desk, tmp_path: Path) -> None:
        target = tmp_path / "copy.sqlite3"
        desk.ledger.backup(target)
        desk.push()
        desk.ledger.backup(target)
        connection = sqlite3.connect(target)
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (1,)
        connection.close()
        assert sorted(path.name for path in tmp_path.glob("*copy*")) == ["copy.sqlite3"]

    def test_a_target_that_cannot_be_written_is_named(self, desk: Desk, tmp_path: Path) -> None:
        target = tmp_path / "nowhere" / "copy.sqlite3"
        with pytest.raises(LedgerUnavailable, match=f"the backup {target} cannot be used"):
            desk.ledger.backup(target)

    def test_a_full_target_keeps_the_older_copy(self, desk: Desk, small_disk: Path) -> None:
        target = small_disk / "copy.sqlite3"
        target.write_text("the older copy")
        desk.push(body=os.urandom(100_000))
        fill(small_disk)
        with pytest.raises(LedgerUnavailable, match="free some space"):
            desk.ledger.backup(target)
        assert target.read_text() == "the older copy"
        assert sorted(path.name for path in small_disk.iterdir()) == ["ballast", "copy.sqlite3"]

    def test_the_ledger_is_not_written_onto_itself(self, desk: Desk, tmp_path: Path) -> None:
        link = tmp_path / "link.sqlite3"
        link.symlink_to(database_file(desk.ledger.state_dir))
        for target in (link, database_file(desk.ledger.state_dir)):
            with pytest.raises(PermanentError, match="is the ledger itself"):
                desk.ledger.backup(target)
        assert desk.push().outcome is Outcome.QUEUED
