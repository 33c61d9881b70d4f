"""Deploy keys, tokens and known hosts, against real servers: what lets us in, and who sees it."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import git_ssh
from fakes.git_http import GitServer, git_server
from fakes.git_ssh import SSHD, SshServer, ssh_server
from fakes.github_server import APP_ID, GitHub, github
from fakes.keys import pem, rsa_key
from gitreload.config import load
from gitreload.git import Access, Updated, update
from gitreload.git.access import SHIPPED_KNOWN_HOSTS
from gitreload.model import Checkout, PermanentError, TransientError
from gitreload.process import Runner
from helpers import Remote, git, wait_until

TOKEN = "glpat-$right'one\"s"


class Site:
    """A checkout below a REPODIR, updated with what its configuration has."""

    def __init__(self, remote: Remote, folder: Path) -> None:
        self.folder = folder
        self.path = remote.clone(folder / "repos/course")
        self.log: list[str] = []

    def set_url(self, url: str) -> None:
        git("remote", "set-url", "origin", url, cwd=self.path)

    def access(self, repo: dict[str, object]) -> Access:
        settings = load({"HOME": "/", "GITRELOAD_STATE_DIR": str(self.folder)}, Path("/")).settings
        repos = type(settings).model_validate({"REPOS": {"course": repo}}).repos
        return Access.of(settings.model_copy(update={"repos": repos}), "course")

    def update(self, **repo: object) -> Updated:
        return self.update_with(self.access(repo))

    def update_with(self, access: Access) -> Updated:
        checkout = Checkout(
            directory="course",
            path=str(self.path.resolve()),
            origin=git("config", "remote.origin.url", cwd=self.path),
            identities=frozenset(),
            branch="main",
            follows="main",
        )
        runner = Runner(log=self.log.append, secrets=access.secrets)
        return update(checkout, runner, timeout=60, clean_policy="none", access=access)


@pytest.fixture
def site(remote: Remote, tmp_path: Path) -> Site:
    return Site(remote, tmp_path)


class TestToken:
    @pytest.fixture
    def server(self, remote: Remote) -> Iterator[GitServer]:
        with git_server(remote.bare.parent) as running:
            running.login = f"x-token-auth:{TOKEN}"
            yield running

    @pytest.fixture
    def site(self, remote: Remote, tmp_path: Path, server: GitServer) -> Site:
        site = Site(remote, tmp_path)
        site.set_url(server.url("course.git"))
        return site

    def test_fetches(self, site: Site, remote: Remote) -> None:
        tip = remote.commit({"a": "1"})
        assert site.update(TOKEN=TOKEN).after == tip

    def test_is_read_from_its_file_for_each_fetch(
        self, site: Site, remote: Remote, tmp_path: Path
    ) -> None:
        file = tmp_path / "token"
        file.write_text("an-old-one\n")
        with pytest.raises(PermanentError, match=r"does not take the REPOS.course.TOKEN in .+/tok"):
            site.update(TOKEN={"FILE": str(file)})
        file.write_text(f"{TOKEN}\n")
        tip = remote.commit({"a": "1"})
        assert site.update(TOKEN={"FILE": str(file)}).after == tip

    def test_goes_with_the_user_of_the_url(
        self, site: Site, remote: Remote, server: GitServer
    ) -> None:
        server.login = f"ada:{TOKEN}"
        site.set_url(server.url("course.git").replace("://", "://ada@"))
        tip = remote.commit({"a": "1"})
        assert site.update(TOKEN=TOKEN).after == tip

    @pytest.mark.parametrize("status", [401, 403])
    def test_that_is_refused_is_named(self, site: Site, server: GitServer, status: int) -> None:
        """A forge answers so where it has expired or was revoked."""
        server.status = status
        with pytest.raises(PermanentError, match=r"expired or was revoked.+gitreload sync course"):
            site.update(TOKEN="expired-token")

    def test_is_nowhere_to_be_seen(self, site: Site, remote: Remote, server: GitServer) -> None:
        seen: list[bytes] = []

        def look() -> None:
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.append(process.read_bytes())
                except OSError:
                    continue

        server.watch = look
        remote.commit({"a": "1"})
        site.update(TOKEN=TOKEN)
        assert any(b"git-remote-http" in line for line in seen)
        assert not any(TOKEN.encode() in line for line in seen)
        files = [file for file in (site.path / ".git").rglob("*") if file.is_file()]
        assert not any(TOKEN.encode() in file.read_bytes() for file in files)
        server.login = "x-token-auth:another"
        with pytest.raises(PermanentError) as refused:
            site.update(TOKEN=TOKEN)
        assert TOKEN not in f"{refused.value} {site.log} {site.access({'TOKEN': TOKEN})!r}"

    def test_reaches_no_filter_of_the_checkout(self, site: Site, remote: Remote) -> None:
        noted = site.folder / "environment"
        git("config", "filter.note.smudge", f"env > {noted}; cat", cwd=site.path)
        tip = remote.commit({".gitattributes": "* filter=note\n", "a": "1"})
        assert site.update(TOKEN=TOKEN).after == tip
        assert "PATH=" in noted.read_text()
        assert TOKEN not in noted.read_text()

    def test_is_not_told_to_the_operators_helpers_nor_are_they_asked(
        self, site: Site, remote: Remote, home: Path, server: GitServer
    ) -> None:
        kept = home / ".git-credentials"
        kept.write_text(server.url("", login="ada:wrong"))
        git("config", "--global", "credential.helper", "store", cwd="/")
        tip = remote.commit({"a": "1"})
        assert site.update(TOKEN=TOKEN).after == tip
        assert kept.read_text() == server.url("", login="ada:wrong")

    def test_does_not_follow_a_redirect_to_another_site(
        self, site: Site, remote: Remote, server: GitServer
    ) -> None:
        remote.commit({"a": "1"})
        with git_server(remote.bare.parent) as other:
            other.login = server.login
            server.location = other.url("course.git/info/refs?service=git-upload-pack")
            with pytest.raises(PermanentError, match=r"leads to another site now, http.+not given"):
                site.update(TOKEN=TOKEN)
            assert other.seen
            assert set(other.seen) == {None}
        ours = f"Basic {base64.b64encode(f'x-token-auth:{TOKEN}'.encode()).decode()}"
        assert set(server.seen) <= {None, ours}

    def test_follows_the_operators_instead_of(
        self, site: Site, remote: Remote, server: GitServer
    ) -> None:
        git(
            "config",
            "--global",
            f"url.{server.url('')}.insteadOf",
            "https://forge.example/",
            cwd="/",
        )
        site.set_url("https://forge.example/course.git")
        tip = remote.commit({"a": "1"})
        assert site.update(TOKEN=TOKEN).after == tip

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("http://forge.example/course", "everybody on the way could read it: use https"),
            ("https://ada:secret@forge.example/course", "holds a password besides the REPOS"),
        ],
    )
    def test_is_not_sent_where_it_must_not_go(self, site: Site, url: str, message: str) -> None:
        site.set_url(url)
        with pytest.raises(PermanentError, match=message) as refused:
            site.update(TOKEN=TOKEN)
        assert "secret" not in str(refused.value)


class TestApp:
    @pytest.fixture
    def hub(self, tmp_path: Path) -> Iterator[GitHub]:
        with github(tmp_path / "forge", rsa_key()) as running:
            yield running

    @pytest.fixture
    def remote(self, tmp_path: Path) -> Remote:
        remote = Remote(tmp_path / "forge", "org/course")
        remote.commit({"README.md": "first\n"}, "first")
        return remote

    @pytest.fixture
    def site(self, remote: Remote, tmp_path: Path, hub: GitHub) -> Site:
        site = Site(remote, tmp_path)
        site.set_url(hub.url("org/course.git"))
        return site

    @pytest.fixture
    def app(self, tmp_path: Path) -> dict[str, object]:
        return {"APP_ID": int(APP_ID), "PRIVATE_KEY": str(pem(tmp_path / "app.pem"))}

    def test_gets_a_token_for_what_it_fetches(
        self, site: Site, remote: Remote, hub: GitHub, app: dict[str, object]
    ) -> None:
        tip = remote.commit({"a": "1"})
        assert site.update(TOKEN=app).after == tip
        assert list(hub.given.values()) == [("org/course", {"contents": "read"})]
        (token,) = hub.given
        files = [file for file in (site.path / ".git").rglob("*") if file.is_file()]
        assert not any(token.encode() in file.read_bytes() for file in files)

    def test_that_is_installed_nowhere_is_told(
        self, site: Site, hub: GitHub, app: dict[str, object]
    ) -> None:
        hub.installed.clear()
        with pytest.raises(PermanentError, match="is not installed at org/course"):
            site.update(TOKEN=app)

    def test_whose_token_was_revoked_gets_another(
        self, site: Site, remote: Remote, hub: GitHub, app: dict[str, object]
    ) -> None:
        access = site.access({"TOKEN": app})
        site.update_with(access)
        (token,) = hub.given
        hub.given = {"another": ("org/course", {})}
        with pytest.raises(
            TransientError, match=r"the token of the GitHub App 4711 .REP.+Anot"
        ) as e:
            site.update_with(access)
        # The server has told it in its answer.
        assert "you sent ***" in str(site.log)
        assert token not in f"{site.log} {e.value}"
        tip = remote.commit({"a": "1"})
        assert site.update_with(access).after == tip

    def test_is_for_github_alone(self, site: Site, app: dict[str, object]) -> None:
        site.set_url("https://forge.example/group/subgroup/course")
        with pytest.raises(PermanentError, match="can let in to a repository of GitHub only"):
            site.update(TOKEN=app)


@pytest.mark.skipif(SSHD is None, reason="there is no sshd: apt-get install openssh-server")
class TestSshKey:
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[SshServer]:
        with ssh_server(tmp_path / "sshd") as running:
            yield running

    @pytest.fixture
    def key(self, tmp_path: Path) -> Path:
        return git_ssh.key(tmp_path / "deploy key")

    @pytest.fixture
    def agent(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """One that holds no key yet."""
        socket = tmp_path / "agent"
        with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL) as run:
            wait_until(socket.exists, what="the agent")
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            yield
            run.terminate()

    @pytest.fixture
    def site(self, remote: Remote, tmp_path: Path, server: SshServer) -> Site:
        """Its server is known by what was added, as `gitreload add` does it."""
        site = Site(remote, tmp_path)
        site.set_url(server.url(remote.bare))
        (tmp_path / "known_hosts").write_text(server.known_host)
        return site

    def test_fetches(self, site: Site, remote: Remote, server: SshServer, key: Path) -> None:
        server.let_in(key)
        tip = remote.commit({"a": "1"})
        assert site.update(SSH_KEY=str(key)).after == tip

    def test_is_the_only_one_that_is_offered(
        self, site: Site, server: SshServer, key: Path, tmp_path: Path, agent: None
    ) -> None:
        other = git_ssh.key(tmp_path / "other")
        subprocess.run(["ssh-add", "-q", other], check=True)
        server.let_in(other)
        site.update()
        with pytest.raises(PermanentError, match="does not take the SSH_KEY of course"):
            site.update(SSH_KEY=str(key))

    def test_goes_with_the_operators_own_command(
        self, site: Site, remote: Remote, server: SshServer, key: Path, tmp_path: Path
    ) -> None:
        server.let_in(key)
        noted = tmp_path / "noted"
        wrapper = tmp_path / "ssh of mine"
        wrapper.write_text(f'#!/bin/sh\necho "$@" >> {noted}\nexec ssh "$@"\n')
        wrapper.chmod(0o755)
        git("config", "core.sshCommand", f"'{wrapper}' -4", cwd=site.path)
        tip = remote.commit({"a": "1"})
        assert site.update(SSH_KEY=str(key)).after == tip
        assert noted.read_text().startswith("-4 -o BatchMode=yes")

    def test_that_others_can_read_is_refused(self, site: Site, key: Path) -> None:
        key.chmod(0o640)
        with pytest.raises(PermanentError, match=f"can be read by others.+chmod 600 '{key}'"):
            site.update(SSH_KEY=str(key))

    def test_that_is_not_there_is_named(self, site: Site, tmp_path: Path) -> None:
        with pytest.raises(PermanentError, match=f"SSH_KEY {tmp_path}/none cannot be read"):
            site.update(SSH_KEY=str(tmp_path / "none"))

    def test_an_unknown_host_is_not_spoken_with(
        self, site: Site, server: SshServer, key: Path, tmp_path: Path
    ) -> None:
        server.let_in(key)
        (tmp_path / "known_hosts").unlink()
        with pytest.raises(PermanentError, match=r"is not known to \S+: .+ gitreload trust ssh://"):
            site.update(SSH_KEY=str(key))

    def test_nor_one_with_another_key(
        self, site: Site, server: SshServer, key: Path, tmp_path: Path
    ) -> None:
        server.let_in(key)
        old = git_ssh.key(tmp_path / "old").with_suffix(".pub").read_text()
        (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {old}")
        with pytest.raises(PermanentError, match="shows another key than the one that is known"):
            site.update(SSH_KEY=str(key))

    def test_a_host_that_the_user_knows_is_known(
        self, site: Site, remote: Remote, server: SshServer, key: Path, tmp_path: Path
    ) -> None:
        server.let_in(key)
        mine = tmp_path / "mine"
        (tmp_path / "known_hosts").rename(mine)
        git("config", "core.sshCommand", f"ssh -o UserKnownHostsFile={mine}", cwd=site.path)
        tip = remote.commit({"a": "1"})
        assert site.update(SSH_KEY=str(key)).after == tip


def published() -> dict[str, set[str]]:
    done = subprocess.run(
        ["ssh-keygen", "-l", "-f", SHIPPED_KNOWN_HOSTS], capture_output=True, text=True, check=True
    )
    found: dict[str, set[str]] = {}
    for line in done.stdout.splitlines():
        _, fingerprint, hosts, _ = line.split(" ")
        for host in hosts.split(","):
            found.setdefault(host, set()).add(fingerprint)
    return found


def test_the_host_keys_of_public_forges_come_along() -> None:
    """These fingerprints are those of the pages that the file names."""
    github = {
        "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
        "SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM",
        "SHA256:uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s",
    }
    assert published() == {
        "github.com": github,
        "[ssh.github.com]:443": github,
        "gitlab.com": {
            "SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8",
            "SHA256:ROQFvPThGrW4RuWLoL9tq9I9zJ42fK4XywyRtbOz/EQ",
            "SHA256:HbW3g8zUjNSksFbqTiUWPWg2Bq1x8xdGUrliXFzSnUw",
        },
        "bitbucket.org": {
            "SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
            "SHA256:FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0",
            "SHA256:46OSHA1Rmj8E8ERTC6xkNcmGOw9oFxYr0WF6zWW8l1E",
        },
        "codeberg.org": {
            "SHA256:mIlxA9k46MmM6qdJOdMnAQpzGxF4WIVVL+fj+wZbw0g",
            "SHA256:T9FYDEHELhVkulEKKwge5aVhVTbqCW0MIRwAfpARs/E",
            "SHA256:6QQmYi4ppFS4/+zSZ5S4IU+4sa6rwvQ4PbhCtPEBekQ",
        },
    }
