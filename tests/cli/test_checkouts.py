from __future__ import annotations

from pathlib import Path

import pytest

from gitreload.checkouts.revision import revision
from helpers import Remote, git

from .conftest import NEW, Book, Host


class TestList:
    def test_before_anything_ran(self, host: Host) -> None:
        [heads, row] = [line.split() for line in host.done("list").splitlines()]
        head = git("rev-parse", "HEAD", cwd=host.repodir / "course")
        assert heads == ["CHECKOUT", "REMOTE", "BRANCH", "REVISION"]
        assert row == ["course", host.remote.url, "main", head[:12]]
        assert not host.state_dir.exists()

    def test_the_last_result(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        book.succeed(book.begin())
        row = host.done("list").splitlines()[1].split()
        assert row[4] == "succeeded"
        assert row[-1] == "1"
        [listed] = host.json("list")
        assert (listed["last_job"]["state"], listed["course_key"]) == ("succeeded", "Org/c/run")
        assert listed["last_job"]["to_revision"] == NEW
        # What is really there, whatever the ledger believes.
        assert listed["revision"] == git("rev-parse", "HEAD", cwd=host.repodir / "course")

    def test_a_problem_is_marked_and_credentials_are_not_shown(self, host: Host) -> None:
        course = host.repodir / "course"
        git("remote", "set-url", "origin", "https://ada:sesame@git.example/a/b.git", cwd=course)
        git("checkout", "-q", "--detach", cwd=course)
        for shown in (host.done("list"), host.done("list", "--json")):
            assert "detached HEAD" in shown
            assert "git.example/a/b.git" in shown
            assert "sesame" not in shown

    def test_json_has_all_of_the_model(self, host: Host) -> None:
        (host.repodir / "alias").symlink_to("course")
        [listed] = host.json("list")
        assert listed["directory"] == "course"
        assert listed["path"] == str(host.repodir / "course")
        assert listed["aliases"] == ["alias"]
        assert listed["identities"] == [f"file:{host.remote.bare}".removesuffix(".git")]
        assert (listed["branch"], listed["follows"]) == ("main", "main")
        assert (listed["problem"], listed["last_job"]) == (None, None)


class TestRevision:
    @pytest.fixture
    def clone(self, remote: Remote, tmp_path: Path) -> Path:
        return remote.clone(tmp_path / "clone")

    def check(self, path: Path) -> None:
        assert revision(str(path)) == git("rev-parse", "HEAD", cwd=path)

    def test_a_fresh_clone(self, clone: Path) -> None:
        self.check(clone)

    def test_packed_and_then_moved(self, clone: Path) -> None:
        git("branch", "prefix/main", cwd=clone)
        git("pack-refs", "--all", cwd=clone)
        self.check(clone)
        git("commit", "-q", "--allow-empty", "-m", "more", cwd=clone)
        self.check(clone)

    def test_detached(self, clone: Path) -> None:
        git("checkout", "-q", "--detach", cwd=clone)
        self.check(clone)

    def test_a_worktree(self, clone: Path, tmp_path: Path) -> None:
        git("worktree", "add", "-q", "-b", "other", str(tmp_path / "tree"), cwd=clone)
        git("commit", "-q", "--allow-empty", "-m", "more", cwd=tmp_path / "tree")
        self.check(tmp_path / "tree")

        git("checkout", "-q", "--detach", cwd=tmp_path / "tree")
        git("commit", "-q", "--allow-empty", "-m", "on no branch", cwd=tmp_path / "tree")
        self.check(tmp_path / "tree")

    def test_nothing_checked_out(self, tmp_path: Path) -> None:
        git("init", "-q", str(tmp_path / "new"), cwd=tmp_path)
        assert revision(str(tmp_path / "new")) is None
        assert revision(str(tmp_path)) is None
