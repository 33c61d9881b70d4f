"""Finds where the courses are in a repository.

A course.xml proves nothing: Moodle's backups have a course/course.xml too. One counts only with
org, course and url_name.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gitreload.olx.elements import Element, read
from gitreload.olx.findings import Broken, Findings
from gitreload.olx.keys import key_parts
from gitreload.olx.report import Finding
from gitreload.olx.tree import Missing, Tree, below

COURSE = "course.xml"

_CURE = 'the one of a course starts with <course org="…" course="…" url_name="…"'


@dataclass(frozen=True, slots=True)
class Root:
    """A directory with a course.xml: that file's root element, or why it cannot be read."""

    directory: str
    course: Element | Broken

    @property
    def file(self) -> str:
        return below(self.directory, COURSE)


def named_roots(tree: Tree, names: Sequence[str], findings: Findings) -> list[Root]:
    """The roots that the configuration names; a finding for each that is none."""
    found = []
    known = frozenset(tree.directories)
    for name in dict.fromkeys(posixpath.normpath(name or ".") for name in names):
        if name not in known:
            findings.add(Finding(name, "there is no such directory; correct SUBDIR"))
            continue
        root = _read(tree, name)
        if isinstance(root.course, Missing):
            findings.add(Finding(root.file, f"does not exist; {_CURE}"))
        else:
            found.append(root)
    return found


def find_roots(tree: Tree, findings: Findings) -> list[Root]:
    """The roots that are there; a finding where there is not exactly one.

    Where no course.xml has a whole key, those that seem to be meant as one.
    """
    candidates = [*_candidates(tree)]
    whole = [root for root in candidates if len(_parts(root)) == 3]
    if len(whole) > 1:
        names = ", ".join(root.directory for root in whole[:10])
        findings.add(
            Finding(
                whole[1].file,
                f"a second course, besides {whole[0].file}; SUBDIR has to name what is meant, "
                f"one or several of: {names}",
            )
        )
    if not candidates:
        findings.add(Finding(COURSE, f"does not exist, here or further down; {_CURE}"))
    return whole or candidates


def _candidates(tree: Tree) -> Iterator[Root]:
    seen = set()
    # One at the top that is no file is told of as such.
    for name in (COURSE, *tree.files) if tree.has(COURSE) else tree.files:
        if posixpath.basename(name) != COURSE or (real := tree.real(name)) in seen:
            continue
        seen.add(real)
        root = _read(tree, posixpath.dirname(name) or ".")
        if isinstance(root.course, Broken) or root.directory == "." or _parts(root):
            yield root


def _parts(root: Root) -> dict[str, str]:
    return {} if isinstance(root.course, Broken) else key_parts(root.course)


def _read(tree: Tree, directory: str) -> Root:
    try:
        with tree.open(below(directory, COURSE)) as source:
            return Root(directory, read(source).root)
    except Broken as broken:
        return Root(directory, broken)
