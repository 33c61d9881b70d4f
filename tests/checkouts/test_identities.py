"""Other names of a remote: by git's rules, compared with git, and by ssh's configuration."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitreload.checkouts.gitdir import read
from gitreload.checkouts.identities import Identities
from gitreload.remotes import canonical
from helpers import git

SSH = shutil.which("ssh")
needs_ssh = pytest.mark.skipif(SSH is None, reason="there is no ssh here")


@pytest.fixture
def ssh_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """ssh's configuration: an `ssh` that comes first reads this file instead of the user's."""
    config, folder = tmp_path / "ssh_config", tmp_path / "bin"
    folder.mkdir()
    fake = folder / "ssh"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nexec {SSH} -F {config} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    config.write_text(
        "Host work Work\n HostName git.example.org\n Port 2222\nHost six\n HostName ::1\n"
    )
    return config


@pytest.fixture
def identities(ssh_config: Path) -> Identities:
    return Identities([str(ssh_config)])


def of(identities: Identities, origin: str, path: str = "/repos/course") -> set[str]:
    return set(identities.of(origin, path, {}))


def test_a_remote_as_it_is(identities: Identities) -> None:
    assert of(identities, "https://GitHub.com/Org/Course.git") == {"github.com/org/course"}


@pytest.mark.parametrize("origin", ["../forge/course.git", "./../forge/course"])
def test_a_relative_path_starts_at_the_checkout(identities: Identities, origin: str) -> None:
    assert of(identities, origin) == {"file:/repos/forge/course"}


def test_rules_of_the_operator(identities: Identities, home: Path) -> None:
    home.joinpath(".gitconfig").write_text(
        '[url "https://github.com/"]\n insteadOf = gh:\n[include]\n path = more\n'
    )
    home.joinpath("more").write_text('[url "https://example.org/"]\n insteadOf = ex:\n')
    assert identities.refresh()
    assert "github.com/org/course" in of(identities, "gh:org/course")
    assert "example.org/a" in of(identities, "ex:a")


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("file", [".gitconfig", ".config/git/config", "more"])
def test_changed_rules_are_noticed(identities: Identities, home: Path, file: str) -> None:
    rule = '[url "https://example.org/{0}/"]\n insteadOf = ex:\n'
    home.joinpath(".gitconfig").write_text("[include]\n path = more\n")
    changed = home / file
    changed.parent.mkdir(parents=True, exist_ok=True)
    with changed.open("a") as config:
        config.write(rule.format("a"))
    identities.refresh()
    assert not identities.refresh()
    changed.write_text(changed.read_text().replace("org/a/", "org/b/"))
    assert identities.refresh()
    assert "example.org/b/c" in of(identities, "ex:c")
    assert not identities.refresh()


PREFIXES = st.lists(st.sampled_from(["x:", "x:a", "x:a/", "x:b", "https://x.org/"]), max_size=3)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    own=PREFIXES, operators=PREFIXES, origin=st.sampled_from(["x:a/b", "x:b/a", "https://x.org/a"])
)
def test_rules_apply_as_in_git(
    tmp_path: Path, home: Path, own: list[str], operators: list[str], origin: str
) -> None:
    shutil.rmtree(tmp_path / "clone", ignore_errors=True)
    git("init", "-q", "clone", cwd=tmp_path)
    clone = tmp_path / "clone"
    git("remote", "add", "origin", origin, cwd=clone)

    def write(file: Path, prefixes: list[str], place: str) -> None:
        with file.open("a") as config:
            for number, prefix in enumerate(prefixes):
                base = f"https://example.org/{place}/{number}/"
                config.write(f'[url "{base}"]\n insteadOf = "{prefix}"\n')

    home.joinpath(".gitconfig").write_text("")
    write(home / ".gitconfig", operators, "operator")
    write(clone / ".git" / "config", own, "own")
    found = read(str(clone))
    assert found is not None
    assert found.origin == origin
    effective = canonical(git("ls-remote", "--get-url", "origin", cwd=clone))
    expected = {canonical(origin), effective}
    assert Identities([]).of(origin, str(clone), found.rules) == expected


@needs_ssh
@pytest.mark.parametrize(
    ("origin", "real"),
    [
        ("git@work:org/course.git", "git.example.org:2222/org/course"),
        ("ssh://work/org/course", "git.example.org:2222/org/course"),
        ("ssh://work:2200/org/course", "git.example.org:2200/org/course"),
        ("Work:org/course", "git.example.org:2222/org/course"),
        ("six:org/course", "[::1]/org/course"),
    ],
)
def test_hosts_as_ssh_knows_them(identities: Identities, origin: str, real: str) -> None:
    assert of(identities, origin) == {canonical(origin), real}


@needs_ssh
def test_an_alias_behind_a_rule(identities: Identities, home: Path) -> None:
    home.joinpath(".gitconfig").write_text('[url "git@work:"]\n insteadOf = https://example.org/\n')
    assert of(identities, "https://example.org/a") == {
        "example.org/a",
        "work/a",
        "git.example.org:2222/a",
    }


@needs_ssh
@pytest.mark.usefixtures("settled")
def test_ssh_is_asked_once_a_host_until_its_configuration_changes(
    identities: Identities, ssh_config: Path
) -> None:
    asked = ssh_config.with_name("asked")
    for origin in ("work:a", "git@work:b", "https://example.org/c", "/srv/d"):
        of(identities, origin)
    assert asked.read_text() == "-G -- work\n"
    assert not identities.refresh()
    ssh_config.write_text("Host work\n HostName other.example.org\n")
    assert identities.refresh()
    assert "other.example.org/a" in of(identities, "work:a")
    assert asked.read_text() == "-G -- work\n" * 2


@pytest.mark.parametrize("origin", ["-oProxyCommand=touch:a", "ssh://-oProxyCommand=touch/a"])
def test_a_host_is_never_an_option(identities: Identities, ssh_config: Path, origin: str) -> None:
    assert of(identities, origin) == set()
    assert not ssh_config.with_name("asked").exists()


def test_ssh_need_not_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    found = shutil.which("git")
    assert found is not None
    folder.joinpath("git").symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    assert of(Identities(), "git@work:org/course") == {"work/org/course"}


@needs_ssh
def test_a_broken_ssh_configuration_is_told(
    identities: Identities, ssh_config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ssh_config.write_text("nonsense\n")
    assert of(identities, "work:a") == {"work/a"}
    assert "the ssh host work is taken as it is" in caplog.text
    assert "nonsense" in caplog.text
