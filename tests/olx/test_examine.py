"""What an examination of a whole course finds."""

from __future__ import annotations

from pathlib import Path

from fakes.course import write_course
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


def test_a_mistake_is_told_with_its_place(tmp_path: Path) -> None:
    write_course(tmp_path)
    (tmp_path / "chapter/rivers.xml").write_text("<chapter>\n  <sequential>\n</chapter>\n")
    [finding] = examine(tmp_path).errors
    assert str(finding) == (
        "chapter/rivers.xml:3:3: not XML: this end tag does not fit; <sequential> of line 2 has to "
        "be closed first"
    )
