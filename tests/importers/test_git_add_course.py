"""Imports by real runs of the stand-in platform, in all the ways that `git_add_course` may end."""

from __future__ import annotations

import json
import os
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes import platform
from gitreload.importers.git_add_course import GitAddCourse
from gitreload.model import (
    PermanentError,
    TransientError,
)
from gitreload.process import Runner
from helpers import git, wait_until
from importers.hosts import KEY, Site

COURSES = Path(__file__).parents[3] / "shared/courses"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site.in_(tmp_path, GitAddCourse)


def only_run(site: Site) -> dict[str, Any]:
    (start,) = site.platform.journal("start")
    return start


# What an import brings, and how it is called


def test_the_course_in_the_platform_is_the_one_that_was_pushed(site: Site) -> None:
    assert site.run().course_key == KEY
    stored = site.platform.course(KEY)
    assert stored is not None
    assert stored["revision"] == site.revision
    assert stored["files"] == platform.manifest(site.remote.work)
    assert [chapter["display_name"] for chapter in stored["tree"]["children"]] == [
        "Rivers",
        "Deltas",
    ]
    assert (site.repodir / "Geo1").resolve() == site.path
    assert any("Starting courselike import from geo" in line for line in site.log)


def test_an_older_platform_takes_the_directory_by_position(site: Site) -> None:
    site.platform.behave(style="positional", era="old")
    assert site.run(GIT_ADD_COURSE_STYLE="positional").course_key == KEY


def test_the_platform_gets_only_the_environment_that_it_needs(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("CMS_CFG", "STUDIO_CFG", "DJANGO_SECRET", "LMS_CFG", "GITRELOAD_WEBHOOK_SECRETS"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    (tmp_path / "lms.json").write_text("{}")
    site.run(
        LMS_CFG=str(tmp_path / "lms.json"),
        REVISION_CFG=str(tmp_path / "revisions.json"),
        IMPORTER_ENV={"EDX_REGION": "eu", "GIT_TERMINAL_PROMPT": "1"},
    )
    seen = only_run(site)["environment"]
    expected = {
        "HOME": os.environ["HOME"],
        "PATH": os.environ["PATH"],
        "CMS_CFG": "/dev/null",
        "STUDIO_CFG": "/dev/null",
        "DJANGO_SECRET": "/dev/null",
        "DJANGO_SETTINGS_MODULE": "lms.envs.production",
        "SERVICE_VARIANT": "lms",
        "LMS_CFG": str(tmp_path / "lms.json"),
        "REVISION_CFG": str(tmp_path / "revisions.json"),
        "EDX_REGION": "eu",
        "GIT_TERMINAL_PROMPT": "0",
    }
    # Python and the shell that starts it add the last three.
    left = {"LANG", "LC_CTYPE", "PWD", "OLDPWD", "_", "SHLVL"}
    plain = {name: value for name, value in seen.items() if not name.startswith("GIT_CONFIG_")}
    assert {name: value for name, value in plain.items() if name not in left} == expected


def test_no_credentials_are_passed_on(site: Site) -> None:
    site.origin = f"https://ada:geheim@forge.example/{site.path.name}.git"
    site.run()
    site.origin = "ssh://git:geheim@forge.example/geo.git"
    site.platform.behave(git_error="BAD_REPO")
    site.fails()
    assert "geheim" not in json.dumps(site.platform.journal()) + "".join(site.log)


# The pull that the command makes by itself


def test_the_commands_own_pull_changes_nothing(site: Site) -> None:
    before = site.revision
    site.remote.commit({"new.txt": "not fetched yet"})
    git("config", "protocol.allow", "never", cwd=site.path)
    site.run()
    assert site.revision == before
    assert site.platform.course(KEY) is not None


@pytest.mark.parametrize("key", ["pull.rebase", "branch.main.rebase"])
def test_it_needs_no_remote_and_no_clean_tree(site: Site, key: str) -> None:
    git("remote", "set-url", "origin", "https://nowhere.invalid/geo.git", cwd=site.path)
    git("config", key, "true", cwd=site.path)
    (site.path / "about/overview.html").write_text("changed by hand")
    site.run()


@pytest.mark.parametrize("branch", ["live", "team/deltas", "v1.0", 'odd"name='])
def test_a_branch_that_follows_another_is_not_merged_with_it(site: Site, branch: str) -> None:
    site.branch = branch
    git("checkout", "-q", "-b", branch, "origin/main", cwd=site.path)
    before = site.revision
    site.run()
    assert site.revision == before

    git("checkout", "-q", "main", cwd=site.path)
    git("commit", "-q", "--allow-empty", "-m", "another way", cwd=site.path)
    git("checkout", "-q", branch, cwd=site.path)
    git("commit", "-q", "--allow-empty", "-m", "and another", cwd=site.path)
    message = site.fails()
    assert message.startswith("git_add_course failed: CommandError: git clone or pull failed!: ")
    assert "Not possible to fast-forward" in message


# What is refused before anything runs


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("edx-platform", "EDX_PLATFORM must name the platform's directory"),
        ("edx-platform/manage.py", "manage.py is missing; EDX_PLATFORM must name"),
        ("venv/bin/python", "VIRTUAL_ENV must name the platform's virtual environment"),
    ],
)
def test_a_platform_that_is_away_may_come_back(site: Site, gone: str, message: str) -> None:
    path = site.platform.root / gone
    path.rename(path.with_name("away"))
    assert message in site.fails(TransientError)
    path.with_name("away").rename(path)
    site.run()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"origin": "/srv/git/geo"}, "remote set-url origin URL.git"),
        ({"origin": "git@forge.example:brook/geo"}, "takes only an origin that ends in .git"),
        ({"origin": "--settings=evil.git"}, "takes only an origin that ends in .git"),
        ({"branch": None}, "has no branch checked out"),
        ({"directory": "brook/geo"}, "ln -s brook/geo"),
    ],
)
def test_what_the_command_cannot_import_is_refused(
    site: Site, change: dict[str, Any], message: str
) -> None:
    for name, value in change.items():
        setattr(site, name, value)
    assert message in site.fails()
    assert site.platform.journal() == []


@pytest.mark.parametrize("origin", ["git@forge.example:brook/geo.git", "https://forge.example/geo"])
def test_usual_origins_are_taken(site: Site, origin: str) -> None:
    site.origin = origin
    site.run()


def test_a_checkout_in_a_subdirectory_is_imported_under_its_name_at_the_top(site: Site) -> None:
    (site.repodir / "brook").mkdir()
    site.path = site.path.rename(site.repodir / "brook/geo")
    (site.repodir / "brook-geo").symlink_to("brook/geo")
    site.directory, site.aliases = "brook/geo", ("brook/other", "brook-geo")
    site.run()
    assert only_run(site)["directory"] == "brook-geo"


def test_a_course_xml_that_names_no_course_is_refused(site: Site) -> None:
    (site.path / "course.xml").write_text('<course org="Brook"/>')
    assert "course.xml:1:1: <course> has no course" in site.fails()
    (site.path / "course.xml").unlink()
    assert "course.xml: does not exist" in site.fails()
    assert site.platform.journal() == []


def test_another_course_than_the_configured_one_is_refused(site: Site) -> None:
    repos = {"geo": {"COURSE_KEY": "course-v1:Brook+Geo1+2025"}}
    message = site.fails(REPOS=repos)
    assert KEY in message
    assert "Brook/Geo1/2025" in message
    assert site.platform.journal() == []
    site.run(REPOS={"geo": {"COURSE_KEY": "course-v1:Brook+Geo1+2026"}})


# What exit codes hide


def test_of_several_losses_the_first_is_told(site: Site) -> None:
    site.change(static__map_txt="a map")
    site.platform.behave(unsavable=["handout.txt", "map.txt"])
    message = site.fails()
    assert "could not save the static file handout.txt: [Errno 27] File too large" in message
    assert message.endswith("(and 1 more)")


@pytest.mark.parametrize("behaviour", [{"log_level": "ERROR"}, {"disable_loggers": True}])
def test_evidence_needs_no_help_from_the_platforms_logging(
    site: Site, behaviour: dict[str, Any]
) -> None:
    site.platform.behave(**behaviour)
    site.run()


def test_exit_code_0_counts_only_where_that_is_enough(site: Site) -> None:
    site.platform.behave(imports="nothing")
    assert site.run(EVIDENCE="exit").course_key == KEY


def test_names_that_an_author_chose_prove_nothing(site: Site) -> None:
    script = f"""
        import logging
        log = logging.getLogger("xmodule.modulestore.xml_importer")
        log.debug("importing static content %s...", "======> IMPORTING courselike {KEY}")
    """
    (site.platform.edx_platform / "manage.py").write_text("if True:" + script)
    assert "nothing proves" in site.fails()


def test_an_import_from_another_directory_is_a_failure(site: Site, tmp_path: Path) -> None:
    elsewhere = tmp_path / "course_repos"
    site.remote.clone(elsewhere / "geo")
    (tmp_path / "lms.json").write_text(json.dumps({"GIT_REPO_DIR": str(elsewhere)}))
    message = site.fails(LMS_CFG=str(tmp_path / "lms.json"))
    assert f"imported what lies in {elsewhere}/geo, not in {site.path}" in message


def test_an_import_of_another_revision_is_a_failure(site: Site) -> None:
    with pytest.raises(PermanentError, match=f"imported the revision {site.revision}, not 0000"):
        site.importer().run(site.source("0" * 40), Runner(log=site.log.append))


# Failures that the command tells, for good


def test_a_platform_without_the_command_is_told_what_to_install(site: Site) -> None:
    commands = site.platform.edx_platform / "edxapp/commands.py"
    commands.write_text(commands.read_text().replace('"git_add_course"', '"something_else"'))
    message = site.fails()
    assert "Unknown command: 'git_add_course' (exit 1)" in message
    assert "edx-sysadmin" in message


class TestAnotherDirectoryThanRepodir:
    """The platform's GIT_REPO_DIR has to be REPODIR; whatever comes of it otherwise says so."""

    def fails(self, site: Site, elsewhere: Path) -> str:
        """What is told besides the advice, which is always there."""
        lms = elsewhere.with_suffix(".json")
        lms.write_text(json.dumps({"GIT_REPO_DIR": str(elsewhere)}))
        told, advice, _ = site.fails(LMS_CFG=str(lms)).partition(
            f"; the platform looks for {site.directory} in another place: its setting "
            f"GIT_REPO_DIR must name the same directory as REPODIR, {site.repodir}"
        )
        assert advice, told
        return told

    def test_it_does_not_exist(self, site: Site, tmp_path: Path) -> None:
        assert "none doesn't exist, please create it" in self.fails(site, tmp_path / "none")

    def test_the_clone_has_another_name_than_the_repository(
        self, site: Site, tmp_path: Path
    ) -> None:
        site.directory = "geography"
        site.path = site.path.rename(site.repodir / "geography")
        elsewhere = tmp_path / "course_repos"
        elsewhere.mkdir()
        assert "No such file or directory" in self.fails(site, elsewhere)
        assert "destination path 'geo' already exists" in self.fails(site, elsewhere)

    def test_the_platform_cannot_clone_it_there(self, site: Site, tmp_path: Path) -> None:
        elsewhere = tmp_path / "course_repos"
        elsewhere.mkdir()
        site.remote.bare.rename(tmp_path / "gone")
        assert "Cloning into 'geo'" in self.fails(site, elsewhere)


# Failures that may pass by themselves


@pytest.mark.parametrize(
    ("last_words", "kind"),
    [
        ("pymongo.errors.ServerSelectionTimeoutError: mongodb:27017: [Errno 111]", TransientError),
        ("pymongo.errors.AutoReconnect: connection closed", TransientError),
        ("kombu.exceptions.OperationalError: [Errno 111] Connection refused", TransientError),
        ("OSError: [Errno 28] No space left on device", TransientError),
        ("CommandError: git clone or pull failed!", PermanentError),
        ("Error: an older Django says it so", PermanentError),
        ("KeyError: 'Lost and found'", PermanentError),
    ],
)
def test_only_what_may_pass_is_tried_again(
    site: Site, last_words: str, kind: type[Exception]
) -> None:
    script = f"""
import sys
for words in "pymongo.errors.AutoReconnect: logged and survived", {last_words!r}:
    sys.stderr.write("Traceback (most recent call last):\\n  File 'x', line 1, in y\\n")
    sys.stderr.write(words + "\\n")
sys.exit(1)
"""
    (site.platform.edx_platform / "manage.py").write_text(script)
    assert f"git_add_course failed: {last_words} (exit 1)" == site.fails(kind)


def test_a_hanging_import_is_ended_and_tried_again(site: Site) -> None:
    site.platform.behave(hang=True)
    message = site.fails(TransientError, SUBPROCESS_TIMEOUT_MINUTES=0.02)
    assert "did not end within 0.02 minutes and was ended" in message
    assert "SUBPROCESS_TIMEOUT_MINUTES" in message


# Output and children


def test_odd_output_is_no_obstacle(site: Site) -> None:
    site.platform.behave(
        start_seconds=0.05, output=["half a", " line\nthen \xff\xfe bytes\n", "no end"]
    )
    site.run()
    assert "half a line" in site.log
    assert "then �� bytes" in site.log


def test_a_child_that_stays_behind_does_not_hold_up_the_import(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitreload.process.LEFTOVER_SECONDS", 0.1)
    monkeypatch.setattr("gitreload.process.GRACE_SECONDS", 0.1)
    site.platform.behave(stubborn_child=True)
    assert site.run().course_key == KEY


def test_progress_is_seen_while_the_import_runs(site: Site) -> None:
    hold = site.platform.root / "hold"
    hold.touch()
    site.platform.behave(hold=str(hold))
    importing = threading.Thread(target=site.run)
    importing.start()
    try:
        wait_until(
            lambda: any("Done with courselike import" in line for line in site.log),
            what="a line of the running import",
        )
    finally:
        hold.unlink()
        importing.join()
    assert site.platform.course(KEY) is not None


# What an import depends on


CHANGES: list[dict[str, Any]] = [
    {"DJANGO_SETTINGS": "aws"},
    {"EDX_PLATFORM": "/elsewhere"},
    {"VIRTUAL_ENV": "/elsewhere"},
    {"LMS_CFG": "/etc/lms.yml"},
    {"REVISION_CFG": "/etc/revisions.yml"},
    {"IMPORTER_ENV": {"EDX_REGION": "eu"}},
    {"EVIDENCE": "exit"},
    {"GIT_ADD_COURSE_STYLE": "positional"},
    {"REPOS": {"geo": {"COURSE_KEY": KEY}}},
]


def test_the_digest_changes_with_everything_that_decides_the_result(site: Site) -> None:
    before = site.importer().settings_digest(site.checkout)
    others = {site.importer(**change).settings_digest(site.checkout) for change in CHANGES}
    site.origin = "https://forge.example/other.git"
    others.add(site.importer().settings_digest(site.checkout))
    assert len(others - {before}) == len(CHANGES) + 1


def test_the_digest_stays_with_everything_else(site: Site) -> None:
    before = site.run().settings
    site.change(static__new_txt="a new revision")
    assert site.importer(NUM_THREADS=9, LOG_LEVEL="DEBUG").settings_digest(site.checkout) == before


# Real courses


@pytest.mark.parametrize(
    ("archive", "key"),
    [
        ("openedx-test-course.tar.gz", "TestX/Course/1"),
        ("edx-demo-course.tar.gz", "edX/DemoX/Demo_Course"),
    ],
)
def test_a_real_course_arrives_whole(
    site: Site, archive: str, key: str, unpack: Callable[[Path, Path], None]
) -> None:
    if not (COURSES / archive).exists():
        pytest.skip(f"no {archive} in {COURSES}: real courses are not part of the project")
    git("rm", "-q", "-r", ".", cwd=site.remote.work)
    unpack(COURSES / archive, site.remote.work)
    site.change()
    assert site.run().course_key == key
    stored = site.platform.course(key)
    assert stored is not None
    assert stored["complete"]
    assert stored["files"] == platform.manifest(site.remote.work)


@pytest.fixture
def unpack() -> Callable[[Path, Path], None]:
    def extract(archive: Path, target: Path) -> None:
        with tarfile.open(archive) as packed:
            # Safe names only; Python before 3.11.4 has no such filter, and no argument for it.
            packed.extraction_filter = getattr(tarfile, "data_filter", None)
            packed.extractall(target)

    return extract
