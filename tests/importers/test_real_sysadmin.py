"""The real `git_add_course` of edx-sysadmin, run by a worker: is the verdict right?

It runs under Django and SQLite, with stand-ins for what it imports of the platform.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes import course, real_sysadmin
from fakes.platform import Platform, manifest
from gitreload.importers.evidence import Evidence
from gitreload.importers.failures import failure
from gitreload.importers.manage import Manage
from gitreload.model import Job, State
from gitreload.process import Runner
from helpers import Remote, git
from importers.hosts import KEY
from importers.rows import COLLIDES, LOST_FILE, SOMEBODY, fit
from workbench import Bench


class Host:
    """A worker, and a platform with the plugin; the checkout `course` has a course in it."""

    def __init__(self, folder: Path, empty_ledger: Path, database: Path) -> None:
        remote = Remote(folder / "forge")
        course.write_course(remote.work)
        remote.commit({}, "first")
        self.bench = Bench(folder, empty_ledger, remote)
        self.platform: Platform = real_sysadmin.build(
            folder / "platform", repodir=self.bench.repodir, database=database
        )
        fit(self.bench, self.platform, "git_add_course")

    @property
    def path(self) -> Path:
        return Path(self.bench.checkout().path)

    def imports(self) -> Job:
        """Sync the checkout; what its job is then."""
        self.bench.sync(force=True)
        return self.bench.run()

    def fails(self, **behaviour: Any) -> str:
        self.platform.behave(**behaviour)
        job = self.imports()
        self.platform.behave()
        assert job.state is State.FAILED
        return job.error or ""

    def stored(self) -> dict[str, Any]:
        stored = self.platform.course(KEY)
        assert stored is not None
        return stored


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_sysadmin.make_database(tmp_path_factory.mktemp("database"))


@pytest.fixture
def host(tmp_path: Path, empty_ledger: Path, database: Path) -> Iterator[Host]:
    made = Host(tmp_path, empty_ledger, database)
    yield made
    made.bench.ledger.close()


def test_a_course_arrives_and_a_force_push_after_it(host: Host) -> None:
    assert host.imports().state is State.SUCCEEDED
    remote = host.bench.remote
    assert host.stored()["files"] == manifest(remote.work)
    assert (host.bench.repodir / "Geo1").resolve() == host.path

    # The command's own pull could not follow this one.
    git("commit", "-q", "--amend", "-m", "first, rewritten", cwd=remote.work)
    remote.push("main", "--force")
    rewritten = git("rev-parse", "HEAD", cwd=remote.work)
    job = host.imports()
    assert (job.state, job.error) == (State.SUCCEEDED, None)
    assert host.stored()["revision"] == rewritten
    # The plugin updates the outline by itself.
    assert len(host.platform.journal("outline")) == 2


def test_the_branch_that_is_checked_out_is_imported_and_no_other(host: Host) -> None:
    remote = host.bench.remote
    live = remote.commit({"about/overview.html": "live\n"}, branch="live")
    git("fetch", "-q", cwd=host.path)
    git("checkout", "-q", "live", cwd=host.path)
    remote.commit({"about/overview.html": "staging\n"}, branch="main")
    assert host.imports().state is State.SUCCEEDED
    assert host.stored()["revision"] == live
    assert git("branch", "--show-current", cwd=host.path) == "live"


def test_what_exit_code_0_hides(host: Host) -> None:
    assert host.fails(unsavable=["handout.txt"]) == LOST_FILE
    assert "nothing proves that Brook/Geo1/2026 was imported" in host.fails(imports="nothing")
    host.platform.forget()
    host.platform.add_course("BROOK/geo1/2026")
    assert host.fails() == COLLIDES


def test_failures_of_the_import_that_it_calls(host: Host) -> None:
    told = "git_add_course failed: "
    assert host.fails(git_error="XML_IMPORT_FAILED") == (
        f"{told}CommandError: Unable to run import command. (exit 1)"
    )
    assert host.fails(git_error="UNSUPPORTED_STORE") == (
        f"{told}CommandError: The underlying module store does not support import. (exit 1)"
    )
    assert host.fails(broken_block="deltas").startswith(
        f"{told}xmodule.modulestore.xml_importer.BlockFailedToImport: Failed to import block: "
        "Deltas at location: deltas (caused by ValueError: "
    )


def test_another_directory_than_repodir_is_told(host: Host, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    settings = tmp_path / "lms.json"
    settings.write_text(json.dumps({"GIT_REPO_DIR": str(elsewhere)}))
    fit(host.bench, host.platform, "git_add_course", LMS_CFG=str(settings))
    advice = (
        f"its setting GIT_REPO_DIR must name the same directory as REPODIR, {host.bench.repodir}"
    )
    missing = host.fails()
    assert f"CommandError: Path {elsewhere} doesn't exist, please create it" in missing
    assert missing.endswith(advice)

    elsewhere.mkdir()
    (elsewhere / "course").write_text("in the way")  # as is a directory that is no clone
    assert "NotADirectoryError" in host.fails()


def test_a_database_that_is_away_is_tried_again(host: Host, tmp_path: Path) -> None:
    settings = tmp_path / "lms.json"
    settings.write_text(json.dumps({"DATABASE": str(tmp_path / "none/db.sqlite3")}))
    fit(host.bench, host.platform, "git_add_course", LMS_CFG=str(settings))
    job = host.imports()
    assert job.state is State.QUEUED
    assert "django.db.utils.OperationalError: unable to open database file" in (job.error or "")


# What gitreload refuses before, or never asks for; the sentences hold all the same.


def sentence(host: Host, *arguments: str) -> str:
    """How the command fails with `arguments`, as gitreload tells it."""
    evidence = Evidence()
    manage = Manage(host.bench.tools.settings, "lms")
    completed = manage.run(
        ["git_add_course", *arguments],
        Runner(log=lambda _: None),
        evidence,
        {"GIT_TERMINAL_PROMPT": "0"},
    )
    assert not completed.ok
    told = failure("it", completed, minutes=1, cures={}, detail=evidence.git_error)
    return str(told)


def test_a_bad_url_and_a_repository_without_commits(host: Host, tmp_path: Path) -> None:
    assert sentence(host, "/srv/git/course").startswith(
        "it failed: CommandError: Non usable git url provided. Expecting something like:"
    )
    empty = Remote(tmp_path / "forge", "empty")
    assert sentence(host, empty.url) == "it failed: CommandError: Unable to get git log (exit 1)"


def test_a_remote_that_it_cannot_clone(host: Host, tmp_path: Path) -> None:
    told = sentence(host, f"file://{tmp_path}/gone.git")
    assert told.startswith("it failed: CommandError: git clone or pull failed!")


def test_branches_that_it_cannot_switch_to(host: Host) -> None:
    place = (host.bench.remote.url, "--directory_path", "course", "--repository_branch")
    assert sentence(host, *place, "none").startswith(
        "it failed: CommandError: The specified remote branch is not available."
    )
    host.bench.remote.commit({}, branch="other/branch")
    git("fetch", "-q", cwd=host.path)
    git(*SOMEBODY, "branch", "-q", "other", cwd=host.path)
    assert sentence(host, *place, "other/branch").startswith(
        "it failed: CommandError: Unable to switch to specified branch."
    )
