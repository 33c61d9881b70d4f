"""Git LFS, with git-lfs where it is installed, else with a program that does what is used of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fakes import git_lfs
from gitreload.git import Extent, Updated, write
from gitreload.git.commands import Git
from gitreload.git.gitmodules import host
from gitreload.model import Action, PermanentError, State
from gitreload.process import Runner
from helpers import Remote, git
from sites import Site
from workbench import Bench

ATTRIBUTES = {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"}
LFS = Extent(lfs=True)


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("git-lfs") is None:
        folder = tmp_path / "programs"
        folder.mkdir()
        git_lfs.install(folder)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def _push(remote: Remote, **files: bytes) -> str:
    pointers = {f"{name}.bin": git_lfs.stored(remote.bare, files[name]) for name in files}
    return remote.commit(ATTRIBUTES | pointers)


def _update(site: Site) -> Updated:
    return site.update(extent=LFS, clean="ignored")


def _clean(site: Site) -> bool:
    found = Git(site.checkout(), Runner(log=site.log.append), timeout=60, extent=LFS, reading=True)
    return not found.changes("ignored").matter("ignored")


def test_checks_the_contents_out(site: Site, remote: Remote) -> None:
    first = b"large\0" * 30_000
    tip = _push(remote, a=first, b=b"small")
    assert _update(site).after == tip
    assert (site.path / "a.bin").read_bytes() == first
    assert _clean(site)
    _push(remote, a=b"second")
    assert _update(site).notes == ()
    assert (site.path / "a.bin").read_bytes() == b"second"
    assert (site.path / "b.bin").read_bytes() == b"small"
    assert _clean(site)


def test_takes_back_what_was_changed(site: Site, remote: Remote) -> None:
    _push(remote, a=b"content")
    _update(site)
    site.write("a.bin", "mine")
    assert _update(site).notes == ("dropped local changes of a.bin",)
    assert (site.path / "a.bin").read_bytes() == b"content"


def test_without_it_the_log_names_a_pointer(site: Site, remote: Remote) -> None:
    _push(remote, a=b"content")
    notes = site.update().notes
    (note,) = notes
    assert note.startswith("only pointers of Git LFS are checked out for a.bin: to have the files")
    assert (site.path / "a.bin").read_text().startswith("version https://git-lfs")
    assert site.update().notes == ()


def test_can_be_set_and_taken_back_at_the_same_tip(site: Site, remote: Remote) -> None:
    _push(remote, a=b"content")
    site.update()
    _update(site)
    assert (site.path / "a.bin").read_bytes() == b"content"
    site.update()
    assert (site.path / "a.bin").read_text().startswith("version https://git-lfs")
    assert site.git("status", "-s") == ""


def test_a_content_that_is_gone_changes_nothing(site: Site, remote: Remote) -> None:
    before = _update(site).after
    shutil.rmtree(remote.bare / "lfs", ignore_errors=True)
    remote.commit(ATTRIBUTES | {"a.bin": git_lfs.stored(remote.bare, b"gone")})
    shutil.rmtree(remote.bare / "lfs")
    with pytest.raises(PermanentError, match=r"not in the store of Git LFS: .+git lfs push --all"):
        _update(site)
    assert site.at(before)


def test_is_refused_where_git_lfs_is_missing(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_git = tmp_path / "only-git"
    only_git.mkdir()
    (only_git / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(only_git))
    with pytest.raises(PermanentError, match=r"git-lfs is not installed for .+ apt-get install"):
        _update(site)


def test_is_published_with_the_contents(site: Site, remote: Remote, tmp_path: Path) -> None:
    tip = _push(remote, a=b"content")
    _update(site)
    folder = tmp_path / "new"
    folder.mkdir()
    runner = Runner(log=site.log.append)
    index = tmp_path / "index"
    write(site.checkout(), runner, tip, folder=folder, index=index, timeout=60, extent=LFS)
    assert (folder / "a.bin").read_bytes() == b"content"


def test_a_job_publishes_the_contents(bench: Bench) -> None:
    bench.configured(LFS=True, PUBLISH=True)
    _push(bench.remote, a=b"content")
    bench.sync(action=Action.UPDATE)
    assert bench.run().state is State.SUCCEEDED
    assert (bench.folder / "published/course/a.bin").read_bytes() == b"content"


def test_holds_for_submodules(site: Site, remote: Remote) -> None:
    part = Remote(remote.bare.parent, "part")
    commit = _push(part, a=b"content")
    modules = '[submodule "part"]\n\tpath = part\n\turl = ../part.git\n'
    (remote.work / ".gitmodules").write_text(modules)
    git("add", ".gitmodules", cwd=remote.work)
    git("update-index", "--add", "--cacheinfo", f"160000,{commit},part", cwd=remote.work)
    git("commit", "-q", "-m", "part", cwd=remote.work)
    remote.push()
    site.update(extent=Extent(lfs=True, submodules=()))
    assert (site.path / "part/a.bin").read_bytes() == b"content"


def test_what_is_excluded_stays_a_pointer(site: Site, remote: Remote) -> None:
    """Where `lfs.fetchexclude` keeps it out of the fetch, as here where it is gone since."""
    _push(remote, a=b"content")
    _update(site)
    shutil.rmtree(site.path / ".git/lfs")
    index = site.path.parent / "index"
    folder = site.path.parent / "new"
    folder.mkdir()
    runner = Runner(log=site.log.append)
    tip = site.git("rev-parse", "HEAD")
    write(site.checkout(), runner, tip, folder=folder, index=index, timeout=60, extent=LFS)
    assert (folder / "a.bin").read_text().startswith("version https://git-lfs")


class TestWhere:
    """The store of contents is at the host of origin, whatever who may push says."""

    @pytest.mark.parametrize("key", ["lfs", 'remote "origin"'])
    @pytest.mark.parametrize(
        "url", ["https://evil.example/x", "ssh://-oProxyCommand=x/y", "https://a#@forge.example/x"]
    )
    def test_another_host_is_refused(self, key: str, url: str, site: Site, remote: Remote) -> None:
        before = site.update().after
        name = "url" if key == "lfs" else "lfsurl"
        remote.commit({".lfsconfig": f'[{key}]\n\t{name} = "{url}"\n'})
        with pytest.raises(PermanentError, match=r"is not at the host of its origin.+ lfs.url URL"):
            _update(site)
        assert site.at(before)

    def test_the_same_host_is_taken(self, site: Site, remote: Remote) -> None:
        store = remote.bare.with_name("store.git")
        git("init", "-q", "--bare", str(store), cwd="/")
        pointer = git_lfs.stored(store, b"content")
        config = f"[lfs]\n\turl = file://{store}\n"
        assert host(f"file://{store}") == host(remote.url)
        remote.commit(ATTRIBUTES | {"a.bin": pointer, ".lfsconfig": config})
        _update(site)
        assert (site.path / "a.bin").read_bytes() == b"content"

    def test_what_is_configured_in_the_checkout_counts_most(
        self, site: Site, remote: Remote
    ) -> None:
        site.git("config", "lfs.url", remote.url)
        remote.commit({".lfsconfig": "[lfs]\n\turl = https://evil.example/x\n"})
        _push(remote, a=b"content")
        _update(site)
        assert (site.path / "a.bin").read_bytes() == b"content"

    def test_no_program_that_is_named_there_is_run(
        self, site: Site, remote: Remote, tmp_path: Path
    ) -> None:
        trap = tmp_path / "trap"
        trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
        trap.chmod(0o755)
        config = (
            f"[lfs]\n\tstandalonetransferagent = evil\n\tskipdownloaderrors = true\n"
            f'[lfs "customtransfer.evil"]\n\tpath = {trap}\n'
            f'[lfs "extension.evil"]\n\tclean = {trap}\n\tsmudge = {trap}\n\tpriority = 0\n'
            f"[core]\n\tsshCommand = {trap}\n\tfsmonitor = {trap}\n"
        )
        remote.commit({".lfsconfig": config})
        _push(remote, a=b"content")
        _update(site)
        _push(remote, a=b"more")
        _update(site)
        assert (site.path / "a.bin").read_bytes() == b"more"
        assert not (tmp_path / "sprung").exists()

    def test_a_link_in_place_of_a_file_is_not_written_through(
        self, site: Site, remote: Remote, tmp_path: Path
    ) -> None:
        outside = tmp_path / "outside"
        outside.write_text("as it was")
        _push(remote, a=b"content")
        _update(site)
        (site.path / "a.bin").unlink()
        (site.path / "a.bin").symlink_to(outside)
        _push(remote, a=b"more")
        _update(site)
        assert (site.path / "a.bin").read_bytes() == b"more"
        assert outside.read_text() == "as it was"
