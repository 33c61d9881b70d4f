"""Only some directories of a repository, and only the end of its history, with real git."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gitreload.git import Extent
from gitreload.git.sparse import patterns
from gitreload.model import PermanentError
from helpers import Remote, git
from sites import Site

TREE = {
    "top.txt": "1",
    "a/in.txt": "1",
    "a/deep/er/x.txt": "1",
    "a/other/y.txt": "1",
    "b/z.txt": "1",
}


def _files(folder: Path) -> set[str]:
    files = (str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())
    return {name for name in files if not name.startswith(".git/")} - {"README.md"}


class TestSparse:
    @pytest.fixture
    def site(self, site: Site, remote: Remote) -> Site:
        remote.commit(TREE)
        return site

    def _update(self, site: Site, *directories: str) -> tuple[str, ...]:
        return site.update(extent=Extent(sparse=directories)).notes

    def test_leaves_only_these_directories_and_the_files_above(self, site: Site) -> None:
        notes = self._update(site, "a/deep")
        assert notes == ("only these directories are checked out from now on: a/deep",)
        assert _files(site.path) == {"top.txt", "a/in.txt", "a/deep/er/x.txt"}
        assert site.git("status", "-s") == ""

    def test_is_the_choice_that_git_itself_would_write(self, site: Site) -> None:
        self._update(site, "b", "a/deep/er", "a/deep")
        assert site.git("sparse-checkout", "list").splitlines() == ["a/deep", "b"]
        ours = (site.path / ".git/info/sparse-checkout").read_text()
        site.git("sparse-checkout", "set", "--cone", "b", "a/deep/er", "a/deep")
        assert ours.partition("\n")[2] == (site.path / ".git/info/sparse-checkout").read_text()

    def test_holds_for_later_updates(self, site: Site, remote: Remote) -> None:
        self._update(site, "a/deep")
        tip = remote.commit({"a/deep/new.txt": "1", "b/new.txt": "1", "b/z.txt": "2"})
        assert self._update(site, "a/deep") == ()
        assert site.at(tip)
        assert _files(site.path) == {"top.txt", "a/in.txt", "a/deep/er/x.txt", "a/deep/new.txt"}

    def test_runs_no_further_process_while_all_is_as_it_should_be(self, site: Site) -> None:
        site.update()
        site.children.clear()
        site.update()
        usual = len(site.children)
        self._update(site, "a")
        site.children.clear()
        self._update(site, "a")
        assert len(site.children) == usual

    def test_can_be_changed_and_taken_back(self, site: Site, remote: Remote) -> None:
        self._update(site, "a/deep")
        self._update(site, "b")
        assert _files(site.path) == {"top.txt", "b/z.txt"}
        notes = self._update(site)
        assert notes == ("all directories are checked out again, as SPARSE names none any more",)
        assert _files(site.path) == set(TREE)
        assert site.git("config", "core.sparseCheckout") == "false"
        assert self._update(site) == ()

    def test_is_taken_back_once_however_often_that_is_interrupted(self, site: Site) -> None:
        self._update(site, "b")
        (site.path / ".git/info/sparse-checkout").write_text("# gitreload: SPARSE\n/*\n")
        self._update(site)
        assert _files(site.path) == set(TREE)

    def test_tells_what_it_takes_away(self, site: Site) -> None:
        site.update()
        site.write("b/z.txt", "mine")
        site.write("b/untracked.txt", "mine")
        assert "dropped local changes of b/z.txt" in self._update(site, "a")
        assert _files(site.path) == {name for name in TREE if not name.startswith("b/")}

    def test_of_somebody_else_is_left_alone(self, site: Site) -> None:
        site.update()
        site.git("sparse-checkout", "set", "--cone", "b")
        assert self._update(site) == ()
        assert _files(site.path) == {"top.txt", "b/z.txt"}
        self._update(site, "a/deep")
        assert _files(site.path) == {"top.txt", "a/in.txt", "a/deep/er/x.txt"}

    def test_that_somebody_ended_by_hand_is_begun_again(self, site: Site) -> None:
        self._update(site, "b")
        site.git("sparse-checkout", "disable")
        assert _files(site.path) == set(TREE)
        self._update(site, "b")
        assert _files(site.path) == {"top.txt", "b/z.txt"}

    def test_tells_of_a_directory_that_is_not_there(self, site: Site) -> None:
        notes = self._update(site, "b", "nowhere")
        assert "SPARSE names what is no directory of main: nowhere" in notes

    def test_survives_a_damaged_index(self, site: Site, remote: Remote) -> None:
        self._update(site, "b")
        (site.path / ".git/index").write_bytes(b"garbage")
        tip = remote.commit({"a/in.txt": "2"})
        self._update(site, "b")
        assert site.at(tip)
        assert _files(site.path) == {"top.txt", "b/z.txt"}

    def test_is_refused_where_another_worktree_would_lose_its_files(
        self, site: Site, tmp_path: Path
    ) -> None:
        site.git("worktree", "add", "-q", "--detach", str(tmp_path / "other"))
        with pytest.raises(PermanentError, match=r"shares its \.git with other worktrees"):
            self._update(site, "b")

    def test_no_directory_is_an_option_or_a_pattern(self) -> None:
        assert patterns(["-x", "#y", "!z"]).endswith("/!z/\n/#y/\n/-x/\n")


class TestDepth:
    @pytest.fixture
    def remote(self, remote: Remote) -> Remote:
        for number in range(5):
            remote.commit({"a": str(number)})
        return remote

    @pytest.fixture
    def site(self, remote: Remote, tmp_path: Path) -> Site:
        return Site(remote, remote.clone(tmp_path / "repos/course", "--depth=2"))

    def _commits(self, site: Site) -> int:
        return int(site.git("rev-list", "--count", "HEAD"))

    def test_limits_what_is_fetched(self, site: Site, remote: Remote) -> None:
        tip = [remote.commit({"b": str(number)}) for number in range(4)][-1]
        updated = site.update(extent=Extent(depth=2))
        assert (updated.after, updated.notes) == (tip, ())
        assert self._commits(site) == 2

    def test_cuts_the_history_of_a_whole_clone_off(self, remote: Remote, tmp_path: Path) -> None:
        site = Site(remote, remote.clone(tmp_path / "repos/whole"))
        site.update(extent=Extent(depth=1))
        assert self._commits(site) == 1

    def test_is_taken_back_once_nothing_is_said_of_it(self, site: Site) -> None:
        site.update(extent=Extent(depth=1))
        site.update()
        assert self._commits(site) == 6
        assert not (site.path / ".git/shallow").exists()
        site.children.clear()
        site.update()
        assert self._commits(site) == 6

    def test_of_somebodys_own_clone_stays(self, site: Site, remote: Remote) -> None:
        tip = remote.commit({"b": "1"})
        site.update()
        assert site.at(tip)
        assert self._commits(site) == 3

    def test_follows_a_history_that_was_rewritten(self, site: Site, remote: Remote) -> None:
        site.update(extent=Extent(depth=1))
        git("commit", "-q", "--amend", "-m", "again", cwd=remote.work)
        remote.push("main", "--force")
        tip = git("rev-parse", "HEAD", cwd=remote.work)
        assert site.update(extent=Extent(depth=1)).notes == ()
        assert site.at(tip)

    def test_finds_an_announced_push_beyond_it(self, site: Site, remote: Remote) -> None:
        announced = remote.commit({"b": "1"})
        for number in range(5):
            remote.commit({"c": str(number)})
        assert not site.update(extent=Extent(depth=1), wanted=(announced,)).lagging

    def test_tells_a_remote_that_lags(self, site: Site, remote: Remote) -> None:
        tip = git("rev-parse", "HEAD", cwd=remote.work)
        later = remote.commit({"b": "1"})
        git("update-ref", "refs/heads/main", tip, cwd=remote.bare)
        assert site.update(extent=Extent(depth=1), wanted=(later,)).lagging

    def test_does_not_take_what_was_pushed_for_commits_of_the_checkout(
        self, site: Site, remote: Remote
    ) -> None:
        """As after a crash between a fetch and its reset."""
        site.update(extent=Extent(depth=1))
        before = site.git("rev-parse", "HEAD")
        remote.commit({"b": "1"})
        site.update(extent=Extent(depth=1))
        site.git("update-ref", "refs/heads/main", before)
        remote.commit({"b": "2"})
        notes = site.update(extent=Extent(depth=1)).notes
        assert not [note for note in notes if "only this checkout had" in note]
        site.git("commit", "-q", "--allow-empty", "-m", "mine")
        notes = site.update(extent=Extent(depth=1)).notes
        assert [note for note in notes if "only this checkout had" in note]

    def test_holds_when_damaged_objects_are_fetched_anew(self, site: Site, remote: Remote) -> None:
        site.update(extent=Extent(depth=2))
        shutil.rmtree(site.path / ".git/objects/pack")
        for folder in (site.path / ".git/objects").glob("[0-9a-f][0-9a-f]"):
            shutil.rmtree(folder)
        (site.path / ".git/objects/pack").mkdir()
        tip = remote.commit({"b": "1"})
        site.update(extent=Extent(depth=2))
        assert site.at(tip)
        assert self._commits(site) == 2

    def test_asks_no_server_when_there_is_no_question(self, site: Site, remote: Remote) -> None:
        site.update(extent=Extent(depth=1))
        tip = remote.commit({"b": "1"})
        site.log.clear()
        site.update(extent=Extent(depth=1), wanted=(tip,))
        assert len([line for line in site.log if line.startswith("fetching")]) == 1
