"""What the messages about access tell to run, run as it is told: it does mend what is wrong."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import git_ssh
from fakes.git_http import GitServer, git_server
from fakes.git_ssh import SSHD, SshServer, ssh_server
from helpers import Remote, git

from .conftest import COMMAND, Host

TOKEN = "glpat-the-right-token"


@pytest.fixture
def host(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Where the operator's shell finds `gitreload`, and `sudo` to be who they are already."""
    sudo = tmp_path / "bin/sudo"
    sudo.parent.mkdir()
    sudo.write_text(f'#!/bin/sh\ntest "$1 $2" = "-u {getpass.getuser()}" && shift 2 && exec "$@"\n')
    sudo.chmod(0o755)
    path = f"{sudo.parent}:{COMMAND.parent}:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    return host


def set_url(host: Host, url: str) -> None:
    git("remote", "set-url", "origin", url, cwd=host.repodir / "course")


def complaint(host: Host) -> str:
    """Why an update fails now."""
    assert host.run("sync", "course", "--update", "--wait").exit_code == 1
    return str(host.json("list")[0]["last_job"]["error"])


def run(host: Host, told: str, command: str, more: str = "") -> str:
    """Run what `command`, a pattern, finds in what was `told`, with what it leaves to choose."""
    found = re.search(command, told)
    assert found is not None, told
    line = f"{found[0]} {more}"
    environment = os.environ | host.environment
    done = subprocess.run(
        line, shell=True, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{line}: {done.stderr}"
    return done.stdout


def assert_mended(host: Host, remote: Remote) -> None:
    tip = remote.commit({"mended": "yes\n"})
    host.done("sync", "course", "--update", "--wait")
    assert git("rev-parse", "HEAD", cwd=host.repodir / "course") == tip
    assert host.done("check").startswith("course: all is well")


@pytest.mark.skipif(SSHD is None, reason="there is no sshd: apt-get install openssh-server")
class TestOverSsh:
    @pytest.fixture
    def server(self, host: Host, remote: Remote, tmp_path: Path) -> Iterator[SshServer]:
        """Where the checkout fetches from with a key that is let in, of a host that is known."""
        with ssh_server(tmp_path / "sshd") as running:
            key = git_ssh.key(tmp_path / "deploy key")
            running.let_in(key)
            host.configure(REPOS={"course": {"SSH_KEY": str(key)}})
            set_url(host, running.url(remote.bare))
            host.state_dir.mkdir(mode=0o700)
            (host.state_dir / "known_hosts").write_text(running.known_host)
            yield running

    def fingerprint(self, server: SshServer) -> str:
        argv = ["ssh-keygen", "-l", "-f", str(server.host_key)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        return f"--host-key {done.stdout.split()[1]}"

    def test_an_unknown_host_key(self, host: Host, remote: Remote, server: SshServer) -> None:
        (host.state_dir / "known_hosts").unlink()
        told = complaint(host)
        assert "the host key of" in told
        run(host, told, r"sudo -u \S+ gitreload trust \S+", self.fingerprint(server))
        assert_mended(host, remote)

    def test_a_changed_host_key(self, host: Host, remote: Remote, server: SshServer) -> None:
        other = git_ssh.key(host.folder / "other").with_suffix(".pub").read_text()
        (host.state_dir / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {other}")
        told = complaint(host)
        assert "shows another key than the one that is known" in told
        run(host, told, r"sudo -u \S+ gitreload trust \S+", self.fingerprint(server))
        assert_mended(host, remote)

    def test_a_key_that_is_not_let_in(self, host: Host, remote: Remote, server: SshServer) -> None:
        (server.folder / "authorized").write_text("")
        public = run(host, complaint(host), r"sudo -u \S+ ssh-keygen .+$")
        (server.folder / "authorized").write_text(public)
        assert_mended(host, remote)

    def test_a_key_that_others_can_read(
        self, host: Host, remote: Remote, server: SshServer
    ) -> None:
        (host.folder / "deploy key").chmod(0o644)
        run(host, complaint(host), r"chmod 600 .+$")
        assert_mended(host, remote)

    def test_no_key_at_all(self, host: Host, remote: Remote, server: SshServer) -> None:
        host.configure()
        told = complaint(host)
        assert "name a deploy key by REPOS.course.SSH_KEY" in told
        host.configure(REPOS={"course": {"SSH_KEY": str(host.folder / "deploy key")}})
        assert_mended(host, remote)


class TestOverHttp:
    @pytest.fixture
    def server(self, host: Host, remote: Remote) -> Iterator[GitServer]:
        """Where the checkout fetches from with a token."""
        with git_server(remote.bare.parent) as running:
            running.login = f"x-token-auth:{TOKEN}"
            (host.folder / "token").write_text(f"{TOKEN}\n")
            host.configure(REPOS={"course": {"TOKEN": {"FILE": str(host.folder / "token")}}})
            set_url(host, running.url("course.git"))
            yield running

    def test_an_expired_token(self, host: Host, remote: Remote, server: GitServer) -> None:
        (host.folder / "token").write_text("an-expired-token\n")
        told = complaint(host)
        assert f"in {host.folder / 'token'}: " in told
        (host.folder / "token").write_text(f"{TOKEN}\n")
        run(host, told, r"gitreload sync course", "--update --wait")
        assert_mended(host, remote)

    def test_no_token_at_all(self, host: Host, remote: Remote, server: GitServer) -> None:
        host.configure()
        told = complaint(host)
        assert "REPOS.course.TOKEN" in told
        token = {"TOKEN": {"FILE": str(host.folder / "token")}}
        host.configure(REPOS={"course": token})
        assert_mended(host, remote)

    def test_a_repository_that_has_moved(
        self, host: Host, remote: Remote, server: GitServer
    ) -> None:
        server.status = 308
        told = complaint(host)
        assert "has moved" in told
        server.status = None
        (remote.bare.parent / "moved").mkdir()
        (remote.bare.parent / "moved/course.git").symlink_to(remote.bare)
        new = shlex.quote(server.url("moved/course.git"))
        run(host, told, r"git -C \S+ remote set-url origin (?=URL)", new)
        assert_mended(host, remote)

    def test_a_new_one_that_is_private_is_told_how(
        self, host: Host, remote: Remote, server: GitServer
    ) -> None:
        refused = host.run("add", server.url("course.git"), "--dir", "new")
        assert refused.exit_code == 2
        assert "--fetch-token-file FILE" in refused.stderr

    def test_the_token_is_in_no_command_line_file_log_or_ledger(
        self, host: Host, remote: Remote, server: GitServer
    ) -> None:
        lines: list[bytes] = []

        def look() -> None:
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    lines.append(process.read_bytes())
                except OSError:  # it has ended
                    continue

        server.watch = look
        token = str(host.folder / "token")
        said = host.done(
            "add", server.url("course.git"), "--dir", "new", "--fetch-token-file", token
        )
        remote.commit({"a": "1"})
        said += host.done("sync", "new", "--update", "--wait") + host.done("logs", "1")
        server.login = "x-token-auth:another"
        said += host.run("sync", "new", "--update", "--wait").output + host.done("logs", "2")
        said += host.done("config")
        assert any(b"git-remote-http" in line for line in lines)
        kept = [*host.repodir.rglob("*"), *host.state_dir.rglob("*"), host.folder / "gr.env.json"]
        seen = [*lines, said.encode(), *(each.read_bytes() for each in kept if each.is_file())]
        assert not [each for each in seen if TOKEN.encode() in each]
