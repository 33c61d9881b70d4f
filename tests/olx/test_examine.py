"""What an examination of a whole course finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.course import write_course
from fakes.whole_course import write_whole_course
from gitreload.olx import Course, examine


def test_a_course_is_found_wherever_it_is(tmp_path: Path) -> None:
    write_course(tmp_path / "a/b", org="Brook")
    report = examine(tmp_path)
    assert not report.findings
    [course] = report.courses
    assert (course.root, course.key) == ("a/b", "Brook/Geo1/2026")
    assert course.identifiers == {
        "course/2026",
        *(f"{tag}/rivers" for tag in ("chapter", "sequential", "vertical", "html")),
        *(f"{tag}/deltas" for tag in ("chapter", "sequential", "vertical", "html")),
    }


def test_roots_may_be_named(tmp_path: Path) -> None:
    for run in ("2025", "2026"):
        write_course(tmp_path / run, run=run)
    report = examine(tmp_path, ["2026"], "course-v1:Brook+Geo1+2026")
    assert not report.findings
    assert [course.root for course in report.courses] == ["2026"]
    both = examine(tmp_path, ["2025", "2026"])
    assert not both.findings
    assert [course.key for course in both.courses] == ["Brook/Geo1/2025", "Brook/Geo1/2026"]
    assert isinstance(both.courses[0], Course)


def test_a_course_within_the_directory_of_another_is_examined_by_itself(tmp_path: Path) -> None:
    write_whole_course(tmp_path)
    write_whole_course(tmp_path / "lakes/inner")
    (tmp_path / "course.xml").write_text('<course url_name="2026" org="Brook" course="Geo1"/>')
    report = examine(tmp_path, [".", "lakes/inner"])
    assert not report.findings
    assert [course.root for course in report.courses] == [".", "lakes/inner"]


def test_what_is_git_s_own_is_not_looked_at(tmp_path: Path) -> None:
    write_course(tmp_path / "course")
    (tmp_path / "course/.git").symlink_to(tmp_path)
    (tmp_path / "course/.hidden").mkdir()
    (tmp_path / "course/.hidden/course.xml").write_text("<course")
    assert not examine(tmp_path / "course").findings


def test_two_courses_with_one_key_would_replace_each_other(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_course(tmp_path / folder)
    report = examine(tmp_path, ["a", "b"])
    assert [course.root for course in report.courses] == ["a"]
    [finding] = report.findings
    assert str(finding) == (
        "b/course.xml: names the same course as the one in a, Brook/Geo1/2026, and would replace "
        "it; give it a key of its own"
    )


@pytest.mark.parametrize(
    "text",
    [
        '<course url_name="2026" org="Brook" course="Geo1"/>',
        '<?xml version="1.0"?>\n<!-- comment -->\n<course org="Brook" course="Geo1" slug="2026"/>',
        '<!DOCTYPE course><course url_name="2026" org="Brook" course="Geo1"/>',
        '\ufeff<course\turl_name="2026"\norg="Brook" course="Geo1"></course>',
    ],
)
def test_the_key_comes_from_the_root_element(tmp_path: Path, text: str) -> None:
    write_course(tmp_path)
    (tmp_path / "course.xml").write_text(text)
    report = examine(tmp_path)
    assert not report.findings
    assert report.courses[0].key == "Brook/Geo1/2026"
    assert "html/deltas" in report.courses[0].identifiers


def test_the_platform_names_blocks_that_have_no_name(tmp_path: Path) -> None:
    """By what else there is; those without anything are not told apart."""
    (tmp_path / "course.xml").write_text(
        '<course org="a" course="b" url_name="c"><chapter slug="s"><vertical name="A unit">'
        '<html display_name="Say, what?">1</html><html>2</html></vertical></chapter></course>'
    )
    [course] = examine(tmp_path).courses
    assert course.identifiers == {"course/c", "chapter/s", "vertical/A_unit", "html/Say_what_"}


def test_a_link_within_the_checkout_is_followed(tmp_path: Path) -> None:
    write_course(tmp_path / "2026")
    (tmp_path / "course.xml").symlink_to("2026/course.xml")
    for name in ("chapter", "course", "html", "sequential", "vertical"):
        (tmp_path / name).symlink_to(f"2026/{name}")
    [course] = examine(tmp_path).courses
    assert (course.root, course.key) == (".", "Brook/Geo1/2026")
    assert "html/deltas" in course.identifiers
    assert not examine(tmp_path).findings


def test_a_mistake_is_told_with_its_place(tmp_path: Path) -> None:
    write_course(tmp_path)
    (tmp_path / "chapter/rivers.xml").write_text("<chapter>\n  <sequential>\n</chapter>\n")
    [finding] = examine(tmp_path).errors
    assert str(finding) == (
        "chapter/rivers.xml:3:3: not XML: this end tag does not fit; <sequential> of line 2 has to "
        "be closed first"
    )
