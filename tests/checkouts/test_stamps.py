from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitreload.checkouts.stamps import LONGEST, Trail


def test_a_young_file_is_never_trusted(tmp_path: Path) -> None:
    tmp_path.joinpath("HEAD").write_bytes(b"ref: refs/heads/main\n")
    trail = Trail(str(tmp_path))
    trail.read("HEAD")
    assert not trail.evidence().holds(str(tmp_path))


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("change", ["same size and time", "replaced", "gone", "appeared"])
def test_evidence_ends_with_any_change(tmp_path: Path, change: str) -> None:
    file, later = tmp_path / "HEAD", tmp_path / "later"
    file.write_bytes(b"main")
    trail = Trail(str(tmp_path))
    assert trail.read("HEAD") == b"main"
    trail.note("later")
    evidence = trail.evidence()
    assert evidence.holds(str(tmp_path))
    if change == "same size and time":
        before = file.stat()
        with file.open("r+b") as opened:
            opened.write(b"next")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "replaced":
        later.write_bytes(b"next")
        later.rename(file)
    elif change == "gone":
        file.unlink()
    else:
        later.write_bytes(b"")
    assert not evidence.holds(str(tmp_path))


def test_only_files_of_a_sane_length_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    tmp_path.joinpath("long").write_bytes(bytes(LONGEST + 1))
    trail = Trail(str(tmp_path))
    for name in ("pipe", "long", "."):
        with pytest.raises(OSError, match=r"not a file, or longer than 1 MiB"):
            trail.read(name)
