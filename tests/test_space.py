"""Nothing is fetched onto a disk that is all but full."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gitreload.git import update
from gitreload.git.space import check_space
from gitreload.model import Checkout, TransientError
from gitreload.process import Runner
from helpers import Remote, needs_mount, tmpfs


def test_there_is_room_for_the_tests(tmp_path: Path) -> None:
    check_space("course", str(tmp_path))


@needs_mount
def test_too_little_room_fails_before_the_fetch_and_passes(remote: Remote, tmp_path: Path) -> None:
    log: list[str] = []
    with tmpfs(tmp_path / "small", "80m"):
        path = remote.clone(tmp_path / "small/course")
        tip = remote.commit({"a": "new\n"})
        ballast = tmp_path / "small/ballast"
        ballast.write_bytes(b"0" * (20 << 20))
        with pytest.raises(
            TransientError,
            match=rf"the disk of course has only \d+ MiB left, .* below 64: free .* of {path}",
        ):
            _update(remote, path, log)
        assert log == []
        ballast.unlink()
        assert _update(remote, path, log) == tip


@needs_mount
def test_room_for_few_files_only_is_told_so(tmp_path: Path) -> None:
    with (
        tmpfs(tmp_path / "small", "80m,nr_inodes=500"),
        pytest.raises(TransientError, match=r"only room for 49\d files left, .* below 1000"),
    ):
        check_space("course", str(tmp_path / "small"))


@needs_mount
@pytest.mark.parametrize("name", ["new", "a"])
def test_files_that_fill_the_disk_give_way_to_what_was_there(
    remote: Remote, tmp_path: Path, name: str
) -> None:
    log: list[str] = []
    with tmpfs(tmp_path / "small", "80m"):
        path = remote.clone(tmp_path / "small/course")
        there = {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}
        # Almost nothing in the pack.
        remote.commit({name: "\0" * (100 << 20)})
        with pytest.raises(TransientError, match=r"filled the disk, so [0-9a-f]{40} is"):
            _update(remote, path, log)
        assert {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()} == there
        tip = remote.commit({name: "small\n"})
        assert _update(remote, path, log) == tip


@needs_mount
def test_more_files_than_the_disk_can_have_give_way_to_what_was_there(
    remote: Remote, tmp_path: Path
) -> None:
    log: list[str] = []
    with tmpfs(tmp_path / "small", "80m,nr_inodes=2500"):
        path = remote.clone(tmp_path / "small/course")
        remote.commit({f"many/{number}": "all the same\n" for number in range(3000)})
        with pytest.raises(TransientError, match=r"filled the disk, .* room for .* files left"):
            _update(remote, path, log)
        assert not (path / "many").exists()
        shutil.rmtree(remote.work / "many")
        tip = remote.commit({})
        assert _update(remote, path, log) == tip


def _update(remote: Remote, path: Path, log: list[str]) -> str:
    checkout = Checkout("course", str(path), remote.url, frozenset(), "main", "main")
    runner = Runner(log=log.append)
    return update(checkout, runner, timeout=60, clean_policy="untracked").after
