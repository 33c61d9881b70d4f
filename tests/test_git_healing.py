"""Every broken state of a checkout ends at the tip, and the log says what was found and done."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitreload.git import BranchGoneError
from gitreload.model import PermanentError
from helpers import Remote, git
from sites import Site


def _notes(site: Site, branch: str = "main") -> str:
    """Update, and what was told; it has to end at the tip, and be quiet the next time."""
    updated = site.update(branch, follows=_follows(site, branch))
    assert updated.after == git("rev-parse", "HEAD", cwd=site.remote.work)
    assert site.at(updated.after)
    again = site.update(branch, follows=_follows(site, branch))
    assert (again.after, again.notes) == (updated.after, ())
    return "\n".join(updated.notes)


def _follows(site: Site, branch: str) -> str:
    return site.git("config", "--default", branch, f"branch.{branch}.merge").removeprefix(
        "refs/heads/"
    )


# Locks


AGES = {"now": 0, "seconds": 10, "years": 5 * 365 * 86400}


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize(
    "name",
    [
        "index.lock",
        "HEAD.lock",
        "config.lock",
        "config.worktree.lock",
        "shallow.lock",
        "packed-refs.lock",
        "ORIG_HEAD.lock",
        "refs/heads/main.lock",
        "refs/remotes/origin/main.lock",
        "objects/info/commit-graph.lock",
    ],
)
def test_a_lock_of_any_age_and_kind_is_stale_where_nobody_works(
    name: str, age: str, site: Site, remote: Remote
) -> None:
    lock = site.path / ".git" / name
    lock.parent.mkdir(exist_ok=True)
    lock.touch()
    os.utime(lock, (time.time() - AGES[age],) * 2)
    remote.commit({"a": "1"})
    notes = _notes(site)
    # git works along with those of objects, and they are found where git complains of any.
    if not name.startswith("objects"):
        assert notes == (f"removed the stale lock {lock.name} (no process works in this checkout)")
        assert not lock.exists()


# The index


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: b"garbage",
        lambda data: data[:20],
        lambda data: bytes(len(data)),
        lambda data: data[:7] + b"\x09" + data[8:],
    ],
    ids=["empty", "garbage", "cut off", "zeros", "of another version"],
)
def test_a_corrupt_index_is_made_anew(
    spoil: Callable[[bytes], bytes], site: Site, remote: Remote
) -> None:
    index = site.path / ".git/index"
    index.write_bytes(spoil(index.read_bytes()))
    remote.commit({"README.md": "second"})
    assert _notes(site) == "removed the index, which was corrupt; git makes it anew"


# What was begun and left


@pytest.mark.parametrize("options", [[], ["--no-checkout"]], ids=["detached", "no checkout"])
def test_a_bisect_is_ended(options: list[str], site: Site, remote: Remote) -> None:
    for number in range(6):
        remote.commit({"a": str(number)})
    site.update()
    site.git("bisect", "start", *options, "HEAD", "HEAD~5")
    remote.commit({"a": "last"})
    assert _notes(site) == "abandoned an unfinished bisect"
    assert site.git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert "bisecting" not in site.git("status")
    assert site.git("for-each-ref", "refs/bisect") == ""


def test_a_bisect_that_began_detached_leads_to_no_branch(site: Site, remote: Remote) -> None:
    for number in range(3):
        remote.commit({"a": str(number)})
    site.update()
    site.git("checkout", "-q", "--detach")
    site.git("bisect", "start", "HEAD", "HEAD~3")
    with pytest.raises(PermanentError, match="course has a detached HEAD"):
        site.update()


def test_a_missing_index_is_told(site: Site, remote: Remote) -> None:
    (site.path / ".git/index").unlink()
    remote.commit({"README.md": "theirs"})
    assert _notes(site) == "the index is missing; git makes it anew"


# What somebody did there


def test_dropped_changes_and_commits_are_told(site: Site, remote: Remote) -> None:
    site.write("README.md", "mine")
    site.git("commit", "-q", "-am", "mine")
    mine = site.git("rev-parse", "HEAD")
    for number in range(7):
        site.write(f"added{number}", "")
    site.git("add", "-A")
    remote.commit({"README.md": "theirs"})
    assert _notes(site).splitlines() == [
        f"dropped commits that only this checkout had, up to {mine}",
        "dropped local changes of added0, added1, added2, added3, added4 and 2 more",
    ]
    assert site.git("show", f"{mine}:README.md") == "mine"


@pytest.mark.parametrize("theirs", ["README.md", "another"])
def test_a_change_is_told_also_where_the_push_does_not_touch_it(
    theirs: str, site: Site, remote: Remote
) -> None:
    site.write("README.md", "mine")
    tip = remote.commit({theirs: "theirs"})
    assert _notes(site) == "dropped local changes of README.md"
    assert site.at(tip)


def test_an_ignored_file_that_is_overwritten_is_told_where_those_are_removed(
    site: Site, remote: Remote
) -> None:
    site.write(".git/info/exclude", "page")
    site.write("page", "mine")
    remote.commit({"page": "theirs"})
    assert site.update(clean="ignored").notes == ("overwrote what was not tracked: page",)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [("new", "new"), ("new/inside", "new"), ("new", "new/inside"), ("new/a", "new/a")],
)
def test_untracked_files_and_directories_in_the_way_are_told(
    mine: str, theirs: str, site: Site, remote: Remote
) -> None:
    site.write(mine, "mine")
    site.write("not/in/the/way", "")
    remote.commit({theirs: "theirs"})
    assert _notes(site) == f"overwrote what was not tracked: {theirs}"
    assert (site.path / theirs).read_text() == "theirs"


def test_names_that_differ_in_case_alone_are_all_there(site: Site, remote: Remote) -> None:
    site.git("config", "core.ignoreCase", "true")  # as a configuration from another system says
    remote.commit({"Folder/a": "1", "readme.md": "lower"})
    assert _notes(site) == ""
    git("mv", "Folder/a", "Folder/b", cwd=remote.work)
    remote.commit({"folder/a": "2", "FOLDER/a": "3"})
    git("rm", "-q", "README.md", cwd=remote.work)
    remote.commit({})
    assert _notes(site) == ""
    names = [str(file.relative_to(site.path)) for file in site.path.rglob("*") if file.is_file()]
    assert sorted(name for name in names if not name.startswith(".git/")) == [
        "FOLDER/a",
        "Folder/b",
        "folder/a",
        "readme.md",
    ]


@pytest.mark.parametrize("ignore_case", ["true", "false"])
def test_a_rename_in_case_alone_is_followed(ignore_case: str, site: Site, remote: Remote) -> None:
    site.git("config", "core.ignoreCase", ignore_case)
    remote.commit({"Folder/a": "1"})
    assert _notes(site) == ""
    git("mv", "README.md", "readme.md", cwd=remote.work)
    git("mv", "Folder", "folder", cwd=remote.work)
    remote.commit({})
    assert _notes(site) == ""
    assert site.git("ls-files").splitlines() == ["folder/a", "readme.md"]
    assert {"readme.md", "folder"} == {file.name for file in site.path.iterdir()} - {".git"}


# Files and directories that cannot be written


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def mortal(home: Path) -> Iterator[Path]:
    """A directory, and no privileges to go round its permissions."""
    if os.geteuid() != 0:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, 65534, 65534)
        os.environ["HOME"] = folder  # pytest's own directories are for root alone
        os.setresuid(65534, 65534, 0)
        try:
            yield Path(folder)
        finally:
            os.setresuid(0, 0, 0)
            os.environ["HOME"] = str(home)


@pytest.mark.parametrize("closed", ["", "part", "part/deep", ".git", ".git/refs/heads"])
def test_directories_that_cannot_be_written_are_opened(closed: str, mortal: Path) -> None:
    remote = Remote(mortal / "forge")
    remote.commit({"part/deep/file": "1", "part/file": "1", "top": "1"})
    site = Site(remote, remote.clone(mortal / "repos/course"))
    folder = site.path / closed
    for file in folder.iterdir():
        if file.is_file():
            file.chmod(0o444)
    if closed == ".git":
        (folder / "index.lock").touch()
    folder.chmod(0o555)
    git("rm", "-q", "part/deep/file", cwd=remote.work)
    remote.commit({"part/file": "2", "part/deep/new": "2", "top": "2"})
    assert f"made the directory {closed or '.'} writable, which it was not" in _notes(site)
    folder.chmod(0o755)


def test_files_that_cannot_be_written_are_replaced(mortal: Path) -> None:
    remote = Remote(mortal / "forge")
    remote.commit({"part/file": "1"})
    site = Site(remote, remote.clone(mortal / "repos/course"))
    for file in (path for path in site.path.rglob("*") if path.is_file()):
        file.chmod(0o444)
    remote.commit({"part/file": "2"})
    # git writes on in its logs alone; all else it replaces.
    assert _notes(site).splitlines() == [
        f"made the file .git/logs/{log} writable, which it was not"
        for log in ("HEAD", "refs/heads/main", "refs/remotes/origin/HEAD")
    ]
    assert (site.path / "part/file").read_text() == "2"


@needs_root
@pytest.mark.parametrize("theirs", ["part", ".git"])
def test_directories_of_somebody_else_are_left_for_a_person(theirs: str, mortal: Path) -> None:
    remote = Remote(mortal / "forge")
    remote.commit({"part/file": "1"})
    site = Site(remote, remote.clone(mortal / "repos/course"))
    remote.commit({"part/file": "2"})
    os.setresuid(0, 0, 0)
    os.chown(site.path / theirs, 0, 0)
    os.setresuid(65534, 65534, 0)
    cure = rf"(may not write everything in course|does not trust).+chown -R nobody {site.path}"
    with pytest.raises(PermanentError, match=cure):
        site.update()
    os.setresuid(0, 0, 0)
    os.chown(site.path / theirs, 65534, 65534)
    os.setresuid(65534, 65534, 0)
    _notes(site)


# Objects and refs


def _loose(site: Site) -> None:
    """Take the packs apart."""
    packs = list((site.path / ".git/objects/pack").glob("*.pack"))
    for pack in packs:
        moved = pack.rename(site.path.parent / pack.name)
        pack.with_suffix(".idx").unlink()
        with moved.open("rb") as data:
            subprocess.run(["git", "unpack-objects", "-q"], cwd=site.path, stdin=data, check=True)


def _object(site: Site, name: str) -> Path:
    _loose(site)
    revision = site.git("rev-parse", name)
    file = site.path / ".git/objects" / revision[:2] / revision[2:]
    file.chmod(0o644)
    return file


def _pack(site: Site, suffix: str = ".pack") -> Path:
    (file,) = (site.path / ".git/objects/pack").glob(f"*{suffix}")
    file.chmod(0o644)
    return file


def _flip(file: Path, start: int = 20) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:start] + bytes(byte ^ 0xFF for byte in data[start:-40]) + data[-40:])


DAMAGE: dict[str, Callable[[Site], object]] = {
    "empty commit": lambda site: _object(site, "HEAD").write_bytes(b""),
    "garbled commit": lambda site: _object(site, "HEAD").write_bytes(b"garbage"),
    "empty tree": lambda site: _object(site, "HEAD^{tree}").write_bytes(b""),
    "missing tree": lambda site: _object(site, "HEAD^{tree}").unlink(),
    "empty blob": lambda site: _object(site, "HEAD:part/long").write_bytes(b""),
    "missing blob": lambda site: _object(site, "HEAD:part/long").unlink(),
    "missing parent": lambda site: _object(site, "HEAD~1").unlink(),
    "garbled pack": lambda site: _flip(_pack(site)),
    "short pack": lambda site: os.truncate(_pack(site), 100),
    "empty pack": lambda site: os.truncate(_pack(site), 0),
    "empty index of a pack": lambda site: os.truncate(_pack(site, ".idx"), 0),
    "garbled index of a pack": lambda site: _flip(_pack(site, ".idx"), 500),
    "no objects at all": lambda site: shutil.rmtree(site.path / ".git/objects"),
    "no refs at all": lambda site: shutil.rmtree(site.path / ".git/refs"),
    "garbled packed-refs": lambda site: (site.path / ".git/packed-refs").write_text("garbage\n"),
    "garbled shallow": lambda site: (site.path / ".git/shallow").write_text("garbage\n"),
}


@pytest.fixture
def damaged(site: Site, remote: Remote, request: pytest.FixtureRequest) -> Site:
    """A checkout of two commits, damaged; the remote has a third one."""
    long = "".join(f"line {number}\n" for number in range(500))
    remote.commit({"part/long": long, "part/b": "1"})
    remote.commit({"part/b": "2", ".gitignore": "*.log\n"})
    shutil.rmtree(site.path)
    remote.clone(site.path)
    site.write("ignored.log", "keep")
    site.write(".git/hooks/mine", "keep")
    site.write(".git/info/exclude", "keep")
    site.git("config", "some.setting", "keep")
    DAMAGE[getattr(request, "param", "garbled pack")](site)
    remote.commit({"part/long": f"{long}more\n", "README.md": "third"})
    return site


@pytest.mark.parametrize("damaged", DAMAGE, indirect=True)
def test_damaged_objects_are_replaced_by_those_of_the_remote(damaged: Site) -> None:
    notes = _notes(damaged)
    assert "replaced the damaged objects by those of the remote" in notes
    assert "; fetching everything anew" in "\n".join(damaged.log)
    assert damaged.git("fsck", "--strict") == ""
    assert damaged.git("config", "some.setting") == "keep"
    assert damaged.git("config", "remote.origin.url") == damaged.remote.url
    for kept in ("ignored.log", ".git/hooks/mine", ".git/info/exclude"):
        assert (damaged.path / kept).read_text() == "keep"
    place = Path(notes.rpartition("kept for a look in ")[2])
    assert place.parent == damaged.path.parent / ".gitreload/damaged/course"
    assert (place / "config").read_text() == (damaged.path / ".git/config").read_text()


@pytest.mark.parametrize("options", [["--depth=1"], ["--filter=blob:none"]], ids=str)
def test_a_small_clone_stays_small_when_its_objects_are_replaced(
    options: list[str], remote: Remote, tmp_path: Path
) -> None:
    git("config", "uploadpack.allowFilter", "true", cwd=remote.bare)
    remote.commit({"README.md": "second"})
    site = Site(remote, remote.clone(tmp_path / "repos/org/course", *options))
    shutil.rmtree(site.path / ".git/objects")
    remote.commit({"a": "1"})
    assert "replaced the damaged objects" in _notes(site)
    missing = site.git("rev-list", "--objects", "--missing=print", "HEAD")
    assert ("?" in missing) is (options != ["--depth=1"])
    assert (site.git("rev-list", "--count", "HEAD") == "1") is (options == ["--depth=1"])


def test_what_a_link_leads_to_is_renewed_beside_it(damaged: Site, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere/deep/name"
    elsewhere.parent.mkdir(parents=True)
    damaged.path.rename(elsewhere)
    damaged.path.symlink_to(elsewhere)
    assert str(tmp_path / "elsewhere/deep/.gitreload/damaged/course/") in _notes(damaged)


def test_the_newest_two_replaced_ones_are_kept(damaged: Site) -> None:
    for _ in range(3):
        shutil.rmtree(damaged.path / ".git/objects")
        damaged.update()
    kept = damaged.path.parent / ".gitreload/damaged/course"
    assert len(list(kept.iterdir())) == 2


def test_damage_stays_as_it_is_while_the_remote_cannot_be_reached(damaged: Site) -> None:
    before = sorted((damaged.path / ".git").rglob("*"))
    away = damaged.remote.bare.rename(damaged.remote.bare.with_name("away.git"))
    shutil.copytree(away, damaged.remote.bare)
    shutil.rmtree(damaged.remote.bare / "objects")
    with pytest.raises(PermanentError, match="is no repository, or none"):
        damaged.update()
    assert sorted((damaged.path / ".git").rglob("*")) == before
    shutil.rmtree(damaged.remote.bare)
    away.rename(damaged.remote.bare)
    assert "replaced the damaged objects" in _notes(damaged)


def test_a_crash_at_any_step_of_the_replacement_is_healed_by_the_next_update(
    damaged: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    class CrashError(Exception):
        pass

    steps = 0

    def until(step: int) -> Callable[[Path, Path], Path]:
        def renaming(self: Path, target: Path) -> Path:
            nonlocal steps
            steps += 1
            if steps > step:
                raise CrashError
            return rename(self, target)

        return renaming

    for step in range(20):
        steps = 0
        monkeypatch.setattr(Path, "rename", until(step))
        try:
            damaged.update()
        except CrashError:
            continue
        break
    monkeypatch.undo()
    assert step > 1
    assert damaged.at(git("rev-parse", "HEAD", cwd=damaged.remote.work))
    assert not list((damaged.path.parent / ".gitreload/fresh").iterdir())


def test_objects_that_other_worktrees_share_are_left_for_a_person(
    damaged: Site, tmp_path: Path
) -> None:
    (damaged.path / ".git/worktrees/other").mkdir(parents=True)
    with pytest.raises(PermanentError, match=r"objects in course are damaged: .+ Clone it again"):
        damaged.update()


@pytest.mark.parametrize("content", ["", "1" * 40, "garbage"], ids=["empty", "missing", "garbage"])
@pytest.mark.parametrize(
    "ref", ["refs/heads/other", "refs/remotes/origin/other", "refs/stash", "refs/tags/v1"]
)
def test_refs_that_name_nothing_are_removed(
    ref: str, content: str, site: Site, remote: Remote
) -> None:
    (site.path / ".git" / ref).write_text(content)
    (site.path / ".git" / f"{ref}2").write_text(content)
    remote.commit({"a": "1"})
    notes = _notes(site)
    for name in (ref, f"{ref}2"):
        assert f"removed {name}, which named no object that is there" in notes
        assert not (site.path / ".git" / name).exists()


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/remotes/origin/main"])
def test_the_followed_refs_may_name_nothing(ref: str, site: Site, remote: Remote) -> None:
    (site.path / ".git" / ref).write_text("1" * 40 + "\n")
    remote.commit({"a": "1"})
    assert "which named no object that is there" in _notes(site)


# Branches of the remote


def test_a_branch_that_is_deleted_and_made_anew_is_followed(site: Site, remote: Remote) -> None:
    remote.commit({"a": "1"}, branch="live")
    site.git("fetch", "-q")
    site.git("switch", "-q", "live")
    remote.push("live", "--delete")
    with pytest.raises(BranchGoneError):
        site.update("live")
    git("checkout", "-q", "--orphan", "new", cwd=remote.work)
    git("branch", "-q", "-D", "live", cwd=remote.work)
    git("branch", "-q", "-m", "live", cwd=remote.work)
    remote.commit({"b": "2"}, branch="live")
    assert _notes(site, "live") == "the history of live was rewritten at the remote"
    assert not (site.path / "a").exists() or (remote.work / "a").exists()


def _rename(remote: Remote, old: str, new: str) -> None:
    git("branch", "-q", "-m", old, new, cwd=remote.work)
    remote.push(new)
    git("symbolic-ref", "HEAD", f"refs/heads/{new}", cwd=remote.bare)
    remote.push(old, "--delete")


@pytest.mark.parametrize("pushed", [True, False], ids=["and pushed to", "only"])
def test_a_default_branch_that_is_renamed_is_followed(
    pushed: bool, site: Site, remote: Remote
) -> None:
    _rename(remote, "main", "trunk")
    if pushed:
        remote.commit({"a": "1"}, branch="trunk")
    assert _notes(site) == (
        "the remote has no branch main; its default branch is trunk now, which is followed from "
        "here on"
    )
    assert site.git("rev-parse", "--abbrev-ref", "main@{upstream}") == "origin/trunk"
    _rename(remote, "trunk", "main")
    assert "its default branch is main now" in _notes(site)


def test_an_empty_clone_follows_the_branch_that_the_remote_begins_with(tmp_path: Path) -> None:
    remote = Remote(tmp_path / "forge")
    site = Site(remote, remote.clone(tmp_path / "repos/course"))
    remote.commit({"a": "1"}, branch="trunk")
    with pytest.raises(BranchGoneError):  # it has no default branch yet
        site.update()
    git("symbolic-ref", "HEAD", "refs/heads/trunk", cwd=remote.bare)
    assert "its default branch is trunk now" in _notes(site)


def test_another_default_branch_is_not_followed(site: Site, remote: Remote) -> None:
    before = site.git("rev-parse", "HEAD")

    def expect_gone() -> None:
        with pytest.raises(BranchGoneError, match="it was deleted, or nothing was pushed yet"):
            site.update()
        assert site.at(before)

    # It was there beside the followed one.
    remote.commit({"a": "1"}, branch="dev")
    site.git("fetch", "-q")
    git("symbolic-ref", "HEAD", "refs/heads/dev", cwd=remote.bare)
    remote.push("main", "--delete")
    expect_gone()
    # It has another history.
    site.git("update-ref", "-d", "refs/remotes/origin/dev")
    git("checkout", "-q", "--orphan", "other", cwd=remote.work)
    remote.commit({"b": "1"}, branch="other")
    git("symbolic-ref", "HEAD", "refs/heads/other", cwd=remote.bare)
    expect_gone()
    # The followed one was not the default.
    git("symbolic-ref", "HEAD", "refs/heads/dev", cwd=remote.bare)
    site.git("remote", "set-head", "origin", "--delete")
    expect_gone()
