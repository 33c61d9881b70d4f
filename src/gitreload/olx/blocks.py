"""Follows the blocks of a course from its course.xml on, through the files that it points to.

The rules are the platform's (xmodule/xml_block.py and xmodule/modulestore/xml.py): a tag with a
url_name and nothing else points to CATEGORY/URL_NAME.xml, where a colon stands for a slash; html
says by `filename` where its text is; a tag with anything else is the block itself.
https://github.com/openedx/openedx-platform/blob/master/xmodule/xml_block.py
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from gitreload.olx.categories import (
    CONTAINERS,
    LEAVES,
    NEEDS_OWN_NAME,
    NO_BLOCKS,
    POINTED_TO,
)
from gitreload.olx.elements import Document, Element, read
from gitreload.olx.findings import Broken, Findings
from gitreload.olx.keys import clean_name, valid_name
from gitreload.olx.report import Finding, Level
from gitreload.olx.texts import read_text
from gitreload.olx.tree import Missing, Tree, below
from gitreload.visible import shown

# The platform reads a block within reading its parent, and runs out of stack some way beyond.
DEEPEST = 100
MOST = 200_000


@dataclass(frozen=True, slots=True)
class _Place:
    """A block to be looked at: its element, the file that has it, and how many led there."""

    element: Element
    file: str
    depth: int


class Blocks:
    """The blocks below one directory of files: a course, or its drafts.

    `identifiers` has each as "category/url_name", `files` the names of the files that were read.
    """

    def __init__(self, tree: Tree, directory: str, findings: Findings) -> None:
        self.identifiers: set[str] = set()
        self.files: set[str] = set()
        self._tree = tree
        self._directory = directory
        self._findings = findings

    def follow(self, file: str) -> None:
        """Take the block in `file`, a course.xml, and all that it leads to."""
        if (document := self._read(file, "error")) is not None:
            self._follow([_Place(document.root, file, 0)])

    def follow_definition(self, file: str) -> None:
        """Take all that the block leads to whose definition is in `file`."""
        if (document := self._read(file)) is not None:
            place = _Place(document.root, file, 0)
            self._follow([*self._content(place, None, document.root.tag)])

    def _follow(self, waiting: list[_Place]) -> None:
        waiting.reverse()
        while waiting:
            place = waiting.pop()
            waiting.extend(reversed([*self._look(place)]))
            if len(self.identifiers) > MOST:
                self._tell(place, f"more than {MOST} blocks; the rest is not examined")
                return

    def _read(self, file: str, encoding_level: Level = "warning") -> Document | None:
        """The document in `file`; None, and a finding, where it cannot be read.

        The platform reads all but course.xml as UTF-8, whatever they say.
        """
        self.files.add(file)
        try:
            with self._tree.open(file) as source:
                document = read(source, LEAVES)
        except Broken as broken:
            self._findings.add(broken.finding(file))
            return None
        if document.encoding is not None:
            message = f"encoding={shown(document.encoding)!r} is not what it is read as; say UTF-8"
            self._findings.add(Finding(file, message, 1, 1, encoding_level))
        if document.dtd is not None:
            message = "names a DTD, which nothing reads; remove it"
            self._findings.add(Finding(file, message, document.dtd, level="warning"))
        return document

    def _look(self, place: _Place) -> Iterator[_Place]:
        element = place.element
        name = _name(element)
        if name is not None and not self._take(place, name):
            return
        if not _is_pointer(element):
            self._check_overlooked(place)
            yield from self._content(place, name, element.tag)
        elif name is None:
            self._tell(
                place,
                f"<{shown(element.tag)}> has neither content nor a url_name; give it a url_name, "
                "or remove it",
            )
        else:
            yield from self._pointed_to(place, name)

    def _take(self, place: _Place, name: str) -> bool:
        """Note the block; whether it is to be looked at, as it was not before."""
        element = place.element
        identifier = f"{element.tag}/{name}"
        if not valid_name(name):
            self._tell(
                place,
                f"url_name {shown(name)!r} is refused by the platform; it may hold letters, digits "
                "and . _ - ~ % :",
            )
            return False
        if identifier not in self.identifiers:
            self.identifiers.add(identifier)
            return True
        pointer = _is_pointer(element)
        if element.tag in NEEDS_OWN_NAME and pointer:
            self._tell(
                place,
                f"{shown(identifier)} is used a second time, which the platform refuses; give the "
                "copy a url_name and a file of its own",
            )
        elif not pointer:
            self._tell(
                place,
                f"{shown(identifier)} is the name of another block already; give it a url_name of "
                "its own, or learners' state may be lost",
                "warning",
            )
        return not pointer

    def _pointed_to(self, place: _Place, name: str) -> Iterator[_Place]:
        tag = place.element.tag
        target = f"{tag}/{name.replace(':', '/')}.xml"
        file = self._within(place, target)
        if file is None:
            return
        if place.depth == DEEPEST:
            self._tell(place, f"more than {DEEPEST} blocks within each other; that leads nowhere")
            return
        if not self._tree.has(file):
            self._check_missing(place, name, file)
            return
        document = self._read(file)
        if document is None:
            return
        root = document.root
        inner = _Place(root, file, place.depth + 1)
        if root.tag != tag:
            self._tell(
                inner,
                f"the root element is <{shown(root.tag)}>, but {place.file}:{place.element.line} "
                f"points here with <{shown(tag)}>",
                "warning",
            )
        if tag in CONTAINERS and _is_pointer(root) and _name(root) == name:
            self._tell(inner, f"<{shown(tag)}> points to itself, so it is empty; write it here")
        yield from self._content(inner, name, tag)

    def _check_missing(self, place: _Place, name: str, file: str) -> None:
        tag = place.element.tag
        # Blocks that are installed besides may have nothing to say; but where there are files of
        # that kind, one is meant.
        if tag not in POINTED_TO and not self._tree.has(below(self._directory, tag)):
            return
        self._tell(
            place,
            f'<{shown(tag)} url_name="{shown(name)}"/> points to {shown(file)}, which does not '
            "exist; add it, or correct the url_name",
        )

    def _content(self, place: _Place, name: str | None, category: str) -> Iterator[_Place]:
        """The blocks in the definition at `place` of a block."""
        filename = place.element.attributes.get("filename")
        if filename is not None and category == "html":
            self._check_html(place, filename, name)
        for child in place.element.children:
            if child.tag in NO_BLOCKS:
                continue
            if category in CONTAINERS or "url_name" in child.attributes:
                if " " in child.tag:
                    self._tell_namespace(child, place.file)
                else:
                    yield _Place(child, place.file, place.depth)

    def _tell_namespace(self, element: Element, file: str) -> None:
        """Warn of a block in a namespace: those that the platform knows are in none."""
        namespace, _, tag = element.tag.rpartition(" ")
        message = (
            f'<{shown(tag)}> is in the namespace "{shown(namespace)}", where the platform knows no '
            "blocks; remove the xmlns or the prefix"
        )
        self._findings.add(Finding(file, message, element.line, element.column, "warning"))

    def _check_html(self, place: _Place, filename: str, name: str | None) -> None:
        """That there is the text of an html block.

        It is looked for beside the block's own file, and in some older places besides
        (backcompat_paths in xmodule/html_block.py).
        """
        folder = posixpath.dirname(f"html/{(name or '').replace(':', '/')}")
        target = f"{folder}/{filename}.html"
        file = self._within(place, target)
        if file is None:
            return
        for candidate in _older_places(target):
            try:
                with self._tree.open(below(self._directory, candidate)) as source:
                    read_text(source)
            except Missing:
                continue
            except Broken as broken:
                self._findings.add(broken.finding(below(self._directory, candidate)))
            return
        self._tell(
            place,
            f'filename="{shown(filename)}" means {shown(file)}, which does not exist; add it, or '
            "correct the filename",
        )

    def _check_overlooked(self, place: _Place) -> None:
        """Warn of what looks like a pointer and is none."""
        element = place.element
        if element.children or element.filled or "filename" in element.attributes:
            return
        url_name = element.attributes.get("url_name")
        if url_name is None or element.tag not in POINTED_TO:
            return
        file = below(self._directory, f"{element.tag}/{url_name.replace(':', '/')}.xml")
        others = ", ".join(sorted(element.attributes.keys() - {"url_name", "org", "course"}))
        if not others or not self._tree.has(file):
            return
        # A course.xml that is none holds the whole course, which would then be empty.
        self._tell(
            place,
            f"{shown(file)} is not read, since this tag has {shown(others)} besides; move that "
            "into the file",
            "error" if element.tag in CONTAINERS else "warning",
        )

    def _within(self, place: _Place, target: str) -> str | None:
        """The file `target` of the course, relative to what is examined."""
        normal = posixpath.normpath(target)
        if normal.startswith(("../", "/")) or "\0" in normal:
            self._tell(place, f"{shown(target)} is not in the course; correct the name")
            return None
        return below(self._directory, normal)

    def _tell(self, place: _Place, message: str, level: Level = "error") -> None:
        element = place.element
        self._findings.add(Finding(place.file, message, element.line, element.column, level))


def _name(element: Element) -> str | None:
    """How the platform calls a block (make_name_unique); None where it makes a name up."""
    attributes = element.attributes
    for key in ("url_name", "slug"):
        if key in attributes:
            return attributes[key] or None
    for key in ("name", "display_name"):
        if key in attributes:
            return clean_name(attributes[key]) or None
    return None


def _is_pointer(element: Element) -> bool:
    if element.children or element.filled:
        return False
    names = {"url_name" if name == "slug" else name for name in element.attributes}
    names.discard("xblock-family")
    if element.tag == "course":
        return names == {"url_name", "org", "course"}
    return names == {"url_name"} or (not names and element.tag in POINTED_TO)


def _older_places(file: str) -> Iterator[str]:
    """`file`, and where else the platform looks for it."""
    if file.endswith(".html.html"):
        file = file.removesuffix(".html")
    while "/" in file:
        yield file
        file = file.partition("/")[2]
