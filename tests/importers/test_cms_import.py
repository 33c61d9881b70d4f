"""What is particular to imports with `manage.py cms import`; the rows have its failures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fakes import course, platform
from gitreload.importers.cms_import import CmsImport
from gitreload.model import PermanentError, TransientError
from importers.hosts import KEY, Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site.in_(tmp_path, CmsImport)


def stored_files(site: Site) -> dict[str, str]:
    stored = site.platform.course(KEY)
    assert stored is not None
    return dict(stored["files"])


def test_the_course_in_studio_is_the_one_that_was_pushed(site: Site) -> None:
    assert site.run().course_key == KEY
    assert stored_files(site) == platform.manifest(site.remote.work)
    [start] = site.platform.journal("start")
    assert start["environment"]["SERVICE_VARIANT"] == "cms"
    assert start["environment"]["DJANGO_SETTINGS_MODULE"] == "cms.envs.production"
    assert not site.platform.journal("outline") + site.platform.journal("index")


@pytest.mark.parametrize("variable", ["CMS_CFG", "STUDIO_CFG"])
def test_studios_settings_are_those_that_are_named(
    site: Site, variable: str, tmp_path: Path
) -> None:
    (tmp_path / "modulestore").mkdir()
    (tmp_path / "cms.json").write_text(json.dumps({"MODULESTORE": f"{tmp_path}/modulestore"}))
    site.run(IMPORTER_ENV={variable: str(tmp_path / "cms.json")})
    assert platform.Platform(tmp_path).course(KEY) is not None


def test_a_course_below_the_top_is_imported_from_there(site: Site) -> None:
    """And one that lies elsewhere, as what BUILD makes does; the checkout does not matter."""
    site.folder = site.path.parent / "built"
    course.write_course(site.folder / "olx/my course")
    site.origin, site.branch = "/no/url", None
    site.run()
    assert stored_files(site) == platform.manifest(site.folder / "olx/my course")


def test_a_directory_with_the_name_of_an_option_is_refused(site: Site) -> None:
    site.folder = site.path.parent / "built"
    course.write_course(site.folder / "--nostatic")
    assert "the course's directory, --nostatic, for an option; give it" in site.fails()
    assert site.platform.journal() == []


@pytest.mark.parametrize(
    ("options", "static"),
    [
        ({}, {"handout.txt", "lib.zip", "python_lib.zip"}),
        ({"NOSTATIC": True}, {"python_lib.zip"}),
        ({"NOSTATIC": True, "PYTHON_LIB_FILENAME": "lib.zip"}, {"lib.zip"}),
        ({"NOSTATIC": True, "PYTHON_LIB": False}, set()),
    ],
)
def test_static_files_can_be_left_out(
    site: Site, options: dict[str, Any], static: set[str]
) -> None:
    for name in "lib.zip", "python_lib.zip":
        (site.path / "static" / name).write_text("lib")
    site.run(CMS_IMPORT=options)
    found = {name for name in stored_files(site) if name.startswith("static/")}
    assert found == {f"static/{name}" for name in static}


def test_outline_and_index_follow_where_that_is_wanted(site: Site) -> None:
    site.run(CMS_IMPORT={"OUTLINE": True, "REINDEX": True})
    site.run(CMS_IMPORT={"OUTLINE": True}, REPOS={"geo": {"CMS_IMPORT": {"REINDEX": True}}})
    events = [entry["event"] for entry in site.platform.journal()]
    assert events == ["start", "end", "outline", "index", "start", "end", "index"]
    assert {entry["key"] for entry in site.platform.journal("index")} == {KEY}


@pytest.mark.parametrize(
    ("options", "cause", "kind", "message"),
    [
        (
            {"OUTLINE": True, "REINDEX": True},
            "two sections have one name",
            PermanentError,
            "update_course_outline failed: ValueError: two sections have one name (exit 1)",
        ),
        # This one goes on, and ends with 0.
        (
            {"REINDEX": True},
            "the index is read-only",
            PermanentError,
            "reindex_course failed: ValueError: the index is read-only (exit 0)",
        ),
        (
            {"REINDEX": True},
            "Connection refused",
            TransientError,
            "reindex_course failed: ConnectionError: Connection refused (exit 0)",
        ),
    ],
)
def test_what_follows_and_fails_is_told(
    site: Site, options: dict[str, Any], cause: str, kind: type[Exception], message: str
) -> None:
    site.platform.behave(follow_up_error=cause)
    assert site.fails(kind, CMS_IMPORT=options) == f"{KEY} is imported, but {message}"
    assert site.platform.journal("index") == []


def test_a_command_that_asks_gets_no_answer_and_ends(site: Site) -> None:
    commands = site.platform.edx_platform / "edxapp/commands.py"
    commands.write_text(commands.read_text().replace("if given.all and", "if"))
    message = site.fails(CMS_IMPORT={"REINDEX": True})
    assert "reindex_course failed: EOFError: EOF when reading a line (exit 1)" in message


def test_an_outline_that_an_old_platform_does_not_have_is_told(site: Site) -> None:
    commands = site.platform.edx_platform / "edxapp/commands.py"
    commands.write_text(commands.read_text().replace('"update_course_outline":', '"none":'))
    assert "take OUTLINE out of CMS_IMPORT" in site.fails(CMS_IMPORT={"OUTLINE": True})


CHANGES: list[dict[str, Any]] = [
    {"DJANGO_SETTINGS": "aws"},
    {"IMPORTER_ENV": {"EDX_REGION": "eu"}},
    {"EVIDENCE": "exit"},
    {"CMS_IMPORT": {"NOSTATIC": True}},
    {"CMS_IMPORT": {"OUTLINE": True}},
    {"REPOS": {"geo": {"COURSE_KEY": KEY}}},
    {"REPOS": {"geo": {"CMS_IMPORT": {"REINDEX": True}}}},
]


def test_the_digest_changes_with_what_decides_the_result(site: Site) -> None:
    before = site.importer().settings_digest(site.checkout)
    others = {site.importer(**change).settings_digest(site.checkout) for change in CHANGES}
    assert len(others - {before}) == len(CHANGES)
    assert site.importer(NUM_THREADS=9).settings_digest(site.checkout) == before
