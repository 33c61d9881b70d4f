"""Which checkouts a push touches, while people clone, switch, rename and remove by hand."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gitreload.checkouts import Checkouts, Match, RepodirError, gitdir
from helpers import Remote, git

URL = "https://example.org/org/course.git"


def fabricate(path: Path, origin: str = URL, branch: str = "main") -> Path:
    """A checkout without a single commit, but with all that is read of one."""
    folder = path / ".git"
    folder.mkdir(parents=True)
    folder.joinpath("HEAD").write_text(f"ref: refs/heads/{branch}\n")
    folder.joinpath("config").write_text(f'[remote "origin"]\n\turl = {origin}\n')
    folder.joinpath("index").write_bytes(b"")
    return path


def point(path: Path, *, origin: str | None = None, branch: str | None = None) -> None:
    if origin is not None:
        git("config", "--file", ".git/config", "remote.origin.url", origin, cwd=path)
    if branch is not None:
        path.joinpath(".git", "HEAD").write_text(f"ref: refs/heads/{branch}\n")


def match(checkouts: Checkouts, url: str = URL, branch: str = "main") -> Match:
    """The match as whoever gets a push asks for it: at once, and once more after a look."""
    checkouts.match([url], branch)
    checkouts.look()
    return checkouts.match([url], branch)


def found(checkouts: Checkouts, url: str = URL, branch: str = "main") -> list[str]:
    return sorted(checkout.directory for checkout in match(checkouts, url, branch).found)


def listed(checkouts: Checkouts) -> list[str]:
    return [checkout.directory for checkout in checkouts.all()]


@pytest.fixture
def checkouts(repodir: Path) -> Checkouts:
    return Checkouts(repodir, {})


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of which files were read."""
    paths: list[str] = []
    real = gitdir.read

    def spy(path: str) -> gitdir.Reading | None:
        paths.append(path)
        return real(path)

    monkeypatch.setattr(gitdir, "read", spy)
    return paths


class TestMatching:
    def test_a_clone_is_found_by_its_remote(
        self, checkouts: Checkouts, remote: Remote, repodir: Path
    ) -> None:
        remote.clone(repodir / "some name")
        matched = checkouts.match(["https://example.org/other", str(remote.bare)], "main")
        (checkout,) = matched.found
        assert matched.known
        assert (matched.reasons, matched.near) == ((), ())
        assert checkout.directory == "some name"
        assert checkout.path == str(repodir / "some name")
        assert checkout.origin == remote.url
        assert (checkout.branch, checkout.follows) == ("main", "main")
        assert (checkout.aliases, checkout.problem) == ((), None)

    def test_another_branch(self, checkouts: Checkouts, repodir: Path) -> None:
        fabricate(repodir / "course")
        matched = checkouts.match([URL], "devel")
        assert matched.known
        assert matched.found == ()
        assert matched.reasons == ("course follows main, not devel",)

    def test_two_branches_of_one_repository(self, checkouts: Checkouts, repodir: Path) -> None:
        fabricate(repodir / "live")
        fabricate(repodir / "org" / "staging", branch="devel")
        assert found(checkouts) == ["live"]
        assert found(checkouts, branch="devel") == ["org/staging"]

    def test_several_checkouts_of_one_branch(self, checkouts: Checkouts, repodir: Path) -> None:
        fabricate(repodir / "a")
        fabricate(repodir / "b")
        assert found(checkouts) == ["a", "b"]

    def test_a_checkout_with_a_problem_is_known(self, checkouts: Checkouts, repodir: Path) -> None:
        path = fabricate(repodir / "course")
        path.joinpath(".git", "HEAD").write_text("0123456789" * 4 + "\n")
        matched = checkouts.match([URL], "main")
        assert matched.known
        assert matched.found == ()
        assert matched.reasons == (
            "course has a detached HEAD and so follows no branch: run `git switch BRANCH` in it",
        )

    def test_configured_remotes(self, repodir: Path) -> None:
        fabricate(repodir / "course", origin="https://old.example.org/x")
        repodir.joinpath("alias").symlink_to("course")
        remotes = {"course": [URL], "alias": ["git@example.org:by/alias"], "none": ["nonsense"]}
        checkouts = Checkouts(repodir, remotes)
        for url in (URL, "https://example.org/by/alias", "https://old.example.org/x"):
            assert found(checkouts, url) == ["course"]

    def test_a_name_alone_is_a_near_miss(self, checkouts: Checkouts, repodir: Path) -> None:
        fabricate(repodir / "course", origin="https://user:secret@example.org/other/Course.git")
        fabricate(repodir / "org" / "renamed", origin="git@example.org:third/course.git")
        fabricate(repodir / "elsewhere", origin="https://example.org/org/elsewhere")
        pushed = URL.replace("//", "//user:sesame@"), "git@example.org:org/course.git"
        matched = checkouts.match(pushed, "main")
        assert not matched.known
        missed = "a push for https://***@example.org/org/course.git (branch main) reached nobody; "
        advice = "; if it is the same repository, add the pushed URL to REPOS."
        assert sorted(matched.near) == [
            (
                f"{missed}course follows https://***@example.org/other/Course.git"
                f"{advice}course.REMOTES"
            ),
            (
                f"{missed}org/renamed follows git@example.org:third/course.git"
                f"{advice}org/renamed.REMOTES"
            ),
        ]

    def test_a_near_miss_without_a_remote(self, checkouts: Checkouts, repodir: Path) -> None:
        git("init", "-q", "course", cwd=repodir)
        assert checkouts.match([URL], "main").near == (
            (
                f"a push for {URL} (branch main) reached nobody; "
                "course has no remote named origin: run `git remote add origin URL` in it"
            ),
        )

    def test_what_is_told_is_bounded(self, checkouts: Checkouts, repodir: Path) -> None:
        for number in range(30):
            fabricate(repodir / f"known{number}", origin="https://example.org/a/known")
            fabricate(repodir / f"near{number}", origin=f"https://example.org/a/{number % 2}")
        known = checkouts.match(["https://example.org/a/known"], "x\n\x1b" * 30_000)
        assert len(known.reasons) == 10
        assert known.reasons[0].startswith("known0 follows main, not x\\n\\x1bx\\n")
        assert max(map(len, known.reasons)) < 500
        near = checkouts.match(["https://example.org/b/0", "https://example.org/b/1"], "main").near
        assert len(near) == 5

    @pytest.mark.parametrize("urls", [[], ["", "../x", "ext::sh -c id", "a" * 100_000]])
    def test_urls_that_name_nothing(
        self, checkouts: Checkouts, repodir: Path, urls: list[str]
    ) -> None:
        fabricate(repodir / "course")
        matched = checkouts.match(urls, "main")
        assert (matched.found, matched.known, matched.near) == ((), False, ())

    def test_a_batch_looks_at_each_checkout_once(
        self, checkouts: Checkouts, repodir: Path, read: list[str]
    ) -> None:
        # Files as young as these are read each time that somebody looks.
        fabricate(repodir / "a")
        fabricate(repodir / "b", branch="devel")
        checkouts.look()
        read.clear()
        queries = [([URL], f"refs/heads/{branch}") for branch in ("main", "devel", "main", "devel")]
        matches = checkouts.match_many(queries)
        assert [match.found[0].directory for match in matches] == ["a", "b", "a", "b"]
        assert max(read.count(path) for path in read) <= 2  # one look, one check
        assert checkouts.match_many([]) == []


@pytest.mark.usefixtures("settled")
class TestAMomentAgo:
    """What people did just before the push counts, also where another checkout is found."""

    @pytest.fixture(autouse=True)
    def first(self, checkouts: Checkouts, repodir: Path) -> Path:
        path = fabricate(repodir / "first")
        assert found(checkouts) == ["first"]
        return path

    @pytest.mark.parametrize("name", ["second", "org/second", "known/second"])
    def test_a_second_clone(self, checkouts: Checkouts, repodir: Path, name: str) -> None:
        fabricate(repodir / "known" / "other", origin="https://example.org/other")
        assert found(checkouts) == ["first"]
        fabricate(repodir / name)
        assert found(checkouts) == ["first", name]

    def test_a_clone_of_another_repository(
        self, checkouts: Checkouts, remote: Remote, repodir: Path
    ) -> None:
        assert not match(checkouts, remote.url).known
        remote.clone(repodir / "another")
        assert found(checkouts, remote.url) == ["another"]

    def test_a_clone_that_was_being_made(
        self, checkouts: Checkouts, remote: Remote, repodir: Path
    ) -> None:
        remote.clone(repodir / "done")
        assert found(checkouts, remote.url) == ["done"]
        path = repodir / "second"
        steps: list[Callable[[], object]] = [
            path.mkdir,
            path.joinpath(".git").mkdir,
            lambda: git("init", "-q", "-b", "master", cwd=path),
            lambda: git("config", "core.bare", "false", cwd=path),
        ]
        for step in steps:
            step()
            assert found(checkouts, remote.url) == ["done"]
        git("remote", "add", "origin", remote.url, cwd=path)
        assert found(checkouts, remote.url) == ["done"]  # it is on master until its HEAD is set
        git("symbolic-ref", "HEAD", "refs/heads/main", cwd=path)
        assert found(checkouts, remote.url) == ["done", "second"]

    def test_a_clone_of_an_empty_repository(self, checkouts: Checkouts, repodir: Path) -> None:
        git("init", "-q", "--bare", "-b", "main", "empty.git", cwd=repodir.parent)
        url = f"file://{repodir.parent}/empty.git"
        git("clone", "-q", url, "course", cwd=repodir)
        assert found(checkouts, url) == ["course"]

    def test_another_branch_is_checked_out(
        self, checkouts: Checkouts, repodir: Path, first: Path
    ) -> None:
        second = fabricate(repodir / "second", branch="devel")
        assert found(checkouts) == ["first"]
        point(second, branch="main")
        assert found(checkouts) == ["first", "second"]
        point(first, branch="devel")
        assert found(checkouts) == ["second"]
        assert found(checkouts, branch="devel") == ["first"]

    def test_the_upstream_changes(self, checkouts: Checkouts, first: Path) -> None:
        git("config", "--file", ".git/config", "branch.main.merge", "refs/heads/live", cwd=first)
        assert found(checkouts) == []
        assert found(checkouts, branch="live") == ["first"]

    def test_a_new_remote(self, checkouts: Checkouts, first: Path) -> None:
        point(first, origin="https://example.org/new")
        assert found(checkouts, "https://example.org/new") == ["first"]
        assert not match(checkouts).known

    def test_a_new_remote_that_others_have_too(self, checkouts: Checkouts, repodir: Path) -> None:
        second = fabricate(repodir / "second", origin="https://example.org/old")
        checkouts.look()
        point(second, origin=URL)
        assert found(checkouts) == ["first", "second"]

    def test_renaming(self, checkouts: Checkouts, repodir: Path, first: Path) -> None:
        first.rename(repodir / "renamed")
        assert found(checkouts) == ["renamed"]
        repodir.joinpath("org").mkdir()
        repodir.joinpath("renamed").rename(repodir / "org" / "renamed")
        assert found(checkouts) == ["org/renamed"]

    def test_names_change_places(self, checkouts: Checkouts, repodir: Path, first: Path) -> None:
        second = fabricate(repodir / "second", origin="https://example.org/second")
        fabricate(repodir / "third")
        assert found(checkouts, "https://example.org/second") == ["second"]
        first.rename(repodir / "away")
        second.rename(first)
        repodir.joinpath("away").rename(second)
        assert found(checkouts) == ["second", "third"]
        assert found(checkouts, "https://example.org/second") == ["first"]

    def test_removing(self, checkouts: Checkouts, first: Path) -> None:
        shutil.rmtree(first / ".git")
        assert not match(checkouts).known
        shutil.rmtree(first)
        assert listed(checkouts) == []

    def test_a_clone_in_place_of_another(self, checkouts: Checkouts, first: Path) -> None:
        shutil.rmtree(first)
        fabricate(first, origin="https://example.org/new")
        assert not match(checkouts).known
        assert found(checkouts, "https://example.org/new") == ["first"]

    def test_a_directory_becomes_a_clone(
        self, checkouts: Checkouts, repodir: Path, first: Path
    ) -> None:
        fabricate(repodir / "plain" / "inner")
        assert found(checkouts) == ["first", "plain/inner"]
        fabricate(repodir / "plain")
        assert found(checkouts) == ["first", "plain"]

    def test_rules_of_the_operator(self, checkouts: Checkouts, home: Path, first: Path) -> None:
        point(first, origin="ours:course")
        assert found(checkouts, "ours:course") == ["first"]
        rule = '[url "https://git.example.org/"]\n insteadOf = ours:\n'
        home.joinpath(".gitconfig").write_text(rule)
        assert found(checkouts, "https://git.example.org/course") == ["first"]

    def test_what_did_not_change_is_not_read_again(
        self, checkouts: Checkouts, repodir: Path, read: list[str]
    ) -> None:
        second = fabricate(repodir / "second", branch="devel")
        checkouts.look()
        read.clear()
        assert found(checkouts) == ["first"]
        checkouts.look()
        assert read == []
        point(second, branch="main")
        checkouts.look()
        assert read == [str(second)]


class TestNames:
    def test_what_is_no_checkout(self, checkouts: Checkouts, remote: Remote, repodir: Path) -> None:
        git("clone", "-q", "--bare", remote.url, "bare.git", cwd=repodir)
        fabricate(repodir / ".gitreload" / "hidden")
        fabricate(repodir / ".hidden")
        fabricate(repodir / "org" / ".hidden")
        fabricate(repodir / "a" / "b" / "too deep")
        repodir.joinpath("file").write_text("")
        repodir.joinpath("link to file").symlink_to("file")
        repodir.joinpath("loop").symlink_to("loop")
        repodir.joinpath("up").symlink_to("..")
        repodir.joinpath("self").symlink_to(".")
        repodir.joinpath("dangling").symlink_to("nowhere")
        assert listed(checkouts) == []

    def test_a_clone_within_a_clone_is_not_one_of_its_own(
        self, checkouts: Checkouts, repodir: Path
    ) -> None:
        fabricate(repodir / "course")
        fabricate(repodir / "course" / "inner")
        assert listed(checkouts) == ["course"]
        assert checkouts.get("course/inner") is None

    def test_names_that_are_hard_to_write(self, checkouts: Checkouts, repodir: Path) -> None:
        names = ["new\nline", "sp ace", "ünïcode", "-dash", "quote'\"", "\u202eevil"]
        for name in names:
            fabricate(repodir / name)
        assert found(checkouts) == sorted(names)
        assert checkouts.match([URL], "x").reasons[0].isprintable()

    def test_a_name_that_is_no_text(self, checkouts: Checkouts, repodir: Path) -> None:
        name = os.fsdecode(b"bad\xff")
        fabricate(repodir / name)
        fabricate(repodir / "good")
        assert found(checkouts) == ["good"]
        bad, _ = checkouts.all()
        assert bad.directory == name
        problem = "bad\\udcff has a path, a remote or a branch that is not UTF-8: rename it"
        assert bad.problem == problem
        assert checkouts.match([URL], "main").reasons == (problem,)

    def test_a_link_is_an_alias(self, checkouts: Checkouts, repodir: Path) -> None:
        fabricate(repodir / "org" / "zebra")
        repodir.joinpath("aardvark").symlink_to("org/zebra")
        repodir.joinpath("group").symlink_to("org")
        repodir.joinpath("self").symlink_to(".")
        repodir.joinpath("up").symlink_to("..")
        (checkout,) = checkouts.match([URL], "main").found
        assert checkout.directory == "org/zebra"
        assert checkout.aliases == ("aardvark", "group/zebra")
        assert listed(checkouts) == ["org/zebra"]

    def test_a_link_that_leads_out(
        self, checkouts: Checkouts, repodir: Path, tmp_path: Path
    ) -> None:
        outside = fabricate(tmp_path / "data" / "real")
        repodir.joinpath("org").mkdir()
        repodir.joinpath("org", "a").symlink_to(outside)
        repodir.joinpath("name").symlink_to(outside)
        (checkout,) = checkouts.match([URL], "main").found
        assert (checkout.directory, checkout.aliases) == ("name", ("org/a",))
        assert checkout.path == str(outside)

    @pytest.mark.usefixtures("settled")
    def test_a_dangling_link_finds_its_target(
        self, checkouts: Checkouts, repodir: Path, tmp_path: Path
    ) -> None:
        fabricate(repodir / "first")
        repodir.joinpath("second").symlink_to(tmp_path / "later")
        assert found(checkouts) == ["first"]
        fabricate(tmp_path / "later")
        assert found(checkouts) == ["first", "second"]

    @pytest.mark.usefixtures("settled")
    def test_a_link_moves_to_another_checkout(
        self, checkouts: Checkouts, repodir: Path, tmp_path: Path
    ) -> None:
        fabricate(tmp_path / "old" / "course")
        fabricate(tmp_path / "new" / "course")
        current = tmp_path / "current"
        current.symlink_to("old")
        repodir.joinpath("course").symlink_to(current / "course")
        assert match(checkouts).found[0].path == str(tmp_path / "old" / "course")
        current.unlink()
        current.symlink_to("new")
        assert match(checkouts).found[0].path == str(tmp_path / "new" / "course")

    def test_one_bad_checkout_is_only_a_problem_of_that_one(
        self, checkouts: Checkouts, repodir: Path
    ) -> None:
        fabricate(repodir / "good")
        bad = fabricate(repodir / "bad").joinpath(".git", "HEAD")
        bad.unlink()
        bad.mkdir()
        assert found(checkouts) == ["good"]
        checkout = checkouts.get("bad")
        assert checkout is not None
        assert checkout.problem is not None
        assert checkout.problem.startswith("bad cannot be read, '.git/HEAD': ")
        assert listed(checkouts) == ["bad", "good"]


class TestGet:
    @pytest.fixture(autouse=True)
    def here(self, repodir: Path) -> None:
        fabricate(repodir / "course")
        fabricate(repodir / "org" / "course", branch="devel")
        repodir.joinpath("alias").symlink_to("org/course")

    @pytest.mark.parametrize("looked", [True, False])
    def test_by_any_of_its_names(self, checkouts: Checkouts, looked: bool) -> None:
        if looked:
            checkouts.look()
        for name, directory in (
            ("course", "course"),
            ("org/course", "org/course"),
            ("alias", "org/course"),
        ):
            checkout = checkouts.get(name)
            assert checkout is not None
            assert checkout.directory == directory
            assert "example.org/org/course" in checkout.identities
            assert checkout.aliases == (("alias",) if looked and name != "course" else ())

    @pytest.mark.usefixtures("settled")
    def test_as_it_is_now(self, checkouts: Checkouts, repodir: Path) -> None:
        checkouts.look()
        point(repodir / "course", branch="other")
        checkout = checkouts.get("course")
        assert checkout is not None
        assert checkout.follows == "other"
        shutil.rmtree(repodir / "course")
        assert checkouts.get("course") is None
        fabricate(repodir / "new")
        assert checkouts.get("new") is not None

    @pytest.mark.parametrize(
        "name",
        [
            *("", ".", "..", "/", "org", "none", "../repos/course", "org/../course", "./course"),
            *("course/", "org//course", "a\0b", "x" * 5000, ".git", "course/.git", "\udcff"),
        ],
    )
    def test_nothing_else_is_a_name(self, checkouts: Checkouts, name: str) -> None:
        assert checkouts.get(name) is None

    def test_an_absolute_path_is_no_name(self, checkouts: Checkouts, repodir: Path) -> None:
        assert checkouts.get(str(repodir / "course")) is None

    def test_a_name_is_the_checkouts_after_a_link_within_it(
        self, checkouts: Checkouts, repodir: Path
    ) -> None:
        fabricate(repodir / "course" / "inner", origin="https://example.org/inner")
        repodir.joinpath("inner").symlink_to("course/inner")
        checkout = checkouts.get("inner")
        assert checkout is not None
        assert checkout.directory == "inner"
        assert found(checkouts, "https://example.org/inner") == ["inner"]


class TestRepodir:
    def test_it_is_missing_and_comes_back(self, checkouts: Checkouts, repodir: Path) -> None:
        fabricate(repodir / "course")
        assert found(checkouts) == ["course"]
        away = repodir.with_name("away")
        repodir.rename(away)
        problem = (
            f"REPODIR {repodir} does not exist; create or mount it, or set REPODIR to where the "
            "clones are"
        )
        calls: list[Callable[[], object]] = [
            lambda: found(checkouts),
            lambda: checkouts.get("course"),
            checkouts.look,
            checkouts.all,
        ]
        for call in calls:
            with pytest.raises(RepodirError) as caught:
                call()
            assert str(caught.value) == problem
        away.rename(repodir)
        assert found(checkouts) == ["course"]

    def test_it_is_a_file(self, repodir: Path) -> None:
        repodir.rmdir()
        repodir.write_text("")
        with pytest.raises(RepodirError, match="is not a directory; set REPODIR to the directory"):
            Checkouts(repodir, {}).look()
        with pytest.raises(RepodirError, match="is not a directory"):
            Checkouts(repodir, {}).get("course")

    def test_it_cannot_be_read(self, tmp_path: Path) -> None:
        loop = tmp_path / "loop"
        loop.symlink_to("loop")
        with pytest.raises(RepodirError, match="cannot be read: Too many levels of symbolic links"):
            Checkouts(loop, {}).look()

    @pytest.mark.usefixtures("settled")
    def test_it_is_a_link_that_moves(self, tmp_path: Path) -> None:
        fabricate(tmp_path / "one" / "course")
        fabricate(tmp_path / "two" / "course")
        repodir = tmp_path / "link"
        repodir.symlink_to("one")
        checkouts = Checkouts(repodir, {})
        (checkout,) = checkouts.match([URL], "main").found
        assert (checkout.directory, checkout.path) == ("course", str(tmp_path / "one" / "course"))
        repodir.unlink()
        repodir.symlink_to("two")
        checkouts.get("course")
        (checkout,) = checkouts.match([URL], "main").found
        assert checkout.path == str(tmp_path / "two" / "course")


def test_any_thread_may_ask_while_checkouts_come_and_go(
    checkouts: Checkouts, repodir: Path
) -> None:
    fabricate(repodir / "stays")
    failures: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        try:
            while not done.is_set():
                assert "stays" in found(checkouts)
                assert checkouts.get("stays") is not None
                checkouts.all()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        path = fabricate(repodir / f"comes{number % 3}" / "and goes")
        shutil.rmtree(path.parent)
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_matching_waits_for_no_look(
    checkouts: Checkouts, repodir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricate(repodir / "course")
    assert found(checkouts) == ["course"]
    fabricate(repodir / "slow")
    reading, go_on = threading.Event(), threading.Event()
    real = gitdir.read

    def read(path: str) -> gitdir.Reading | None:
        if path.endswith("/slow"):
            reading.set()
            go_on.wait(30)
        return real(path)

    monkeypatch.setattr(gitdir, "read", read)
    look = threading.Thread(target=checkouts.look)
    look.start()
    assert reading.wait(30)
    assert [each.directory for each in checkouts.match([URL], "main").found] == ["course"]
    go_on.set()
    look.join()
    assert len(checkouts.match([URL], "main").found) == 2


def test_a_thousand_checkouts(checkouts: Checkouts, repodir: Path) -> None:
    head, index = repodir.parent / "HEAD", repodir.parent / "index"
    head.write_text("ref: refs/heads/main\n")
    index.write_bytes(b"")
    for number in range(1_000):
        folder = repodir / (f"org{number % 20}/c{number}" if number % 2 else f"c{number}") / ".git"
        folder.mkdir(parents=True)
        os.link(head, folder / "HEAD")
        os.link(index, folder / "index")
        config = f'[remote "origin"]\n\turl = https://example.org/org/{number // 4}.git\n'
        folder.joinpath("config").write_text(config)
    assert len(checkouts.all()) == 1_000
    queries = [([f"git@example.org:org/{number}"], "refs/heads/main") for number in range(250)]
    matches = checkouts.match_many(queries)
    assert {len(match.found) for match in matches} == {4}
    assert len({each.path for match in matches for each in match.found}) == 1_000
