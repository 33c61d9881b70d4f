"""What is particular to the engine that lives in files: damaged, deleted, full or foreign ones."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gitreload.engines.embedded import EmbeddedEngine, wake_all
from gitreload.model import TransientError


def noting(called: list[str]) -> Callable[[str], bool]:
    """Recovers everything, and notes whom."""

    def recover(worker: str) -> bool:
        called.append(worker)
        return True

    return recover


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EmbeddedEngine]:
    engine = EmbeddedEngine(tmp_path)
    engine.start()
    yield engine
    engine.stop()


def test_a_pipe_without_a_reader_is_passed_over(tmp_path: Path, engine: EmbeddedEngine) -> None:
    os.mkfifo(tmp_path / "wake" / "dead")
    engine.wake()


def test_a_pipe_that_is_full_holds_wake_ups_enough(tmp_path: Path) -> None:
    (tmp_path / "wake").mkdir()
    pipe = tmp_path / "wake" / "slow"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(reader, b"\0" * 4096)
    wake_all(tmp_path / "wake")
    os.close(reader)


def test_a_folder_that_cannot_be_listed_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "wake").write_text("in the way")
    wake_all(tmp_path / "wake")
    assert "no process can be woken" in caplog.text
    assert "Not a directory" in caplog.text


def test_what_is_in_the_way_is_told_and_others_are_woken(
    tmp_path: Path, engine: EmbeddedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "wake" / "folder").mkdir()
    engine.wait(0)
    with caplog.at_level(logging.WARNING):
        wake_all(tmp_path / "wake")
    engine.wait(600)
    assert str(tmp_path / "wake" / "folder") in caplog.text


def test_without_any_process_waking_is_no_error(tmp_path: Path) -> None:
    wake_all(tmp_path / "wake")


def test_a_directory_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "workers").write_text("a file where a directory should be")
    with pytest.raises(TransientError, match=f"{tmp_path} cannot be used .*STATE_DIR is writable"):
        EmbeddedEngine(tmp_path).start()


def test_a_lock_file_deleted_by_hand_makes_its_worker_count_as_dead(
    tmp_path: Path, engine: EmbeddedEngine
) -> None:
    """What it still runs holds its checkouts' locks, so that recovery waits for those."""
    other = EmbeddedEngine(tmp_path)
    other.start()
    (tmp_path / "workers" / f"{other.worker_id}.lock").unlink()
    called: list[str] = []
    engine.reap({other.worker_id}, noting(called))
    assert called == [other.worker_id]
    other.stop()


def test_recovery_that_raises_is_tried_again(tmp_path: Path, engine: EmbeddedEngine) -> None:
    def fail(_worker: str) -> bool:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        engine.reap({"dead"}, fail)
    called: list[str] = []
    engine.reap(set(), noting(called))
    assert called == ["dead"], "its file tells of it, even where the ledger does not"
    engine.reap(set(), noting(called))
    assert called == ["dead"]


@pytest.mark.parametrize("step", ["mkfifo", "open"])
def test_a_start_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    real = getattr(os, step)

    def full(path: Path, *args: int) -> int:
        if Path(path).parent.name == "wake":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        return int(real(path, *args))

    monkeypatch.setattr(os, step, full)
    before = open_files()
    with pytest.raises(TransientError, match="No space left"):
        EmbeddedEngine(tmp_path).start()
    # What other tests left behind may be closed meanwhile.
    assert open_files() <= before
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []


def open_files() -> set[tuple[str, str]]:
    """Descriptors, and what each is of."""
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        try:
            found.add((path.name, str(path.readlink())))
        except FileNotFoundError:
            continue  # the listing's own
    return found
