"""Which importer imports a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitreload.importers.choice import Importers
from gitreload.model import Checkout, TransientError
from gitreload.settings import Settings

COURSE = Checkout("course", "/repos/course", None, frozenset(), "main", "main")
STUDIO = {
    "URL": "https://studio.example.org",
    "LMS_URL": "https://lms.example.org",
    "CLIENT_ID": "id",
    "CLIENT_SECRET": "secret-secret-secret",
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with nothing on it."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def importers(host: Path, **keys: Any) -> Importers:
    places = {"EDX_PLATFORM": str(host / "platform"), "VIRTUAL_ENV": str(host / "venv")}
    return Importers(Settings.model_validate({"IMPORTER": "auto", **places, **keys}))


PLUGIN = "site-packages/edx_sysadmin/management/commands/git_add_course.py"


def put(path: Path, *, executable: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755 if executable else 0o644)


def test_what_is_configured_counts(host: Path) -> None:
    chosen = importers(host, IMPORTER="cms_import", REPOS={"course": {"IMPORTER": "tutor"}})
    assert (chosen.choice(COURSE).name, chosen.of(COURSE).name) == ("tutor", "tutor")
    assert chosen.choice(COURSE).why == "by REPOS.course.IMPORTER"
    assert chosen.default.name == "cms_import"


def test_auto_takes_what_is_there(host: Path) -> None:
    with pytest.raises(TransientError, match="auto finds nothing to import with"):
        importers(host).of(COURSE)
    put(host / "bin/tutor", executable=True)
    assert importers(host).of(COURSE).name == "tutor"
    put(host / "platform/manage.py")
    assert importers(host).of(COURSE).name == "cms_import"
    put(
        host
        / "venv/lib/python3.11/site-packages/edx_sysadmin/management/commands/git_add_course.py"
    )
    assert importers(host).of(COURSE).name == "git_add_course"
    assert importers(host, STUDIO=STUDIO).of(COURSE).name == "studio"
    command = {"course": {"COMMAND": ["true"]}}
    assert importers(host, STUDIO=STUDIO, REPOS=command).of(COURSE).name == "command"


def test_auto_knows_the_platforms_of_old(host: Path) -> None:
    put(host / "platform/manage.py")
    put(host / "platform/lms/djangoapps/dashboard/management/commands/git_add_course.py")
    assert importers(host).choice(COURSE).name == "git_add_course"


@pytest.mark.parametrize(
    "repo", [{"SUBDIR": "a"}, {"PUBLISH": True, "BUILD": {"COMMAND": ["make"]}}]
)
def test_auto_asks_no_more_of_git_add_course_than_it_can(host: Path, repo: dict[str, Any]) -> None:
    put(host / "platform/manage.py")
    put(host / "platform/lms/djangoapps/dashboard/management/commands/git_add_course.py")
    chosen = importers(host, REPOS={"course": repo}).choice(COURSE)
    assert chosen.name == "cms_import"
    assert "git_add_course knows no" in chosen.why
