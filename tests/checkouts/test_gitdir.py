"""What is read of a single checkout. Where git can tell as well, its word is compared."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gitreload.checkouts.asking import Answer, ask
from gitreload.checkouts.gitdir import Reading, read
from gitreload.checkouts.stamps import NOTHING
from helpers import Remote, git


def reading(path: Path) -> Reading:
    found = read(str(path))
    assert found is not None
    return found


def add(path: Path, text: str) -> None:
    """Append to the configuration of the checkout at `path`."""
    with path.joinpath(".git", "config").open("a") as config:
        config.write(text)


@pytest.fixture
def clone(remote: Remote, repodir: Path) -> Path:
    return remote.clone(repodir / "course")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The questions that were put to git."""
    questions: list[tuple[str, ...]] = []

    def spy(*argv: str) -> Answer:
        questions.append(argv)
        return ask(*argv)

    monkeypatch.setattr("gitreload.checkouts.gitdir.ask", spy)
    return questions


def test_a_clone_is_read_without_git(
    clone: Path, remote: Remote, asked: list[tuple[str, ...]]
) -> None:
    found = reading(clone)
    assert (found.branch, found.follows, found.origin) == ("main", "main", remote.url)
    assert found.problem is None
    assert asked == []


def test_a_branch_may_follow_one_of_another_name(clone: Path, remote: Remote) -> None:
    remote.commit({}, branch="devel/next")
    git("fetch", "-q", cwd=clone)
    git("switch", "-q", "-c", "Live", "--track", "origin/devel/next", cwd=clone)
    assert reading(clone).branch == "Live"
    assert reading(clone).follows == "devel/next"


@pytest.mark.parametrize(
    ("merge", "expected"),
    [("devel", "devel"), ("refs/tags/v1", "main"), ("", "main"), (None, "main")],
)
def test_an_unusual_upstream(clone: Path, merge: str | None, expected: str) -> None:
    git("config", "--unset", "branch.main.merge", cwd=clone)
    if merge is not None:
        git("config", "branch.main.merge", merge, cwd=clone)
    assert reading(clone).follows == expected


def test_a_detached_head_is_a_problem(clone: Path) -> None:
    git("checkout", "-q", "--detach", cwd=clone)
    found = reading(clone)
    assert (found.branch, found.follows) == (None, None)
    assert found.problem == (
        "has a detached HEAD and so follows no branch: run `git switch BRANCH` in it"
    )


def conflict(clone: Path, remote: Remote, *command: str) -> None:
    """Let a git command stop in the middle, at changes that do not fit together."""
    clone.joinpath("README.md").write_text("local\n")
    git("commit", "-q", "-am", "local", cwd=clone)
    remote.commit({"README.md": "second\n"})
    git("fetch", "-q", cwd=clone)
    stopped = subprocess.run(["git", *command], cwd=clone, capture_output=True, check=False)
    assert b"CONFLICT" in stopped.stdout + stopped.stderr


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("backend", ["--merge", "--apply"])
@pytest.mark.parametrize("end", ["--abort", "--quit"])
def test_during_a_rebase_its_branch_counts(
    clone: Path, remote: Remote, backend: str, end: str
) -> None:
    git("branch", "-q", "-m", "main", "live", cwd=clone)
    conflict(clone, remote, "rebase", backend, "origin/main")
    found = reading(clone)
    assert (found.branch, found.follows, found.problem) == ("live", "main", None)
    assert found.evidence.holds(str(clone))
    git("rebase", end, cwd=clone)
    assert not found.evidence.holds(str(clone))
    assert reading(clone).branch == ("live" if end == "--abort" else None)


def test_during_a_rebase_that_began_detached_no_branch_counts(clone: Path, remote: Remote) -> None:
    git("checkout", "-q", "--detach", cwd=clone)
    conflict(clone, remote, "rebase", "origin/main")
    assert (clone / ".git/rebase-merge/head-name").read_text() == "detached HEAD\n"
    assert reading(clone).branch is None


@pytest.mark.usefixtures("settled")
def test_a_rebase_that_begins_shows(clone: Path, remote: Remote) -> None:
    git("checkout", "-q", "--detach", cwd=clone)
    found = reading(clone)
    assert found.evidence.holds(str(clone))
    clone.joinpath(".git/rebase-merge").mkdir()
    clone.joinpath(".git/rebase-merge/head-name").write_text("refs/heads/main\n")
    assert not found.evidence.holds(str(clone))


def test_no_origin_is_a_problem(clone: Path) -> None:
    git("remote", "rename", "origin", "upstream", cwd=clone)
    found = reading(clone)
    assert found.origin is None
    assert found.problem == "has no remote named origin: run `git remote add origin URL` in it"
    assert found.evidence is NOTHING


def test_the_first_url_is_the_one_to_fetch_from(clone: Path, remote: Remote) -> None:
    git("remote", "set-url", "--add", "origin", "https://example.org/mirror", cwd=clone)
    assert reading(clone).origin == remote.url == git("remote", "get-url", "origin", cwd=clone)


def test_worktrees_are_followed(
    clone: Path, remote: Remote, repodir: Path, asked: list[tuple[str, ...]]
) -> None:
    remote.commit({}, branch="devel")
    git("fetch", "-q", cwd=clone)
    git("worktree", "add", "-q", "--track", "-b", "devel", "../devel", "origin/devel", cwd=clone)
    found = reading(repodir / "devel")
    assert (found.branch, found.follows, found.origin) == ("devel", "devel", remote.url)
    assert (found.problem, asked) == (None, [])


def test_a_worktree_of_a_bare_repository_is_a_checkout(remote: Remote, repodir: Path) -> None:
    bare = repodir / "course" / ".bare"
    git("clone", "-q", "--bare", remote.url, str(bare), cwd=repodir)
    repodir.joinpath("course", ".git").write_text("gitdir: .bare\n")
    git("worktree", "add", "-q", "../main", "main", cwd=bare)
    assert read(str(repodir / "course")) is None
    found = reading(repodir / "course" / "main")
    assert (found.branch, found.origin, found.problem) == ("main", remote.url, None)


def test_submodules_are_followed(remote: Remote, clone: Path) -> None:
    other = Remote(remote.bare.parent, "other")
    other.commit({"a": "a"})
    options = ("-c", "protocol.file.allow=always")
    git(*options, "submodule", "add", "-q", "-b", "main", other.url, "sub", cwd=clone)
    assert clone.joinpath("sub", ".git").is_file()
    found = reading(clone / "sub")
    assert (found.branch, found.origin, found.problem) == ("main", other.url, None)


def test_files_kept_elsewhere_are_a_problem(clone: Path, tmp_path: Path) -> None:
    git("config", "core.worktree", "../", cwd=clone)
    assert reading(clone).problem is None
    git("config", "core.worktree", str(tmp_path), cwd=clone)
    assert reading(clone).problem == (
        f"keeps its files elsewhere, core.worktree is {str(tmp_path)!r}: "
        "run `git config --unset core.worktree` in it"
    )


@pytest.mark.usefixtures("settled")
def test_includes_are_read_by_git_and_watched(clone: Path) -> None:
    add(clone, "[include]\n path = more\n path = later\n")
    more, later = clone / ".git" / "more", clone / ".git" / "later"
    more.write_text('[branch "main"]\n merge = refs/heads/other\n')
    git("config", "--unset", "branch.main.merge", cwd=clone)
    found = reading(clone)
    assert found.follows == "other"
    assert found.evidence.holds(str(clone))
    more.write_text('[branch "main"]\n merge = refs/heads/another\n')
    assert not found.evidence.holds(str(clone))
    found = reading(clone)
    assert found.follows == "another"
    later.write_text("")
    assert not found.evidence.holds(str(clone))


def test_includes_may_depend_on_the_branch(clone: Path) -> None:
    git("config", "--unset", "branch.main.merge", cwd=clone)
    add(clone, '[includeIf "onbranch:main"]\n path = main\n')
    clone.joinpath(".git", "main").write_text('[branch "main"]\n merge = refs/heads/other\n')
    assert reading(clone).follows == "other"


@pytest.mark.usefixtures("settled")
def test_a_worktrees_own_configuration_counts(clone: Path) -> None:
    git("config", "extensions.worktreeConfig", "true", cwd=clone)
    found = reading(clone)
    git("config", "--worktree", "remote.origin.url", "https://example.org/a", cwd=clone)
    assert not found.evidence.holds(str(clone))
    git("config", "--unset", "remote.origin.url", cwd=clone)
    assert reading(clone).origin == "https://example.org/a"


def test_the_operators_configuration_is_not_the_checkouts(clone: Path, home: Path) -> None:
    git("config", "--global", "remote.origin.url", "https://example.org/a", cwd=clone)
    git("remote", "remove", "origin", cwd=clone)
    add(clone, "[include]\n path = more\n")
    assert reading(clone).origin is None


def test_another_store_of_refs_is_left_to_git(clone: Path, asked: list[tuple[str, ...]]) -> None:
    git("config", "core.repositoryFormatVersion", "1", cwd=clone)
    git("config", "extensions.refStorage", "reftable", cwd=clone)
    clone.joinpath(".git", "HEAD").write_text("ref: refs/heads/.invalid\n")
    found = reading(clone)
    assert asked
    # Up to 2.44 git does not know reftables; later ones miss the tables here.
    assert found.branch is None
    assert found.problem is not None


def test_a_head_that_is_a_link_is_left_to_git(clone: Path) -> None:
    head = clone / ".git" / "HEAD"
    head.unlink()
    head.symlink_to("refs/heads/main")
    found = reading(clone)
    assert (found.branch, found.problem) == ("main", None)


def test_a_configuration_that_git_refuses_is_a_problem(clone: Path) -> None:
    config = clone / ".git" / "config"
    config.write_text("[core\n")
    assert reading(clone).problem == (
        f"is nothing git can work with, bad config line 1 in file {config}: "
        "mend that, or clone it again"
    )


def test_git_does_not_look_for_a_repository_further_up(clone: Path) -> None:
    below = clone / "below"
    below.mkdir()
    below.joinpath(".git").write_text("nonsense\n")
    found = reading(below)
    assert found.origin is None
    assert found.problem is not None
    assert "invalid gitfile format" in found.problem


def test_a_worktree_whose_clone_is_gone(clone: Path, repodir: Path) -> None:
    git("worktree", "add", "-q", "../second", cwd=clone)
    shutil.rmtree(clone)
    found = reading(repodir / "second")
    assert found.problem == (
        "is not a complete clone, '../course/.git/worktrees/second/HEAD' is missing: wait if "
        "`git clone` is still running, else clone it again"
    )


def test_what_cannot_be_read_is_a_problem(clone: Path) -> None:
    head = clone / ".git" / "HEAD"
    head.unlink()
    os.mkfifo(head)
    assert reading(clone).problem == (
        "cannot be read, '.git/HEAD': not a file, or longer than 1 MiB; mend it, or let the user "
        "that runs gitreload read it"
    )
    head.unlink()
    head.symlink_to("HEAD")
    assert reading(clone).problem == (
        "cannot be read, '.git/HEAD': Too many levels of symbolic links; mend it, or let the user "
        "that runs gitreload read it"
    )


def test_where_there_is_no_checkout(remote: Remote, repodir: Path) -> None:
    repodir.joinpath("file").write_text("")
    repodir.joinpath("dangling").mkdir()
    repodir.joinpath("dangling", ".git").symlink_to("nowhere")
    for path in (repodir, remote.bare, repodir / "file", repodir / "dangling", repodir / "none"):
        assert read(str(path)) is None


@pytest.mark.usefixtures("settled")
def test_a_clone_in_the_making_is_not_kept(remote: Remote, repodir: Path) -> None:
    path = repodir / "course"
    path.joinpath(".git").mkdir(parents=True)
    assert reading(path).problem == (
        "is not a complete clone, '.git/HEAD' is missing: wait if `git clone` is still running, "
        "else clone it again"
    )
    git("init", "-q", "-b", "main", cwd=path)
    git("remote", "add", "origin", remote.url, cwd=path)
    found = reading(path)
    assert (found.branch, found.problem) == ("main", None)
    assert not found.evidence.holds(str(path))
    git("pull", "-q", "origin", "main", cwd=path)
    found = reading(path)
    assert found.evidence.holds(str(path))
