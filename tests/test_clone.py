"""The first clone, over connections that break off and after commands that were killed."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fakes.git_http import GitServer, git_server
from gitreload.git import clone_steps
from gitreload.git.access import NO_ACCESS
from gitreload.git.clone import Wanted, clone
from gitreload.git.turns import turn
from gitreload.model import PermanentError, TransientError
from helpers import Remote, git

KIB = 1024


@pytest.fixture
def server(remote: Remote) -> Iterator[GitServer]:
    with git_server(remote.bare.parent) as running:
        yield running


class Cloner:
    """Clones what `url` names into `repos/course`; `told` has the lines about that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repodir = folder / "repos"
        self.parts = self.repodir / ".gitreload/clones/course"
        self.told: list[str] = []

    def __call__(self, url: str, branch: str | None = None, tries: int = 3) -> Path:
        wanted = Wanted(url, branch, self.repodir, "course")
        with turn(self.folder / "state", wanted.target) as mine:
            pauses = (0.0,) * (tries - 1)
            clone(wanted, NO_ACCESS, mine, self.told.append, lambda _: None, pauses)
        return wanted.target


@pytest.fixture
def cloner(tmp_path: Path) -> Cloner:
    return Cloner(tmp_path)


def long_history(remote: Remote, commits: int, size: int) -> str:
    """Push so many commits, each with new bytes in a file; the last revision."""
    stream = bytearray()
    for number in range(commits):
        stream += b"blob\nmark :1\ndata %d\n%b\n" % (size, os.urandom(size))
        stream += b"commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 1\nx\n" % number
        if not number:
            stream += b"from refs/heads/main^0\n"
        stream += b"M 100644 :1 file\n\n"
    subprocess.run(["git", "fast-import", "--quiet"], cwd=remote.bare, input=stream, check=True)
    return git("rev-parse", "main", cwd=remote.bare)


def whole(path: Path) -> bool:
    return git("rev-parse", "--is-shallow-repository", cwd=path) == "false"


def test_costs_no_more_requests_than_a_plain_clone(
    cloner: Cloner, server: GitServer, remote: Remote, tmp_path: Path
) -> None:
    url = server.url("course.git")
    git("clone", "-q", url, str(tmp_path / "plain"), cwd=tmp_path)
    plain, server.seen = len(server.seen), []
    path = cloner(url)
    assert (len(server.seen), cloner.told) == (plain, [])
    for what in ("config", "HEAD"):
        assert (path / ".git" / what).read_text() == (tmp_path / "plain/.git" / what).read_text()
    assert git("status", "--porcelain", "--branch", cwd=path) == "## main...origin/main"


def test_a_connection_that_always_breaks_off_is_got_round(
    cloner: Cloner, server: GitServer, remote: Remote
) -> None:
    """Where the pack of the whole history never comes through."""
    tip = long_history(remote, 60, 10 * KIB)
    longest = 250 * KIB
    server.spoil = lambda pack: pack if len(pack) < longest else pack[: longest // 2]
    path = cloner(server.url("course.git"))
    assert git("rev-list", "--count", tip, cwd=path) == "61"
    assert (git("rev-parse", "HEAD", cwd=path), whole(path)) == (tip, True)
    git("fsck", cwd=path)
    assert git("status", "--porcelain", cwd=path) == ""
    assert cloner.told
    assert all(line.endswith(". Trying again in 0 s") for line in cloner.told)


def test_a_long_history_comes_in_two_steps_of_which_the_first_is_kept(
    cloner: Cloner, server: GitServer, remote: Remote
) -> None:
    tip = long_history(remote, clone_steps.FIRST_DEPTH + 5, 1)
    packs: list[int] = []

    def only_first(pack: bytes) -> bytes:
        packs.append(len(pack))
        return pack if len(packs) == 1 else pack[:100]

    server.spoil = only_first
    with pytest.raises(TransientError, match="broke off"):
        cloner(server.url("course.git"), tries=1)
    (kept,) = (cloner.parts / "repository/.git/objects/pack").glob("*.pack")
    assert not (cloner.repodir / "course").exists()
    server.spoil = lambda pack: pack
    # Killed while it wrote.
    (cloner.parts / "repository/.git/index.lock").touch()
    (kept.parent / "tmp_pack_x").touch()
    path = cloner(server.url("course.git"))
    assert cloner.told == [
        "a part is here and is kept: the same command goes on from there",
        "an earlier try has fetched a part: checking that, to go on from there",
    ]
    assert (path / ".git/objects/pack" / kept.name).exists()
    assert (git("rev-parse", "HEAD", cwd=path), whole(path)) == (tip, True)
    assert not (path / ".git/objects/pack/tmp_pack_x").exists()
    assert not cloner.parts.exists()


def left_over(cloner: Cloner, server: GitServer, remote: Remote) -> Path:
    """The pack of a clone of which only the first step is complete."""
    server.spoil = lambda pack: b""
    long_history(remote, 5, KIB)
    with pytest.raises(TransientError):
        cloner(server.url("course.git"), tries=1)
    packs: list[int] = []

    def only_first(pack: bytes) -> bytes:
        packs.append(len(pack))
        return pack if len(packs) == 1 else b""

    server.spoil = only_first
    with pytest.raises(TransientError):
        cloner(server.url("course.git"), tries=1)
    server.spoil = lambda pack: pack
    (pack,) = (cloner.parts / "repository/.git/objects/pack").glob("*.pack")
    return pack


def test_what_is_damaged_is_begun_anew(cloner: Cloner, server: GitServer, remote: Remote) -> None:
    pack = left_over(cloner, server, remote)
    pack.chmod(0o600)
    with pack.open("r+b") as file:  # as after a power cut
        file.seek(200)
        file.write(bytes(400))
    path = cloner(server.url("course.git"))
    assert "it is damaged: beginning anew" in cloner.told
    git("fsck", cwd=path)
    assert whole(path)


def test_what_is_of_another_repository_is_begun_anew(
    cloner: Cloner, server: GitServer, remote: Remote
) -> None:
    left_over(cloner, server, remote)
    other = Remote(cloner.folder / "other")
    tip = other.commit({"a": "1"})
    cloner.told.clear()
    assert git("rev-parse", "HEAD", cwd=cloner(other.url)) == tip
    assert cloner.told == []


def test_a_remote_that_has_not_all_itself_is_enough(cloner: Cloner, remote: Remote) -> None:
    remote.commit({"a": "1"})
    remote.commit({"a": "2"})
    git("clone", "-q", "--bare", "--depth=2", remote.url, "part.git", cwd=remote.bare.parent)
    path = cloner(f"file://{remote.bare.parent}/part.git")
    assert (path / "a").read_text() == "2"


def test_a_server_that_knows_no_steps_gives_the_whole(cloner: Cloner, remote: Remote) -> None:
    """Files on a plain web server, which `git update-server-info` prepared."""
    git("update-server-info", cwd=remote.bare)
    with _files(remote.bare.parent) as url:
        assert whole(cloner(f"{url}/course.git"))


@contextmanager
def _files(folder: Path) -> Iterator[str]:
    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


def test_a_tag_is_no_branch(cloner: Cloner, remote: Remote) -> None:
    git("tag", "v1", cwd=remote.work)
    remote.push("v1")
    with pytest.raises(PermanentError, match=r"v1 of .*course.git is no branch, which pushes"):
        cloner(remote.url, "v1")
    assert not cloner.parts.exists()
