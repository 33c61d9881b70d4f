"""Submodules, with real git: fetched from where they may be, at their commits, and gone again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.git_http import GitServer, git_server
from gitreload.git import Access, Extent, Updated, write
from gitreload.git.commands import Git
from gitreload.git.gitmodules import Hosts, absolute, host
from gitreload.git.submodules import changed
from gitreload.model import PermanentError, TransientError
from gitreload.process import Runner
from helpers import Remote, git
from sites import Site


class Author:
    """Adds submodules to a repository, as an author does."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote

    def record(self, path: str, commit: str, url: str, name: str | None = None) -> str:
        """Push a tip that has the submodule; what is at `url` is not looked at."""
        modules = ("config", "--file", ".gitmodules")
        name = name or path
        git(*modules, f"submodule.{name}.path", path, cwd=self.remote.work)
        git(*modules, f"submodule.{name}.url", url, cwd=self.remote.work)
        entry = f"160000,{commit},{path}"
        git("add", ".gitmodules", cwd=self.remote.work)
        git("update-index", "--add", "--cacheinfo", entry, cwd=self.remote.work)
        return self._push()

    def remove(self, path: str, **files: str) -> str:
        modules = ("config", "--file", ".gitmodules", "--remove-section", f"submodule.{path}")
        git(*modules, cwd=self.remote.work)
        git("update-index", "--force-remove", path, cwd=self.remote.work)
        for name, content in files.items():
            place = self.remote.work / path / name
            place.parent.mkdir(exist_ok=True)
            place.write_text(content)
            git("add", str(place), cwd=self.remote.work)
        git("add", ".gitmodules", cwd=self.remote.work)
        return self._push()

    def _push(self) -> str:
        git("commit", "-q", "-m", "submodules", cwd=self.remote.work)
        self.remote.push("main", "--force")
        return git("rev-parse", "HEAD", cwd=self.remote.work)


@pytest.fixture
def author(remote: Remote) -> Author:
    return Author(remote)


@pytest.fixture
def part(remote: Remote) -> Remote:
    """Another repository at the same forge."""
    return Remote(remote.bare.parent, "part")


def _update(site: Site, *hosts: str, clean: str = "untracked") -> Updated:
    return site.update(extent=Extent(submodules=hosts), clean=clean)  # type: ignore[arg-type]


def _at(site: Site, path: str, commit: str) -> bool:
    folder = site.path / path
    return (
        git("rev-parse", "HEAD", cwd=folder) == commit
        and git("rev-parse", "--show-toplevel", cwd=folder) == str(folder.resolve())
        and git("status", "-s", "--ignored", cwd=folder) == ""
    )


class TestUpdate:
    def test_checks_out_what_is_recorded(self, site: Site, author: Author, part: Remote) -> None:
        commit = part.commit({"a": "1"})
        part.commit({"a": "2"})
        tip = author.record("lib/part", commit, "../part.git")
        assert _update(site).after == tip
        assert _at(site, "lib/part", commit)
        assert site.git("status", "-s") == ""

    def test_leaves_them_alone_without_the_key(
        self, site: Site, author: Author, part: Remote
    ) -> None:
        author.record("part", part.commit({"a": "1"}), "../part.git")
        site.update()
        site.children.clear()
        site.update()
        usual = len(site.children)
        assert not list((site.path / "part").iterdir())
        assert usual == 2

    def test_goes_down_to_the_innermost(self, site: Site, author: Author, part: Remote) -> None:
        inner = Remote(part.bare.parent, "inner")
        innermost = inner.commit({"x": "1"})
        commit = Author(part).record("deep/er", innermost, "../inner.git")
        author.record("part", commit, "./../part.git")
        _update(site)
        assert _at(site, "part/deep/er", innermost)
        later = inner.commit({"x": "2"})
        author.record("part", Author(part).record("deep/er", later, "../inner.git"), "../part.git")
        _update(site)
        assert _at(site, "part/deep/er", later)

    def test_follows_a_new_commit_and_a_rewritten_history(
        self, site: Site, author: Author, part: Remote
    ) -> None:
        author.record("part", part.commit({"a": "1"}), "../part.git")
        _update(site)
        part.commit({"a": "2"})
        git("commit", "-q", "--amend", "-m", "rewritten", cwd=part.work)
        part.push("main", "--force")
        commit = git("rev-parse", "HEAD", cwd=part.work)
        author.record("part", commit, "../part.git")
        _update(site)
        assert _at(site, "part", commit)

    def test_follows_a_new_url(self, site: Site, author: Author, part: Remote) -> None:
        author.record("part", part.commit({"a": "1"}), "../part.git")
        _update(site)
        part.bare.rename(part.bare.with_name("moved.git"))
        git("remote", "set-url", "origin", str(part.bare.with_name("moved.git")), cwd=part.work)
        commit = part.commit({"a": "2"})
        author.record("part", commit, "../moved.git")
        _update(site)
        assert _at(site, "part", commit)
        assert git("remote", "get-url", "origin", cwd=site.path / "part").endswith("/moved.git")

    def test_finds_a_commit_that_no_branch_has_any_more(
        self, site: Site, author: Author, part: Remote
    ) -> None:
        commit = part.commit({"a": "1"})
        part.commit({"b": "1"}, branch="other")
        part.commit({"a": "2"})
        git("push", "-q", "-f", "origin", "other:main", cwd=part.work)
        author.record("part", commit, "../part.git")
        _update(site)
        assert _at(site, "part", commit)

    def test_names_a_commit_that_is_gone(self, site: Site, author: Author, part: Remote) -> None:
        part.commit({"a": "1"})
        before = site.update().after
        author.record("part", "1" * 40, "../part.git")
        with pytest.raises(
            PermanentError, match=r"submodule course/part is recorded at 1111.+Push it"
        ):
            _update(site)
        assert site.at(before)

    def test_names_a_repository_that_is_gone(self, site: Site, author: Author) -> None:
        author.record("part", "1" * 40, "../none.git")
        with pytest.raises(PermanentError, match=r"none.git is no repository.+correct .gitmodules"):
            _update(site)

    def test_of_a_shallow_checkout_is_shallow(
        self, site: Site, author: Author, part: Remote
    ) -> None:
        part.commit({"a": "1"})
        commit = part.commit({"a": "2"})
        author.record("part", commit, "../part.git")
        site.update(extent=Extent(depth=1, submodules=()))
        assert _at(site, "part", commit)
        assert git("rev-list", "--count", "HEAD", cwd=site.path / "part") == "1"

    def test_leaves_those_out_that_a_sparse_checkout_does(
        self, site: Site, author: Author, part: Remote
    ) -> None:
        commit = part.commit({"a": "1"})
        author.record("in/part", commit, "../part.git")
        author.record("out/part", commit, "../part.git")
        site.update(extent=Extent(sparse=("in",), submodules=()))
        assert _at(site, "in/part", commit)
        assert not (site.path / "out").exists()

    def test_is_the_same_again_at_no_cost_of_a_fetch(
        self, site: Site, author: Author, part: Remote
    ) -> None:
        author.record("part", part.commit({"a": "1"}), "../part.git")
        _update(site)
        part.bare.rename(part.bare.with_name("away.git"))
        assert _update(site).notes == ()


class TestCleaning:
    @pytest.fixture
    def commit(self, site: Site, author: Author, part: Remote) -> str:
        commit = part.commit({"a": "1", ".gitignore": "*.log"})
        author.record("part", commit, "../part.git")
        _update(site)
        return commit

    def test_drops_changes_and_tells(self, site: Site, commit: str) -> None:
        site.write("part/a", "mine")
        site.write("part/new", "mine")
        site.write("part/x.log", "mine")
        assert _update(site).notes == ("dropped local changes in part: a",)
        assert (site.path / "part/x.log").exists()
        _update(site, clean="ignored")
        assert _at(site, "part", commit)

    def test_counts_their_changes(self, site: Site, commit: str) -> None:
        found = Git(site.checkout(), Runner(log=site.log.append), timeout=60, reading=True)
        assert not changed(found, "untracked")
        site.write("part/new", "mine")
        assert changed(found, "untracked")
        assert not changed(found, "none")

    def test_takes_back_a_commit_of_its_own(self, site: Site, commit: str) -> None:
        git("commit", "-q", "--allow-empty", "-m", "mine", cwd=site.path / "part")
        _update(site)
        assert _at(site, "part", commit)

    def test_removes_what_is_none_any_more(self, site: Site, author: Author, commit: str) -> None:
        author.remove("part")
        assert _update(site, clean="none").notes == (
            "removed the submodule part, which is not wanted any more",
        )
        assert not (site.path / "part").exists()
        assert not list((site.path / ".git/modules").iterdir())

    def test_makes_room_for_files_of_the_same_name(
        self, site: Site, author: Author, commit: str
    ) -> None:
        tip = author.remove("part", a="tracked now")
        _update(site, clean="none")
        assert site.at(tip)
        assert {each.name for each in (site.path / "part").iterdir()} == {"a"}

    def test_moves_with_its_repository(
        self, site: Site, author: Author, commit: str, part: Remote
    ) -> None:
        git("update-index", "--force-remove", "part", cwd=author.remote.work)
        author.record("else/where", commit, "../part.git", name="part")
        part.bare.rename(part.bare.with_name("away.git"))  # nothing has to be fetched
        _update(site)
        assert _at(site, "else/where", commit)
        assert not (site.path / "part").exists()

    def test_without_the_key_they_go(self, site: Site, commit: str) -> None:
        site.update()
        assert not (site.path / "part/a").exists()
        assert site.git("status", "-s") == ""
        assert site.update().notes == ()

    @pytest.mark.parametrize("damage", ["index.lock", "index"])
    def test_heals(
        self, damage: str, site: Site, author: Author, part: Remote, commit: str
    ) -> None:
        (site.path / ".git/modules/part" / damage).write_bytes(b"garbage")
        later = part.commit({"a": "2"})
        author.record("part", later, "../part.git")
        _update(site)
        assert _at(site, "part", later)

    def test_is_fetched_anew_where_its_objects_are_damaged(self, site: Site, commit: str) -> None:
        blob = git("rev-parse", "HEAD:a", cwd=site.path / "part")
        objects = site.path / ".git/modules/part/objects"
        (pack,) = (objects / "pack").glob("*.pack")
        (objects / "pack").rename(objects / "old")
        with (objects / "old" / pack.name).open("rb") as packed:
            subprocess.run(
                ["git", "unpack-objects", "-q"], cwd=site.path / "part", stdin=packed, check=True
            )
        (objects / blob[:2] / blob[2:]).unlink()
        site.write("part/a", "mine")
        with pytest.raises(TransientError, match="objects of the submodule course/part were"):
            _update(site)
        _update(site)
        assert _at(site, "part", commit)

    def test_replaces_a_clone_of_somebodys_own(self, site: Site, commit: str) -> None:
        (site.path / "part/.git").unlink()
        git("init", "-q", cwd=site.path / "part")
        assert "replaced the clone in part by that of the submodule" in _update(site).notes
        assert _at(site, "part", commit)

    def test_does_not_go_through_a_link(self, site: Site, commit: str, tmp_path: Path) -> None:
        away = tmp_path / "away"
        (site.path / "part").rename(away)
        (site.path / "part").symlink_to(away)
        (away / "mine").write_text("mine")
        _update(site)
        assert _at(site, "part", commit)
        assert (away / "mine").exists()


def test_is_published_with_them(site: Site, author: Author, part: Remote, tmp_path: Path) -> None:
    inner = Remote(part.bare.parent, "inner")
    part.commit({"a": "1"})
    commit = Author(part).record("inner", inner.commit({"x": "1"}), "../inner.git")
    tip = author.record("lib/part", commit, "../part.git")
    _update(site)
    folder = tmp_path / "new"
    folder.mkdir()
    runner = Runner(log=site.log.append)
    write(site.checkout(), runner, tip, folder=folder, index=tmp_path / "index", timeout=60)
    assert (folder / "lib/part/a").read_text() == "1"
    assert (folder / "lib/part/inner/x").read_text() == "1"
    assert not list(folder.rglob(".git"))
    assert _at(site, "lib/part", commit)


class TestHosts:
    @pytest.fixture
    def server(self, remote: Remote) -> Iterator[GitServer]:
        with git_server(remote.bare.parent) as running:
            yield running

    @pytest.fixture
    def other(self, remote: Remote, part: Remote) -> Iterator[GitServer]:
        with git_server(part.bare.parent) as running:
            yield running

    @pytest.fixture
    def site(self, site: Site, server: GitServer) -> Site:
        site.git("remote", "set-url", "origin", server.url("course.git"))
        return site

    def test_another_one_is_not_asked(
        self, site: Site, author: Author, part: Remote, other: GitServer
    ) -> None:
        before = site.update().after
        author.record("part", part.commit({"a": "1"}), other.url("part.git"))
        place = f"127.0.0.1:{other.server_port}"
        with pytest.raises(
            PermanentError,
            match=rf"submodule course/part is not fetched.+ {place} is to be trusted",
        ):
            _update(site)
        assert site.at(before)
        assert other.seen == []

    def test_one_that_is_listed_is(
        self, site: Site, author: Author, part: Remote, other: GitServer
    ) -> None:
        commit = part.commit({"a": "1"})
        author.record("part", commit, other.url("part.git"))
        _update(site, f"127.0.0.1:{other.server_port}")
        assert _at(site, "part", commit)

    def test_what_git_would_use_is_what_counts(
        self, site: Site, author: Author, part: Remote, server: GitServer, other: GitServer
    ) -> None:
        author.record("part", part.commit({"a": "1"}), "../part.git")
        site.git("config", f"url.{other.url('')}.insteadOf", server.url("part"))
        git("config", "--global", f"url.{other.url('part')}.insteadOf", server.url("part"), cwd="/")
        with pytest.raises(PermanentError, match=f":{other.server_port}/part.git: SUBMODULES"):
            _update(site)
        assert other.seen == []

    def test_a_nested_one_is_looked_at_before_anything_changes(
        self, site: Site, author: Author, part: Remote, other: GitServer
    ) -> None:
        before = site.update().after
        inner = Author(part).record("inner", "1" * 40, other.url("inner.git"))
        author.record("part", inner, "../part.git")
        with pytest.raises(PermanentError, match="submodule course/part/inner is not fetched"):
            _update(site)
        assert site.at(before)
        assert other.seen == []

    def test_a_redirect_is_not_followed(
        self, site: Site, author: Author, part: Remote, server: GitServer, other: GitServer
    ) -> None:
        site.update()
        author.record("part", part.commit({"a": "1"}), "../part.git")
        redirected = iter(range(100))

        def redirect() -> None:
            # The first two requests fetch the outer repository.
            if next(redirected) == 1:
                server.location = other.url("part.git/info/refs?service=git-upload-pack")

        server.watch = redirect
        with pytest.raises(PermanentError, match="has moved"):
            _update(site)
        assert other.seen == []

    def test_a_token_is_for_the_host_of_origin_alone(
        self, site: Site, author: Author, part: Remote, server: GitServer, other: GitServer
    ) -> None:
        commit = part.commit({"a": "1"})
        author.record("mine", commit, "../part.git")
        author.record("theirs", commit, other.url("part.git"))
        server.login = "x-token-auth:s3cret-token"
        access = Access(token="s3cret-token", token_place="REPOS.course.TOKEN")
        extent = Extent(submodules=(f"127.0.0.1:{other.server_port}",))
        site.update(extent=extent, access=access)
        assert _at(site, "mine", commit)
        assert _at(site, "theirs", commit)
        assert set(other.seen) == {None}
        other.login = "x-token-auth:s3cret-token"
        later = part.commit({"a": "2"})
        author.record("theirs", later, other.url("part.git"))
        with pytest.raises(PermanentError, match="does not accept the credentials"):
            site.update(extent=extent, access=access)
        assert set(other.seen) == {None}


@pytest.mark.parametrize(
    ("base", "url", "wanted"),
    [
        ("https://h/a/b.git", "../c.git", "https://h/a/c.git"),
        ("https://h/a/b.git/", "./c", "https://h/a/b.git/c"),
        ("https://h/a/b", "../../x/c", "https://h/x/c"),
        ("git@h:a/b.git", "../c.git", "git@h:a/c.git"),
        ("git@h:b.git", "../c.git", "git@h:c.git"),
        ("/srv/a", "../b/", "/srv/b"),
        ("https://h/a/b", "https://other/c", "https://other/c"),
        ("https://ada:s3cret@h/a/b", "../c", "https://h/a/c"),
        ("https://h/b", "../../evil/x", "https://evil/x"),
    ],
)
def test_relative_urls_are_those_of_git(base: str, url: str, wanted: str) -> None:
    assert absolute(base, url) == wanted


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example#@forge.example/x",
        "https://evil.example?@forge.example/x",
        "https://evil.example\\@forge.example/x",
        "https:///forge.example/x",
        "https:/forge.example/x",
        "https://forge.example/%2e%2e/x",
        "ssh://-oProxyCommand=x/forge.example",
        "ext::forge.example/x",
        "forge.example/x",
        "file:///forge.example/x",
        "git://forge.example/x",
        "http://forge.example/x",
        "https://forge.example.evil.example/x",
        "https://forge.example:8443/x",
        "evil.example:forge.example/x",
        "https://forge.example/x\n",
        "-u./x",
    ],
)
def test_urls_that_only_look_like_an_allowed_host_are_refused(url: str) -> None:
    with pytest.raises(PermanentError, match="is not fetched from"):
        Hosts("forge.example", "https", ("other.example",)).check("course/part", url)


@pytest.mark.parametrize(
    "url",
    [
        "https://forge.example/a/b.git",
        "https://token@FORGE.example:443/a/b",
        "git@forge.example:a/b",
        "ssh://git@forge.example/a/b",
        "https://other.example/a",
    ],
)
def test_allowed_hosts_are_found_in_all_spellings(url: str) -> None:
    assert host(url)
    Hosts("forge.example", "https", ("other.example",)).check("course/part", url)
