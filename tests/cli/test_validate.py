"""`gitreload validate`, for operators, for authors, and for their CI."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from fakes.whole_course import KEY, write_whole_course
from gitreload.cli import app
from gitreload.cli.validate import _annotation
from gitreload.olx import Finding

from .conftest import COMMAND, Host

BROKEN = (
    "chapter/ice.xml:2:5: not XML: this end tag does not fit; <chapter> of line 1 has to be closed "
    "first"
)


@pytest.fixture(autouse=True)
def no_olxcleaner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An author's clone, the directory where commands run; nothing is configured."""
    monkeypatch.delenv("GITRELOAD_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    clone = tmp_path / "clone"
    write_whole_course(clone)
    monkeypatch.chdir(clone)
    return clone


def run(*args: str) -> Result:
    return CliRunner().invoke(app, ["validate", *args])


def breaks(course: Path) -> None:
    (course / "chapter/ice.xml").write_text("<chapter>\n  </sequential>\n</chapter>\n")


class TestAnAuthorsClone:
    """Without git, a configuration or anything else of a server."""

    def test_all_is_well(self, here: Path) -> None:
        result = run(".")
        assert (result.exit_code, result.stdout, result.stderr) == (
            0,
            f".: {KEY} can be imported\n",
            "",
        )

    def test_a_mistake_is_told_by_its_place_seen_from_here(self, here: Path) -> None:
        breaks(here)
        result = run(".")
        assert (result.exit_code, result.stdout, result.stderr) == (
            1,
            f"{BROKEN}\n",
            ".: 1 error\n",
        )
        assert run(str(here)).stdout == f"{here}/{BROKEN}\n"
        assert run("../clone").stdout == f"../clone/{BROKEN}\n"

    def test_warnings_do_not_fail(self, here: Path) -> None:
        (here / "tools").mkdir()
        (here / "tools/build.xml").write_text("<project>")
        result = run(".")
        assert result.exit_code == 0
        assert result.stdout.startswith("tools/build.xml:1:10: warning: not XML: the file ends")

    def test_a_course_further_down(self, here: Path) -> None:
        result = run("..")
        assert (result.exit_code, result.stdout) == (0, f"..: {KEY} in clone can be imported\n")
        assert result.stderr == (
            "..: the course is in clone: the importer git_add_course takes only one at the top of "
            "its repository, all others take this one too\n"
        )

    def test_several_courses(self, here: Path) -> None:
        write_whole_course(other := here.parent / "other")
        (other / "course.xml").write_text('<course url_name="2026" org="Brook" course="Geo3"/>')
        breaks(here)
        result = run("..")
        assert result.exit_code == 1
        assert "../other/course.xml: a second course, besides clone/course.xml" in result.stdout
        assert f"../clone/{BROKEN}" in result.stdout
        assert run("..", "--subdir", "other").exit_code == 0
        assert run("..", "--subdir", "other", "--subdir", "clone").stdout == f"../clone/{BROKEN}\n"

    def test_the_key_that_it_has_to_have(self, here: Path) -> None:
        assert run(".", "--course-key", "course-v1:Brook+Geo2+2026").exit_code == 0
        result = run(".", "--course-key", "Brook/Geo2/2027")
        assert result.exit_code == 1
        assert "but COURSE_KEY is Brook/Geo2/2027" in result.stdout

    def test_as_json(self, here: Path) -> None:
        breaks(here)
        result = run("..", ".", "--subdir", ".", "--json")
        assert result.exit_code == 1
        above, found = json.loads(result.stdout)
        assert not above["ok"]
        assert found == {
            "path": ".",
            "ok": False,
            "courses": [{"root": ".", "key": KEY, "blocks": found["courses"][0]["blocks"]}],
            "findings": [
                {
                    "file": "chapter/ice.xml",
                    "message": BROKEN.partition("5: ")[2],
                    "line": 2,
                    "column": 5,
                    "level": "error",
                }
            ],
            "remarks": [],
        }

    def test_annotations_for_github(self, here: Path) -> None:
        breaks(here)
        (here / "tools").mkdir()
        (here / "tools/100%,a:b.xml").write_text("<project>")
        error, warning = run(".", "--format", "github").stdout.splitlines()
        assert error == f"::error file=chapter/ice.xml,line=2,col=5::{BROKEN.partition('5: ')[2]}"
        assert warning == (
            "::warning file=tools/100%25%2Ca%3Ab.xml,line=1,col=10::not XML: the file ends, but "
            "<project> of line 1 is not closed"
        )

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (["nowhere"], "gitreload: there is no directory nowhere, here or below REPODIR, "),
            ([], "Missing argument 'PATH'"),
            ([".", "--format", "junit"], "'junit'; expected one of text, github"),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, here: Path, args: list[str], message: str
    ) -> None:
        result = run(*args)
        assert result.exit_code == 2
        assert message in result.stderr


class TestACheckout:
    """By its name below REPODIR, from anywhere, with its settings."""

    def test_by_its_name(self, host: Host) -> None:
        write_whole_course(host.repodir / "course")
        breaks(host.repodir / "course")
        result = host.run("validate", "course")
        assert (result.exit_code, result.stdout) == (1, f"course/{BROKEN}\n")

    def test_its_settings_hold(self, host: Host) -> None:
        host.configure(REPOS={"course": {"COURSE_KEY": "A/B/C"}})
        write_whole_course(host.repodir / "course")
        for path in ("course", str(host.repodir / "course"), "repos/course"):
            assert "but COURSE_KEY is A/B/C" in host.run("validate", path).stdout
        assert host.run("validate", "course", "--course-key", KEY).exit_code == 0
        host.configure(REPOS={"course": {"SUBDIR": "a"}})
        assert "course/a: there is no such directory" in host.run("validate", "course").stdout
        assert host.run("validate", "course", "--subdir", ".").exit_code == 0

    def test_what_is_built_is_somewhere_else(self, host: Host) -> None:
        publish = {"LINK": str(host.folder / "built")}
        host.configure(
            REPOS={"course": {"BUILD": {"COMMAND": ["make"], "OUTPUT": "out"}, "PUBLISH": publish}}
        )
        assert "course: BUILD makes of this what is imported: give the path of its result" in (
            host.run("validate", "course").stderr
        )


@pytest.fixture
def olxcleaner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real one, in a directory that is on PATH."""
    program = tmp_path / ".bin/edx-cleaner"
    program.parent.mkdir()
    program.symlink_to(Path(sys.executable).with_name("edx-cleaner"))
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return program


class TestAdvice:
    """Of olxcleaner, where it is installed."""

    def test_it_is_given_and_fails_nothing(self, here: Path, olxcleaner: Path) -> None:
        result = run(".")
        assert result.exit_code == 0
        assert (
            "course/2026.xml: advice: The tag <course url_name='2026' display_name='Lakes'> does "
            "not have the required setting 'end'. (InvalidSetting)\n"
        ) in result.stdout
        assert "pond" not in result.stdout
        assert ": notice" not in result.stdout
        assert "::notice file=course/2026.xml::The tag" in run(".", "--format", "github").stdout

    def test_it_reads_nothing_that_is_broken(self, here: Path, olxcleaner: Path) -> None:
        breaks(here)
        assert run(".").stdout == f"{BROKEN}\n"

    def test_it_says_where_the_course_is(self, here: Path, olxcleaner: Path) -> None:
        assert "../clone/course/2026.xml: advice: " in run("..").stdout

    @pytest.mark.parametrize(
        ("script", "said"),
        [
            ("echo KeyError: 3 >&2; exit 1", "olxcleaner failed: KeyError: 3"),
            ("kill -9 $$", "olxcleaner failed: it said nothing"),
            ("echo All is well", None),
            ("sleep 60", "olxcleaner did not end within 1 s and was ended"),
            (
                'seq -f "ERROR A (b.xml): %g" 102; exit 1',
                "olxcleaner and 2 more",
            ),
        ],
    )
    def test_whatever_becomes_of_it_is_a_line_at_most(
        self,
        here: Path,
        olxcleaner: Path,
        monkeypatch: pytest.MonkeyPatch,
        script: str,
        said: str | None,
    ) -> None:
        monkeypatch.setattr("gitreload.olx.advice.TIMEOUT_SECONDS", 1)
        olxcleaner.unlink()
        olxcleaner.write_text(f"#!/bin/sh\n{script}\n")
        olxcleaner.chmod(0o755)
        result = run(".")
        assert result.exit_code == 0
        *advice, last = result.stdout.splitlines()
        assert last == f".: {KEY} can be imported"
        assert [line for line in advice if "olxcleaner" in line] == (
            [] if said is None else [f"course.xml: advice: {said}"]
        )

    def test_one_that_cannot_be_run_is_told(self, here: Path, olxcleaner: Path) -> None:
        olxcleaner.unlink()
        olxcleaner.write_text("#!/no/such/interpreter\n")
        olxcleaner.chmod(0o755)
        assert "advice: olxcleaner could not be run: " in run(".").stdout


def test_as_installed(here: Path) -> None:
    """Also that nothing is written anywhere."""
    before = sorted(here.parent.rglob("*"))
    printed = subprocess.run(
        [COMMAND, "validate", "."], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert printed == f".: {KEY} can be imported\n"
    assert sorted(here.parent.rglob("*")) == before


def _unescaped(text: str) -> str:
    """As GitHub's runner reads it (src/Runner.Common/ActionCommand.cs)."""
    for escape, character in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r")):
        text = text.replace(escape, character)
    return text.replace("%25", "%")


@given(file=st.text(min_size=1), message=st.text(), line=st.none() | st.integers(1, 9))
def test_nothing_in_a_finding_can_be_taken_for_another_annotation(
    file: str, message: str, line: int | None
) -> None:
    text = _annotation(Finding(file, message, line, line))
    assert "\n" not in text
    assert "\r" not in text
    properties, _, said = text.removeprefix("::error ").partition("::")
    names = dict(each.split("=", 1) for each in properties.split(","))
    assert _unescaped(names["file"]) == file
    assert names.get("line") == names.get("col") == (None if line is None else str(line))
    assert _unescaped(said) == message
