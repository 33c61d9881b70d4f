"""Checkouts where the file system takes `README` and `readme` for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitreload.git.caseless import alike
from helpers import Remote, caseless, git
from sites import Site


@pytest.fixture
def site(remote: Remote, tmp_path: Path) -> Iterator[Site]:
    with caseless(tmp_path / "caseless"):
        yield Site(remote, remote.clone(tmp_path / "caseless/course"))


def _notes(site: Site) -> tuple[str, ...]:
    """Update, and what was told, which is the same the next time: nothing was mended in vain."""
    updated = site.update()
    assert updated.after == site.git("rev-parse", "HEAD")
    assert updated.after == git("rev-parse", "HEAD", cwd=site.remote.work)
    assert site.update().notes == updated.notes
    return updated.notes


def _told(names: str) -> str:
    return (
        "this file system does not tell upper from lower case, so there is only one each of "
        f"{names}: rename the others and push"
    )


@pytest.mark.parametrize(
    ("files", "clash"),
    [
        (["README.md", "readme.md"], "README.md and readme.md"),
        (["part/B", "PART/b"], "PART/b and part/B"),
        (["DIR", "dir/inside"], "DIR and dir"),
    ],
    ids=["files", "directories", "a file and a directory"],
)
def test_names_that_clash_are_told_and_changes_still_dropped(
    files: list[str], clash: str, site: Site, remote: Remote
) -> None:
    remote.commit({name: f"of {name}" for name in files})
    assert _notes(site) == (_told(clash),)
    there = next(site.path / name for name in files if (site.path / name).is_file())
    there.write_text("mine")
    *dropped, told = site.update().notes
    assert [note.partition(" of ")[0] for note in dropped] == ["dropped local changes"]
    assert told == _told(clash)
    assert not there.is_file() or there.read_text() != "mine"
    git("rm", "-q", files[0], cwd=remote.work)
    tip = remote.commit({})
    assert _notes(site) == ()
    assert site.at(tip)
    assert (site.path / files[1]).read_text() == f"of {files[1]}"


def test_directories_that_are_one_have_all_files(site: Site, remote: Remote) -> None:
    site.git("config", "core.ignoreCase", "false")  # as a clone that was copied here says
    remote.commit({"Dir/a": "1", "dir/b": "2"})
    assert _notes(site) == ()
    assert {file.name for file in (site.path / "Dir").iterdir()} == {"a", "b"}


def test_a_rename_in_case_alone_is_followed(site: Site, remote: Remote) -> None:
    git("mv", "README.md", "readme.md", cwd=remote.work)
    tip = remote.commit({})
    assert _notes(site) == ()
    assert site.at(tip)
    assert (site.path / "readme.md").read_text() == "first\n"


@pytest.mark.parametrize(
    ("files", "clashing"),
    [
        (["a", "b", "a/c"], []),
        (["A", "a", "Ä", "ä", "b"], [("A", "a"), ("Ä", "ä")]),
        (["Dir/a", "dir/b", "DIR/A"], [("DIR/A", "Dir/a")]),
        (["x/Dir", "x/dir/a", "X/DIR/a"], [("X/DIR", "x/Dir", "x/dir"), ("X/DIR/a", "x/dir/a")]),
    ],
)
def test_names_are_alike_where_one_is_a_file(
    files: list[str], clashing: list[tuple[str, ...]]
) -> None:
    assert sorted(alike(files)) == sorted(clashing)
