"""Examines courses in OLX, as data that anyone may have pushed.

Nothing of the platform is needed for it, and nothing is changed. Entities are refused, nothing is
fetched, no link is followed out of what is examined, and all that is read has an end.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gitreload.olx.course import Examination
from gitreload.olx.findings import Findings
from gitreload.olx.keys import normal_key
from gitreload.olx.report import Course, Finding, Level, Report
from gitreload.olx.roots import find_roots, named_roots
from gitreload.olx.tree import Tree

__all__ = ["Course", "Finding", "Level", "Report", "examine", "normal_key"]


def examine(folder: Path, roots: Sequence[str] = (), course_key: str | None = None) -> Report:
    """What is wrong with the course in `folder`, or with those in its directories `roots`.

    Without `roots` there has to be exactly one course, wherever it is. `course_key`, in either
    form, is the one that each course has to have. Whatever lies there becomes a finding; only a
    disk that fails raises OSError.
    """
    findings = Findings()
    tree = Tree(folder, findings)
    found = named_roots(tree, roots, findings) if roots else find_roots(tree, findings)
    others = [root.directory for root in found]
    courses: dict[str, Course] = {}
    for root in found:
        examination = Examination(tree, root, others, findings)
        course = examination.course(course_key and normal_key(course_key))
        if course is not None and courses.setdefault(course.key, course) is not course:
            first = courses[course.key].root
            findings.add(
                Finding(
                    root.file,
                    f"names the same course as the one in {first}, {course.key}, and would replace "
                    "it; give it a key of its own",
                )
            )
    return Report(tuple(courses.values()), findings.all())
