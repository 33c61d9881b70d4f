"""Examines one course, from its course.xml to the last of its files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from gitreload.olx.blocks import Blocks
from gitreload.olx.categories import POINTED_TO
from gitreload.olx.elements import Element, read
from gitreload.olx.findings import Broken, Findings
from gitreload.olx.keys import course_key
from gitreload.olx.policies import check_policies
from gitreload.olx.report import Course
from gitreload.olx.roots import Root
from gitreload.olx.texts import read_text
from gitreload.olx.tree import Tree, below

# Their files are read as they are; what cannot be read is left out without a word
# (_load_extra_content in xmodule/modulestore/xml.py).
_PAGES = ("about/", "info/", "tabs/")
_DRAFTS = "drafts"
# Where Studio's export keeps the metadata of files (AssetMetadata in xmodule/assetstore); one that
# cannot be read is dropped without a word.
_ASSETS = "assets/assets.xml"


class Examination:
    """Of the course at `root`; what is below the other `roots` of the tree is none of it."""

    def __init__(self, tree: Tree, root: Root, roots: Sequence[str], findings: Findings) -> None:
        self._tree = tree
        self._root = root
        self._findings = findings
        self._own = below(root.directory, "")
        others = (below(each, "") for each in roots if each != root.directory)
        foreign = tuple(other for other in others if other.startswith(self._own))
        self._files = [
            name
            for name in tree.files
            if name.startswith(self._own) and not (foreign and name.startswith(foreign))
        ]

    def course(self, expected: str | None) -> Course | None:
        """The course, whose key should be `expected`; None where its course.xml names none."""
        key = self._key(expected)
        blocks = Blocks(self._tree, self._root.directory, self._findings)
        if isinstance(self._root.course, Element):
            blocks.follow(self._root.file)
        self._check_other_xml(blocks.files | self._follow_drafts())
        check_policies(self._tree, [*self._below("policies/", ".json")], self._findings)
        self._check_pages()
        if key is None:
            return None
        return Course(self._root.directory, key, frozenset(blocks.identifiers))

    def _key(self, expected: str | None) -> str | None:
        course = self._root.course
        try:
            if isinstance(course, Broken):
                raise course
            key = course_key(course)
            if expected is not None and key != expected:
                raise course.broken(
                    f"names the course {key}, but COURSE_KEY is {expected}; correct whichever is "
                    "wrong"
                )
        except Broken as broken:
            self._findings.add(broken.finding(self._root.file))
            return None
        return key

    def _follow_drafts(self) -> set[str]:
        """Look at units that are not published; the names of the files that were read for it."""
        drafts = Blocks(self._tree, below(self._root.directory, _DRAFTS), self._findings)
        for name in self._below(f"{_DRAFTS}/vertical/", ".xml"):
            drafts.follow_definition(name)
        return drafts.files

    def _check_other_xml(self, known: Collection[str]) -> None:
        """Look at the XML that no block pointed to.

        What learners download (static/) is theirs. Where no blocks are, the platform reads nothing,
        so mistakes there are no reason to keep a course from being imported.
        """
        read_from = {self._top(name) for name in known} | POINTED_TO | {_DRAFTS, "assets"}
        for name in self._below("", ".xml"):
            top = self._top(name)
            if name in known or name == self._root.file or top == "static":
                continue
            try:
                with self._tree.open(name) as source:
                    root = read(source).root
                if name == self._own + _ASSETS and root.tag != "assets":
                    raise root.broken(f"the root element is <{root.tag}>, it must be <assets>")
            except Broken as broken:
                self._findings.add(broken.finding(name, "error" if top in read_from else "warning"))

    def _check_pages(self) -> None:
        for name in self._files:
            if name[len(self._own) :].startswith(_PAGES) and name.endswith(".html"):
                try:
                    with self._tree.open(name) as source:
                        read_text(source)
                except Broken as broken:
                    self._findings.add(broken.finding(name))

    def _below(self, prefix: str, suffix: str) -> Iterator[str]:
        start = self._own + prefix
        return (name for name in self._files if name.startswith(start) and name.endswith(suffix))

    def _top(self, name: str) -> str:
        """The first part of `name` below the course's root."""
        return name[len(self._own) :].partition("/")[0]
