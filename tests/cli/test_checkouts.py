from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitreload.checkouts import Checkouts
from gitreload.checkouts.revision import revision
from gitreload.model import Action, TransientError
from helpers import Remote, git

from .conftest import NEW, Book, Host


class TestList:
    def test_before_anything_ran(self, host: Host) -> None:
        [heads, row] = [line.split() for line in host.done("list").splitlines()]
        head = git("rev-parse", "HEAD", cwd=host.repodir / "course")
        assert heads == ["CHECKOUT", "REMOTE", "FOLLOWS", "REVISION"]
        assert row == ["course", host.remote.url, "main", head[:12]]
        assert not host.state_dir.exists()

    def test_the_last_result(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        book.succeed(book.begin())
        row = host.done("list").splitlines()[1].split()
        assert row[4] == "succeeded"
        assert row[-1] == "1"
        [listed] = host.json("list")
        assert (listed["last_job"]["state"], listed["course_keys"]) == ("succeeded", ["Org/c/run"])
        assert listed["last_job"]["to_revision"] == NEW
        # What is really there, whatever the ledger believes.
        assert listed["revision"] == git("rev-parse", "HEAD", cwd=host.repodir / "course")

    def test_two_that_import_one_course_are_warned_about(self, host: Host, book: Book) -> None:
        host.clone("second")
        for name in ("course", "second"):
            host.done("sync", name)
            assert "warning" not in host.run("list").stderr
            book.succeed(book.begin())
        told = host.run("list").stderr
        assert "warning: course and second import the same course, Org/c/run" in told

    def test_what_reconciling_found(self, host: Host, book: Book) -> None:
        checkout = Checkouts(host.repodir, {}).get("course")
        assert checkout is not None
        head = git("rev-parse", "HEAD", cwd=host.repodir / "course")
        book.ledger.note_tips([(checkout, head, None)])
        assert "BEHIND" not in host.done("list")
        book.ledger.note_tips([(checkout, NEW, None)])
        book.ledger.catch_up(checkout, NEW, lambda _: Action.UPDATE, missed=True)
        heads, row = host.done("list").splitlines()
        assert "BEHIND" in heads
        assert NEW[:12] in row
        assert "the webhook of course seems broken: a push came" in row
        [listed] = host.json("list")
        assert (listed["tip"], listed["missed"]["pushes"]) == (NEW, 1)
        book.ledger.note_tips([(checkout, None, TransientError("the remote is away"))])
        assert "the remote is away" in host.done("list")

    def test_a_job_that_is_late(self, host: Host, late: str) -> None:
        assert late in host.done("list")

    def test_one_that_is_held_by_the_configuration(self, host: Host) -> None:
        host.done("sync", "course")
        host.configure(REPOS={"course": {"HOLD": True}})
        assert "queued, held" in host.done("list")
        assert host.json("list")[0]["last_job"]["held"]

    def test_one_that_follows_tags(self, host: Host) -> None:
        host.configure(REPOS={"course": {"REF": "v*"}})
        course = host.repodir / "course"
        assert "tags v*" in host.done("list")
        for name in ("x9", "v1", "v2"):
            git("tag", "-a", "-m", "release", name, cwd=course)
        assert "tags v* (v2)" in host.done("list")
        [listed] = host.json("list")
        assert (listed["tags"], listed["tag"]) == ("v*", "v2")

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


class TestWidth:
    """A table, as long as there is room for one."""

    def on_a_terminal(self, host: Host, columns: int, *args: str) -> str:
        ours, theirs = os.openpty()
        env = {"COLUMNS": str(columns), "LINES": "25", "TERM": "dumb", "NO_COLOR": "1"}
        with host.command(*(args or ("list",)), stdout=theirs, env=env) as command:
            os.close(theirs)
            shown = b""
            try:
                while piece := os.read(ours, 65536):
                    shown += piece
            except OSError:  # how a terminal tells that nobody writes any more
                pass
            assert command.wait(timeout=60) == 0
        os.close(ours)
        return shown.decode().replace("\r\n", "\n")

    def test_a_wide_terminal_has_a_table(self, host: Host) -> None:
        [heads, row] = self.on_a_terminal(host, 300).splitlines()
        assert heads.split() == ["CHECKOUT", "REMOTE", "FOLLOWS", "REVISION"]
        assert row.split()[:3] == ["course", host.remote.url, "main"]

    def test_a_narrow_one_has_a_block_for_each_checkout(self, host: Host) -> None:
        host.clone("a-directory-with-a-long-name")
        blocks = self.on_a_terminal(host, 30).split("\n\n")
        assert [block.splitlines()[:3] for block in blocks] == [
            [f"checkout  {name}", f"remote    {host.remote.url}", "follows   main"]
            for name in ("a-directory-with-a-long-name", "course")
        ]

    @pytest.mark.usefixtures("utc")
    def test_a_block_names_the_time_zone_as_a_table_does(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        book.succeed(book.begin())
        assert "\nwhen (UTC+00:00)  2" in self.on_a_terminal(host, 30)

    @pytest.mark.usefixtures("utc")
    def test_at_80_columns_it_is_a_table_of_short_forms(self, host: Host, book: Book) -> None:
        course = host.repodir / "course"
        git("remote", "set-url", "origin", "https://git.example/You/course", cwd=course)
        host.done("sync", "course")
        book.succeed(book.begin())
        host.done("sync", "course")
        book.fail(book.begin(), "course.xml:1:1: " + "a long story " * 20)
        head = git("rev-parse", "HEAD", cwd=course)[:8]
        heads, row = self.on_a_terminal(host, 80).splitlines()
        assert heads.split()[3:] == ["REVISION", "RESULT", "WHEN", "JOB"]
        name, remote, branch, revision, result, *when, job = row.split()
        assert (name, remote, branch) == ("course", "git.example/You/course", "main")
        assert (revision, result, job) == (head, "failed", "2")
        assert [*map(len, when)] == [len("12-31"), len("23:59")]
        listed = self.on_a_terminal(host, 80, "jobs")
        assert listed.startswith("JOB STATE     ACTION CHECKOUT QUEUED")
        assert "…" in listed
        assert len(listed.splitlines()) < 8
        assert max(map(len, listed.splitlines())) <= 80

    def test_at_80_columns_problems_are_told_below_the_table(self, host: Host, book: Book) -> None:
        course = host.repodir / "course"
        git("remote", "set-url", "origin", "https://git.example/You/course", cwd=course)
        git("checkout", "-q", "--detach", cwd=host.clone("second"))
        host.done("sync", "course")
        book.fail(book.begin())
        checkout = Checkouts(host.repodir, {}).get("course")
        assert checkout is not None
        book.ledger.note_tips([(checkout, NEW, None)])
        heads, first, *between, problem = self.on_a_terminal(host, 80).splitlines()
        assert heads.split()[-4:] == ["BEHIND", "RESULT", "WHEN", "JOB"]
        assert first.split()[0] == "course"
        assert any(line.split()[0] == "second" for line in between)
        assert problem.startswith("second: ")
        assert "detached HEAD" in problem

    def test_what_names_a_row_is_not_broken(self, host: Host) -> None:
        keys = {line.split()[0] for line in self.on_a_terminal(host, 80, "config").splitlines()}
        assert "SUBPROCESS_TIMEOUT_MINUTES" in keys

    def test_the_summary_of_the_commands_is_whole_at_80_columns(self, host: Host) -> None:
        commands = self.on_a_terminal(host, 80, "--help").partition("Commands:")[2]
        assert "add " in commands
        assert "..." not in commands

    def test_elsewhere_rows_are_lines_and_aligned_also_in_other_scripts(self, host: Host) -> None:
        name = "課程-with-a-name-that-is-rather-long"
        host.clone(name)
        _, first, second = host.done("list").splitlines()
        assert first.index(host.remote.url) == len(name) + 2 + 2, "each of 課程 is two wide"
        assert second.split()[:2] == [name, host.remote.url]
        assert second.index(host.remote.url) == len(name) + 2


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
