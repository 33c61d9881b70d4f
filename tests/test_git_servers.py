"""Updates from real git servers: over ssh, over HTTP with a login, and from broken ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import git_ssh
from fakes.git_http import GitServer, git_server
from fakes.git_ssh import SSHD, SshServer, ssh_server
from gitreload.model import GitreloadError, PermanentError, TransientError
from helpers import Remote, git
from sites import Site


@pytest.mark.skipif(SSHD is None, reason="there is no sshd (Debian: openssh-server)")
class TestSsh:
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[SshServer]:
        with ssh_server(tmp_path / "sshd") as running:
            yield running

    @pytest.fixture
    def site(self, site: Site, server: SshServer, home: Path) -> Site:
        """A checkout whose operator has a key of his own, and knows the host."""
        own = git_ssh.key(home / "key")
        server.let_in(own)
        (home / "known").write_text(server.known_host)
        options = f"-F none -o UserKnownHostsFile={home}/known -o IdentitiesOnly=yes -i {own}"
        git("config", "--global", "core.sshCommand", f"ssh {options} -o BatchMode=yes", cwd="/")
        site.git("remote", "set-url", "origin", server.url(site.remote.bare))
        return site

    def test_an_update(self, site: Site, remote: Remote) -> None:
        tip = remote.commit({"a": "1"})
        assert site.update().after == tip
        assert site.at(tip)

    def test_damaged_objects_come_anew(self, site: Site, remote: Remote) -> None:
        shutil.rmtree(site.path / ".git/objects")
        tip = remote.commit({"a": "1"})
        assert "replaced the damaged objects" in site.update().notes[0]
        assert site.at(tip)

    def test_a_url_that_is_rewritten_to_it_shows_no_error(
        self, site: Site, remote: Remote, server: SshServer
    ) -> None:
        ssh = server.url(Path("/"))
        git("config", "--global", f"url.{ssh}.insteadOf", "https://forge.example/", cwd="/")
        site.git("remote", "set-url", "origin", f"https://forge.example{remote.bare}")
        tip = remote.commit({"a": "1"})
        site.url = server.url(remote.bare)
        assert site.update().after == tip
        assert not any("fatal" in line for line in site.log)

    def test_a_key_that_is_not_let_in(self, site: Site, home: Path) -> None:
        for file in (home / "key", home / "key.pub"):
            file.unlink()
        git_ssh.key(home / "key")
        with pytest.raises(PermanentError, match=r"does not let .+ in: .+Permission denied"):
            site.update()

    def test_a_host_that_is_not_known(self, site: Site, home: Path) -> None:
        (home / "known").write_text("")
        with pytest.raises(PermanentError, match=r"host key of .+ is not known"):
            site.update()

    def test_a_repository_that_is_not_there(self, site: Site, server: SshServer) -> None:
        site.git("remote", "set-url", "origin", server.url(Path("/nowhere.git")))
        with pytest.raises(PermanentError, match="is no repository, or none that"):
            site.update()


@pytest.fixture
def server(remote: Remote) -> Iterator[GitServer]:
    with git_server(remote.bare.parent) as running:
        yield running


class TestHttp:
    """A login that a server asks for; in `test_git` is what is told of a wrong one."""

    def test_a_login_in_the_url(self, site: Site, remote: Remote, server: GitServer) -> None:
        server.login = "ada:s3cret"
        site.git("remote", "set-url", "origin", server.url("course.git", login="ada:s3cret"))
        tip = remote.commit({"a": "1"})
        assert site.update().after == tip
        shutil.rmtree(site.path / ".git/objects")
        assert "replaced the damaged objects" in site.update().notes[0]
        assert site.at(tip)
        assert "s3cret" not in "\n".join(site.log)

    def test_a_remote_that_moved_is_followed_and_told(
        self, site: Site, remote: Remote, server: GitServer
    ) -> None:
        site.git("remote", "set-url", "origin", server.url("old.git"))
        with git_server(remote.bare.parent) as moved:
            server.location = moved.url("course.git/info/refs?service=git-upload-pack")
            tip = remote.commit({"a": "1"})
            updated = site.update()
        assert site.at(tip)
        old, new = server.url("old.git"), moved.url("course.git")
        (note,) = updated.notes
        assert note == (
            f"origin of course moved: {old} redirects to {new}, which was fetched. Pushes are "
            f"announced under the new URL: git -C {site.path} remote set-url origin {new}"
        )


class TestBroken:
    """Whatever a server does: the checkout stays as it was, and the next try ends at the tip."""

    @pytest.fixture
    def site(self, site: Site, remote: Remote, server: GitServer) -> Site:
        server.login = "ada:s3cret"
        site.git("remote", "set-url", "origin", server.url("course.git", login="ada:s3cret"))
        remote.commit({f"file{number}": os.urandom(2000).hex() for number in range(20)})
        return site

    def expect(self, site: Site, kind: type[GitreloadError], message: str) -> None:
        before = site.git("rev-parse", "HEAD")
        with pytest.raises(kind, match=message):
            site.update(timeout=5)
        assert site.at(before)
        assert not (site.path.parent / ".gitreload").exists() or kind is not TransientError

    def expect_tip(self, site: Site) -> None:
        updated = site.update()
        assert site.at(git("rev-parse", "HEAD", cwd=site.remote.work))
        assert updated.notes == ()

    @pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
    def test_that_breaks_off(self, share: float, site: Site, server: GitServer) -> None:
        server.spoil = lambda pack: pack[: int(len(pack) * share)]
        self.expect(site, TransientError, "the connection to .+ broke off")
        server.spoil = lambda pack: pack
        self.expect_tip(site)

    def test_that_garbles(self, site: Site, server: GitServer) -> None:
        def garble(pack: bytes) -> bytes:
            middle = len(pack) // 2
            return (
                pack[:middle]
                + bytes(byte ^ 0xFF for byte in pack[middle : middle + 40])
                + (pack[middle + 40 :])
            )

        server.spoil = garble
        self.expect(site, TransientError, "was damaged on its way")
        server.spoil = lambda pack: pack
        self.expect_tip(site)

    def test_that_stalls_within_a_pack(self, site: Site, server: GitServer) -> None:
        def stall(pack: bytes) -> bytes:
            server.released.wait()
            return pack

        server.spoil = stall
        with pytest.raises(TransientError, match=r"took longer than 0.5 s \(GIT_TIMEOUT_SECONDS\)"):
            site.update(timeout=0.5)
        server.released.set()
        server.spoil = lambda pack: pack
        self.expect_tip(site)

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_that_has_a_fault(self, status: int, site: Site, server: GitServer) -> None:
        server.status = status
        self.expect(site, TransientError, "has a fault of its own")
        server.status = None
        self.expect_tip(site)

    def test_that_is_a_page_for_people(self, site: Site, server: GitServer) -> None:
        server.status = 200
        self.expect(site, PermanentError, "is no repository")
        server.status = None
        self.expect_tip(site)

    @pytest.mark.parametrize("denied", [1, 2, 3, 4])
    def test_that_changes_its_mind_about_a_login(
        self, denied: int, site: Site, server: GitServer
    ) -> None:
        """The first request comes without the login, as git waits to be asked for it."""
        server.denied = frozenset({denied})
        if denied == 1:
            self.expect_tip(site)
            return
        self.expect(site, PermanentError, "does not accept the credentials")
        self.expect_tip(site)
