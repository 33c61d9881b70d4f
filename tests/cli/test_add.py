"""`gitreload add`, `remove` and `trust`, as somebody uses them who begins."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fakes import git_ssh
from fakes.git_http import git_server
from fakes.git_ssh import SSHD, SshServer, ssh_server
from fakes.hook_api import TOKEN, hook_api
from gitreload.cli.running import listed, tell_running
from gitreload.config import load
from gitreload.git.host_keys import HostKey, trust
from gitreload.locks import Lock, checkout_lock_path
from gitreload.process import proc
from helpers import Remote, git, wait_until

from .conftest import Book, Host


@pytest.fixture
def host(tmp_path: Path, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A REPODIR with nothing in it."""
    monkeypatch.chdir(tmp_path)
    host = Host(tmp_path, remote)
    host.repodir.mkdir()
    return host


def config(host: Host) -> dict[str, Any]:
    return dict(json.loads((host.folder / "gr.env.json").read_text()))


def secret_of(host: Host, directory: str) -> str:
    (entry,) = config(host)["REPOS"][directory]["SECRETS"]
    return Path(entry["FILE"]).read_text().strip()


class TestAdd:
    def test_clones_configures_and_tells_what_to_paste(self, host: Host, remote: Remote) -> None:
        host.configure(PUBLIC_URL="https://hooks.example.org/git")
        before = (host.folder / "gr.env.json").read_text()
        told = host.done("add", remote.url)
        assert git("rev-parse", "HEAD", cwd=host.repodir / "course") == git(
            "rev-parse", "HEAD", cwd=remote.work
        )
        secret = secret_of(host, "course")
        assert len(secret) == 64
        assert f"  Secret         {secret}" in told
        assert "  URL            https://hooks.example.org/git/\n" in told
        assert "docs/forges.md" in told
        assert "gitreload sync course" in told
        file = Path(config(host)["REPOS"]["course"]["SECRETS"][0]["FILE"])
        assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert file.is_relative_to(host.state_dir)
        assert (host.folder / "gr.env.json.bak").read_text() == before
        assert list(config(host).items())[:-1] == list(json.loads(before).items())

    def test_takes_branch_name_and_route(self, host: Host, remote: Remote) -> None:
        tip = remote.commit({"a": "live"}, branch="live")
        told = host.done("add", remote.url, "--branch", "live", "--dir", "org/live", "--update")
        assert git("rev-parse", "HEAD", cwd=host.repodir / "org/live") == tip
        assert "https://YOUR.SERVER/update" in told
        assert "gitreload sync org/live --update" in told
        assert load(os.environ | host.environment).settings.repo("org/live").secrets

    def test_takes_only_a_part_of_a_large_repository(self, host: Host, remote: Remote) -> None:
        git("config", "uploadpack.allowFilter", "true", cwd=remote.bare)
        remote.commit({"in/a": "a", "out/b": "b", "c": "c"})
        host.done("add", remote.url, "--depth", "1", "--sparse", "in", "--update")
        course = host.repodir / "course"
        assert {each.name for each in course.iterdir()} == {".git", "README.md", "c", "in"}
        assert git("rev-list", "--count", "HEAD", cwd=course) == "1"
        assert "?" in git("rev-list", "--objects", "--missing=print", "HEAD", cwd=course)
        entry = config(host)["REPOS"]["course"]
        assert (entry["DEPTH"], entry["SPARSE"]) == (1, ["in"])
        tip = remote.commit({"in/a": "2", "out/b": "2"})
        host.done("sync", "course", "--update", "--wait")
        assert git("rev-parse", "HEAD", cwd=course) == tip
        assert git("rev-list", "--count", "HEAD", cwd=course) == "1"
        assert not (course / "out").exists()

    @pytest.mark.parametrize("value", ["/in", "in/", "a/../b", "*"])
    def test_refuses_what_is_no_directory_of_a_repository(self, host: Host, value: str) -> None:
        refused = host.run("add", host.remote.url, "--sparse", value)
        assert refused.exit_code == 2
        assert f"--sparse {value}; expected a directory" in refused.stderr

    def test_publishes(self, host: Host, remote: Remote) -> None:
        link = host.folder / "published/course"
        told = host.done("add", remote.url, "--update", "--publish")
        assert f"its readers are served from {link}, once its first job is done" in told
        host.done("sync", "course", "--update", "--wait")
        assert (link / "README.md").exists()
        served = link.resolve()
        # Somebody's own choice stays.
        entry = config(host)["REPOS"]["course"] | {"PUBLISH": {"KEEP": 9}}
        host.configure(REPOS={"course": entry})
        assert str(link) in host.done("add", remote.url, "--publish")
        assert config(host)["REPOS"]["course"]["PUBLISH"] == {"KEEP": 9}
        assert f"{link} stays and leads to what it served last" in host.done(
            "remove", "course", "--yes"
        )
        assert served.exists()
        host.configure(REPOS={"course": {"PUBLISH": True}})
        assert f"deleted {link} and its revisions" in host.done(
            "remove", "course", "--delete", "--yes"
        )
        assert not served.exists()
        assert not link.is_symlink()

    def test_again_finishes_what_was_begun(self, host: Host, remote: Remote) -> None:
        host.done("add", remote.url)
        secret = secret_of(host, "course")
        text = (host.folder / "gr.env.json").read_text()
        assert "is a clone of it already" in host.done("add", remote.url)
        assert (host.folder / "gr.env.json").read_text() == text
        # Stopped before the configuration was written, as after a broken connection.
        host.configure()
        host.done("add", remote.url)
        assert secret_of(host, "course") == secret

    def test_a_clone_that_broke_off_is_begun_anew(self, host: Host, remote: Remote) -> None:
        left = host.repodir / ".gitreload/clones/course"
        left.mkdir(parents=True)
        (left / "half").write_text("of a clone")
        host.done("add", remote.url)
        assert not (host.repodir / "course/half").exists()
        assert not left.exists()

    def test_a_clone_that_is_killed_leaves_nothing_to_be_followed(
        self, host: Host, remote: Remote
    ) -> None:
        with git_server(remote.bare.parent) as server:
            server.stall = True
            url = server.url("course.git")
            with host.command("add", url) as adding:
                wait_until(lambda: server.seen, what="the clone")
                adding.kill()
            assert host.json("list") == []
            server.stall = False
            server.released.set()
            host.done("add", url)
        assert [each["directory"] for each in host.json("list")] == ["course"]

    def test_what_a_killed_one_left_running_is_ended_first(
        self, host: Host, remote: Remote
    ) -> None:
        with git_server(remote.bare.parent) as server:
            server.stall = True
            with host.command("add", server.url("course.git")) as adding:
                wait_until(lambda: server.seen, what="the clone")
                scratch = str(host.repodir / ".gitreload/clones/course")
                orphan = proc.git_at_work([scratch])
                assert orphan is not None
                adding.kill()
            assert orphan.alive
            # The server still stalls: nothing else could have ended it.
            host.done("add", remote.url)
            assert not orphan.alive

    def test_two_at_once_do_not_disturb_each_other(self, host: Host, remote: Remote) -> None:
        with git_server(remote.bare.parent) as server:
            go_on = threading.Event()
            server.watch = go_on.wait
            with host.command("add", server.url("course.git")) as adding:
                wait_until(lambda: server.seen, what="the clone")
                told = host.failed("add", remote.url)
                go_on.set()
                adding.communicate()
        assert f"process {adding.pid} adds {host.repodir / 'course'} at this moment" in told
        assert (adding.returncode, list(config(host)["REPOS"])) == (0, ["course"])

    def test_a_server_reads_it_at_once(self, host: Host, remote: Remote) -> None:
        with listed(host.state_dir):
            before = signal.signal(signal.SIGHUP, lambda *_: heard.append(True))
            heard: list[bool] = []
            try:
                assert "was told to read its configuration" in host.done("add", remote.url)
            finally:
                signal.signal(signal.SIGHUP, before)
        assert heard == [True]
        assert "no `gitreload serve` runs here" in host.done("add", remote.url, "--dir", "again")

    def test_what_is_there_for_something_else_stays(self, host: Host, remote: Remote) -> None:
        host.done("add", remote.url)
        other = Remote(host.folder / "other")
        other.commit({"a": "1"})
        assert f"is there already, a clone of {remote.url}: choose" in host.failed("add", other.url)
        told = host.failed("add", remote.url, "--branch", "live")
        assert "is there already and follows the branch main: clone another one" in told

    def test_a_branch_that_is_not_there_is_told(self, host: Host, remote: Remote) -> None:
        refused = host.run("add", remote.url, "--branch", "live")
        assert (refused.exit_code, list((host.repodir / ".gitreload/clones").iterdir())) == (2, [])
        assert f"there is no branch live at {remote.url}: name one that is" in refused.stderr

    def test_an_empty_repository_waits_for_its_first_push(self, host: Host) -> None:
        empty = Remote(host.folder / "empty", "empty")
        assert "empty until the first push" in host.done("add", empty.url)
        tip = empty.commit({"a": "1"})
        host.done("sync", "empty", "--update", "--wait")
        assert git("rev-parse", "HEAD", cwd=host.repodir / "empty") == tip

    def test_the_first_secret_of_all_is_asked_for(self, host: Host, remote: Remote) -> None:
        """Where other checkouts would stop being updated."""
        host.configure(WEBHOOK_SECRETS=[])
        host.clone("other")
        told = host.failed("add", remote.url)
        assert "(other) need one too" in told
        assert "nothing was done; --yes goes on" in told
        assert not (host.repodir / "course").exists()
        host.done("add", remote.url, "--yes")

    def test_nothing_is_asked_where_it_is_the_first(self, host: Host, remote: Remote) -> None:
        host.configure(WEBHOOK_SECRETS=[])
        host.done("add", remote.url)

    def test_the_forge_is_pinned_and_its_page_named(self, host: Host, remote: Remote) -> None:
        told = host.done("add", remote.url, "--forge", "gitlab")
        assert config(host)["REPOS"]["course"]["FORGE"] == "gitlab"
        assert "docs/forges/gitlab.md" in told
        host.done("add", remote.url, "--forge", "standard", "--dir", "std")
        assert secret_of(host, "std").startswith("whsec_")
        host.done("add", remote.url, "--forge", "sourcehut", "--dir", "hut")
        assert config(host)["REPOS"]["hut"] == {"FORGE": "sourcehut"}

    @pytest.mark.parametrize("forge", ["github", "gitlab", "gitea", "forgejo"])
    def test_makes_the_webhook_with_a_token(
        self, host: Host, remote: Remote, forge: str, tmp_path: Path
    ) -> None:
        host.configure(PUBLIC_URL="https://hooks.example.org")
        token = tmp_path / "token"
        token.write_text(f"{TOKEN}\n")
        with git_server(remote.bare.parent) as server, hook_api(forge) as api:
            # As a forge has it: the path of the URL is the repository's name.
            (remote.bare.parent / "org").mkdir()
            (remote.bare.parent / "org/course").symlink_to(remote.bare)
            url = server.url("org/course")
            given = ("--forge", forge, "--token-file", str(token), "--api", api.base)
            told = host.done("add", url, "--update", *given)
            secret = secret_of(host, "course")
            assert api.only == ("https://hooks.example.org/update", secret)
            assert secret not in told
            assert TOKEN not in told
            token.write_text("another-token")
            assert "401" in host.failed("add", url, *given)

    def test_fetches_with_a_token_of_its_own(self, host: Host, remote: Remote) -> None:
        token = host.folder / "fetch-token"
        token.write_text("glpat-secret-token\n")
        with git_server(remote.bare.parent) as server:
            url = server.url("course.git")
            server.login = "x-token-auth:glpat-secret-token"
            refused = host.run("add", url)
            assert refused.exit_code == 2
            assert "does not accept the credentials" in refused.stderr
            host.done("add", url, "--fetch-token-file", str(token))
            assert config(host)["REPOS"]["course"]["TOKEN"] == {"FILE": str(token)}
            tip = remote.commit({"a": "1"})
            host.done("sync", "course", "--update", "--wait")
            assert git("rev-parse", "HEAD", cwd=host.repodir / "course") == tip
            token.write_text("expired-token\n")
            remote.commit({"a": "2"})
            assert host.run("sync", "course", "--update", "--wait").exit_code == 1
            told = host.done("logs", "2")
        assert f"does not take the REPOS.course.TOKEN in {token}" in told
        assert "glpat-secret-token" not in told + host.done("logs", "1") + host.done("config")

    def test_an_edit_that_would_not_be_read_changes_nothing(
        self, host: Host, remote: Remote, tmp_path: Path
    ) -> None:
        before = (host.folder / "gr.env.json").read_text()
        refused = host.run("add", remote.url, "--ssh-key", f"{tmp_path}/a\u202eb")
        assert refused.exit_code == 2
        assert "REPOS.course.SSH_KEY is" in refused.stderr
        assert (host.folder / "gr.env.json").read_text() == before

    @pytest.mark.parametrize("name", [".github", "org/.git", "a\nb", "../a"])
    def test_a_name_that_is_never_looked_at_is_refused(
        self, host: Host, remote: Remote, name: str
    ) -> None:
        refused = host.run("add", remote.url, "--dir", name)
        assert refused.exit_code == 2
        assert "expected a directory below REPODIR" in refused.stderr
        assert list(host.repodir.iterdir()) == []

    def test_a_file_with_a_byte_order_mark_is_changed_too(self, host: Host, remote: Remote) -> None:
        """As editors of Windows write it."""
        file = host.folder / "gr.env.json"
        before = b"\xef\xbb\xbf" + file.read_bytes()
        file.write_bytes(before)
        host.done("add", remote.url)
        assert "course" in config(host)["REPOS"]
        assert (host.folder / "gr.env.json.bak").read_bytes() == before

    def test_the_backup_is_a_file_of_its_own(self, host: Host, remote: Remote) -> None:
        other = host.folder / "other"
        other.write_text("of somebody else")
        (host.folder / "gr.env.json.bak").symlink_to(other)
        host.done("add", remote.url)
        assert other.read_text() == "of somebody else"


class TestRemove:
    def test_undoes_it(self, host: Host, remote: Remote) -> None:
        before = config(host)
        host.done("add", remote.url)
        file = Path(config(host)["REPOS"]["course"]["SECRETS"][0]["FILE"])
        host.done("sync", "course")
        assert "nothing was removed" in host.failed("remove", "course")
        told = host.done("remove", "course", "--yes")
        assert "cancelled job 1, which waited" in told
        assert "stays, and is followed for as long" in told
        assert config(host) == {**before, "REPOS": {}}
        assert not file.exists()
        assert (host.repodir / "course/README.md").exists()

    def test_deletes_the_directory_when_told(self, host: Host, remote: Remote) -> None:
        host.done("add", remote.url)
        host.done("remove", "course", "--delete", "--yes")
        assert [each.name for each in host.repodir.iterdir()] == [".gitreload"]
        assert host.json("list") == []

    @pytest.mark.parametrize("step", ["_leave_published", "_leave", "_forget"])
    def test_one_that_was_killed_is_finished_by_the_next(
        self, host: Host, remote: Remote, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        host.done("add", remote.url, "--update", "--publish")
        host.done("sync", "course", "--update", "--wait")
        with monkeypatch.context() as dying:
            dying.setattr(f"gitreload.cli.remove.{step}", lambda *_, **__: sys.exit(9))
            assert host.run("remove", "course", "--delete", "--yes").exit_code == 9
        host.done("remove", "course", "--delete", "--yes")
        assert config(host)["REPOS"] == {}
        assert not list((host.folder / "published").iterdir())
        assert not (host.repodir / "course").exists()

    def test_a_checkout_elsewhere_goes_with_its_link(self, host: Host, remote: Remote) -> None:
        remote.clone(host.folder / "elsewhere/course")
        (host.repodir / "linked").symlink_to(host.folder / "elsewhere/course")
        host.configure(REPOS={"linked": {"CLEAN": "none"}})
        host.done("remove", "linked", "--delete", "--yes")
        assert not (host.repodir / "linked").is_symlink()
        assert not (host.folder / "elsewhere/course").exists()

    def test_not_while_a_job_runs(self, host: Host, remote: Remote, book: Book) -> None:
        host.done("add", remote.url)
        host.done("sync", "course")
        claimed = book.begin()
        assert "job 1 works in course now: wait, or" in host.failed("remove", "course", "--yes")
        claimed.lock.release()
        path = checkout_lock_path(host.state_dir, str(host.repodir / "course"))
        lock = Lock.take(path)
        assert lock is not None
        with lock:
            assert "works in course now" in host.failed("remove", "course", "--yes")
        assert "course" in config(host)["REPOS"]

    def test_a_job_that_is_held_is_cancelled_too(self, host: Host, remote: Remote) -> None:
        host.done("add", remote.url)
        host.done("sync", "course")
        host.done("hold", "course")
        assert "cancelled job 1, which waited" in host.done("remove", "course", "--yes")
        assert host.json("jobs")[0]["state"] == "cancelled"

    def test_what_is_not_there(self, host: Host) -> None:
        assert "there is no checkout course" in host.failed("remove", "course", "--yes")


@pytest.mark.skipif(SSHD is None, reason="there is no sshd: apt-get install openssh-server")
class TestHosts:
    def test_several_are_trusted_at_once(self, tmp_path: Path) -> None:
        file = tmp_path / "known_hosts"
        keys = [HostKey(f"host{number}", "ssh-ed25519", "AAAA") for number in range(20)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: trust(file, (key,)), keys))
        assert sorted(file.read_text().splitlines()) == sorted(key.line for key in keys)

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[SshServer]:
        with ssh_server(tmp_path / "sshd") as running:
            yield running

    def fingerprint(self, server: SshServer) -> str:
        argv = ["ssh-keygen", "-l", "-f", str(server.host_key)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        return done.stdout.split()[1]

    def test_an_unknown_one_is_shown_and_not_trusted_unasked(
        self, host: Host, remote: Remote, server: SshServer
    ) -> None:
        key = git_ssh.key(host.folder / "deploy")
        server.let_in(key)
        given = ("add", server.url(remote.bare), "--ssh-key", str(key))
        refused = host.run(*given, "--yes")
        assert refused.exit_code == 1
        assert "not trusted: compare" in refused.stderr
        assert self.fingerprint(server) in refused.stdout
        assert "none of them is SHA256:another" in host.failed(
            *given, "--host-key", "SHA256:another"
        )
        host.done(*given, "--host-key", self.fingerprint(server))
        tip = remote.commit({"a": "1"})
        host.done("sync", "course", "--update", "--wait")
        assert git("rev-parse", "HEAD", cwd=host.repodir / "course") == tip

    def test_one_with_a_new_key_is_trusted_again(
        self, host: Host, remote: Remote, server: SshServer
    ) -> None:
        key = git_ssh.key(host.folder / "deploy")
        server.let_in(key)
        host.state_dir.mkdir(mode=0o700)
        old = git_ssh.key(host.folder / "old").with_suffix(".pub").read_text()
        (host.state_dir / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {old}")
        url = server.url(remote.bare)
        refused = host.run("add", url, "--ssh-key", str(key))
        assert refused.exit_code == 2
        assert f"gitreload trust {url}" in refused.stderr
        host.done("trust", url, "--host-key", self.fingerprint(server))
        host.done("add", url, "--ssh-key", str(key))


def test_only_the_process_that_is_listed_is_told(tmp_path: Path) -> None:
    assert tell_running(tmp_path) == 0
    folder = tmp_path / "running"
    folder.mkdir()
    # That of a killed process, and one of another container: the number is a stranger's here.
    (folder / f"{os.getpid()}.lock").touch()
    assert tell_running(tmp_path) == 0
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        lock = Lock.take(folder / f"{stranger.pid}.lock")
        assert lock is not None
        with lock:
            assert tell_running(tmp_path) == 0
            assert stranger.poll() is None
        stranger.communicate(b"\n")
    assert stranger.returncode == 0
