"""Every sentence with which a command refuses, compared exactly: what, where, and what to do."""

from __future__ import annotations

import errno
import getpass
import logging
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitreload import git as gitreload_git
from gitreload.ledger import Ledger, database, statedir
from gitreload.web import listen
from helpers import Remote, check_snapshot, git

from .conftest import Book, Host

LATER = 4_000_000_000.0  # in 2096

Prepare = Callable[[Host, pytest.MonkeyPatch], None]


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def nothing(_host: Host, _patch: pytest.MonkeyPatch) -> None:
    """The host as it is: one checkout, no ledger."""


def two_problems(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.configure(PORT="many", REPO_DIR="/x")


def no_repodir(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.configure(REPODIR="/no/such/repos")


def no_checkouts(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.configure(REPODIR=str(host.folder / "empty"))
    (host.folder / "empty").mkdir(exist_ok=True)


def detached(host: Host, _patch: pytest.MonkeyPatch) -> None:
    git("checkout", "-q", "--detach", cwd=host.clone("detached"))


def all_detached(host: Host, _patch: pytest.MonkeyPatch) -> None:
    git("checkout", "-q", "--detach", cwd=host.repodir / "course")


def several(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.clone("org/course")


def unborn(host: Host, _patch: pytest.MonkeyPatch) -> None:
    empty = Remote(host.folder / "empty-forge", "empty")
    empty.clone(host.repodir / "unborn")


def no_repository(host: Host, _patch: pytest.MonkeyPatch) -> None:
    git("remote", "set-url", "origin", "ext::helper", cwd=host.clone("strange"))


def another_user(host: Host, patch: pytest.MonkeyPatch) -> None:
    some_jobs(host, patch)
    patch.setattr(os, "geteuid", lambda: 54321)


def network(host: Host, patch: pytest.MonkeyPatch) -> None:
    host.state_dir.mkdir(exist_ok=True)
    patch.setattr(statedir, "file_system", lambda _path: "nfs4")


def read_only(host: Host, patch: pytest.MonkeyPatch) -> None:
    host.state_dir.mkdir(exist_ok=True)
    patch.setattr(os, "access", lambda _path, _mode: False)


def not_a_directory(host: Host, _patch: pytest.MonkeyPatch) -> None:
    (host.folder / "file").touch()
    host.configure(STATE_DIR=str(host.folder / "file/state"))


def no_database(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.state_dir.mkdir(exist_ok=True)
    (host.state_dir / database.FILE_NAME).write_text("not a database, " * 100)


def newer_ledger(host: Host, patch: pytest.MonkeyPatch) -> None:
    some_jobs(host, patch)
    with sqlite3.connect(host.state_dir / database.FILE_NAME) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def old_sqlite(host: Host, patch: pytest.MonkeyPatch) -> None:
    host.state_dir.mkdir(exist_ok=True)
    patch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    patch.setattr(sqlite3, "sqlite_version", "3.34.1")


def some_jobs(host: Host, _patch: pytest.MonkeyPatch) -> None:
    """Job 1 has failed, job 2 runs, job 3 is queued."""
    for name in ("second", "third"):
        host.clone(name)
    for name in ("course", "second", "third"):
        host.done("sync", name)
    ledger = Ledger.open(host.state_dir, clock=lambda: LATER)
    book = Book(ledger)
    book.fail(book.begin())
    book.begin().lock.release()
    ledger.close()


def held(host: Host, patch: pytest.MonkeyPatch) -> None:
    """As with some jobs, and all but the third checkout are held; `course` is published."""
    some_jobs(host, patch)
    host.configure(REPOS={"course": {"PUBLISH": True}})
    for name in ("course", "second"):
        host.done("hold", name)


def held_by_configuration(host: Host, patch: pytest.MonkeyPatch) -> None:
    some_jobs(host, patch)
    host.configure(REPOS={"course": {"HOLD": True}})


def no_secret(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.configure(WEBHOOK_SECRETS=[], HOST="0.0.0.0")


def no_log_file(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.configure(LOG_FILE_PATH="/no/such/gitreload.log")


def port(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.configure(PORT=1)


def empty_file(host: Host, _patch: pytest.MonkeyPatch) -> None:
    (host.folder / "gr.env.json").write_text("\n")


def port_taken(host: Host, patch: pytest.MonkeyPatch) -> None:
    host.configure(PORT=5000)
    refuse_socket(patch, errno.EADDRINUSE)


def port_too_low(host: Host, patch: pytest.MonkeyPatch) -> None:
    host.configure(PORT=80)
    refuse_socket(patch, errno.EACCES)


def foreign_address(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.configure(HOST="192.0.2.1")  # kept for documentation: no machine's


def unknown_host(host: Host, patch: pytest.MonkeyPatch) -> None:
    host.configure(HOST="nowhere.example")

    def fail(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    patch.setattr(socket, "getaddrinfo", fail)


def refuse_socket(patch: pytest.MonkeyPatch, number: int) -> None:
    def fail(*_args: object) -> None:
        raise OSError(number, os.strerror(number))

    patch.setattr(listen, "_bound", fail)


def no_git(_host: Host, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("PATH", "/no/such/bin")


def old_git(_host: Host, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gitreload_git, "OLDEST", (99, 0))


def short_secret(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.configure(PORT=1)
    (host.folder / "short").write_text("short\n")


def key_of_standard(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.configure(PORT=1)
    (host.folder / "key").write_text(f"whsec_{'a' * 32}\n")


def repos_from_environment(_host: Host, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("GITRELOAD_REPOS", "{}")


def config_of_root(_host: Host, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "access", lambda _path, _mode: False)


def something_there(host: Host, _patch: pytest.MonkeyPatch) -> None:
    (host.repodir / "notes").mkdir()
    (host.repodir / "notes/file").touch()


def a_token(host: Host, _patch: pytest.MonkeyPatch) -> None:
    (host.folder / "token").write_text("a-token-of-a-forge\n")


MESSAGES: list[tuple[Prepare, list[str]]] = [
    (nothing, ["sink", "--nope", "list --al", "sync --updat", "jobs --limit", "jobs --limit many"]),
    (nothing, ["jobs --limit 0", "jobs --action import,update", "retry x", "logs -f"]),
    (nothing, ["jobs --state lost", "send --event x", "serve --port 99999", "serve course"]),
    (nothing, ["show", "show x", "show 0", "show 99999999999999999999", "logs 1 2", "backup"]),
    (two_problems, ["list", "jobs", "config", "serve", "worker"]),
    (no_repodir, ["list", "sync course", "sync --all"]),
    (no_checkouts, ["list", "list --json", "sync --all", "send --url http://localhost:1"]),
    (nothing, ["validate", "validate nowhere", "validate course", "validate . --format junit"]),
    (nothing, ["sync", "sync --all course"]),
    (nothing, ["sync coarse", "sync unlike", "sync /srv/elsewhere", "sync .."]),
    (detached, ["sync detached", "sync detached course"]),
    (all_detached, ["sync --all"]),
    (
        nothing,
        [
            "jobs",
            "show 1",
            "logs 1",
            "retry 1",
            "cancel 1",
            "backup copy",
            "deliveries 1",
            "replay 1",
        ],
    ),
    (some_jobs, ["show 4", "jobs --state superseded", "logs 1 -f --json", "logs 3"]),
    (some_jobs, ["deliveries", "deliveries 1", "deliveries --forge git", "deliveries 1 --limit 2"]),
    (
        some_jobs,
        [
            "deliveries x",
            "deliveries --since noon",
            "deliveries --outcome lost",
            "replay",
            "replay 1",
        ],
    ),
    (some_jobs, ["retry 2", "cancel 1"]),
    (held, ["sync course third", "sync --all", "retry 1", "release course", "release second"]),
    (held_by_configuration, ["sync course", "sync --all", "retry 1", "release course"]),
    (
        held,
        ["rollback course", "rollback course x", "rollback second", "rollback coarse", "hold x"],
    ),
    (some_jobs, ["backup repos", "backup no/such/copy", "backup state/ledger.sqlite3"]),
    (another_user, ["list", "jobs", "show 1", "sync course"]),
    (network, ["list", "sync course", "serve", "worker"]),
    (read_only, ["list", "sync course"]),
    (not_a_directory, ["list", "sync course"]),
    (no_database, ["list", "show 1"]),
    (newer_ledger, ["jobs", "sync course", "serve"]),
    (old_sqlite, ["sync course", "serve"]),
    (nothing, ["send", "send --url http://localhost:1", "send --url localhost:1"]),
    (nothing, ["notify"]),
    (empty_file, ["list"]),
    (port, ["send", "send coarse", "send --secret-file no-such-file"]),
    (short_secret, ["send --secret-file short"]),
    (nothing, ["send --forge git", "send --forge gitlab --event ping --url http://localhost:1"]),
    (port, ["send --forge standard", "send --forge sourcehut", "send --forge github --key key"]),
    (port, ["send --forge standard --key no-such-file", "send --key key --secret-file short"]),
    (key_of_standard, ["send --secret-file key", "send --forge standard --key key"]),
    (several, ["send --url http://localhost:1"]),
    (unborn, ["send unborn --url http://localhost:1"]),
    (no_repository, ["send strange --url http://localhost:1"]),
    (no_secret, ["serve"]),
    (no_log_file, ["serve", "worker"]),
    (port_taken, ["serve"]),
    (port_too_low, ["serve"]),
    (foreign_address, ["serve"]),
    (unknown_host, ["serve"]),
    (
        nothing,
        [
            "add",
            "add ../x",
            "add repos/course",
            "add ext::helper",
            "add https://ada:pw@forge.example/c",
        ],
    ),
    (nothing, ["add https://forge.example/c --dir a/b/c", "add file:///c --forge git"]),
    (nothing, ["add file:///no/such/repository"]),
    (nothing, ["remove", "remove coarse --yes", "remove course", "trust", "trust file:///c"]),
    (something_there, ["add file:///no/such/notes"]),
    (no_repodir, ["add file:///no/such/repository"]),
    (config_of_root, ["add file:///no/such/repository"]),
    (repos_from_environment, ["add file:///no/such/repository", "remove course --yes"]),
    (
        a_token,
        [
            "add file:///c --token-file token",
            "add file:///c --token-file token --forge gogs",
            "add git@github.com:o/c --token-file token",
            "add git@github.com:o/c --fetch-token-file no-such-file",
        ],
    ),
    (no_git, ["serve", "worker"]),
    (old_git, ["serve"]),
]


@pytest.mark.usefixtures("logging_as_before", "utc")
def test_messages(tmp_path: Path, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    for number, (prepare, commands) in enumerate(MESSAGES):
        folder = tmp_path / str(number)
        host = Host(folder, remote)
        host.clone("course")
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            prepare(host, patch)
            results = [(command, host.run(*command.split())) for command in commands]
        told.append(f"# {prepare.__name__.replace('_', ' ')}\n")
        for command, result in results:
            assert "Traceback" not in result.output
            assert result.exit_code in (0, 1, 2), (command, result.output, result.exception)
            said = result.stderr.replace(str(folder), "/here").replace(getpass.getuser(), "USER")
            told.append(f"$ gitreload {command}\n{said}[{result.exit_code}]\n")
    check_snapshot("cli_messages.txt", "\n".join(told))
