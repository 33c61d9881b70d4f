"""Reads XML that anyone may have written: no entities, no network, a bounded size and depth.

What the platform refuses is refused here, told in words for authors: it reads with libxml2
(EDX_XML_PARSER in xmodule/xml_block.py), always as UTF-8, and takes 256 levels at most.
https://github.com/openedx/openedx-platform/blob/master/xmodule/xml_block.py
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import BinaryIO
from xml.parsers import expat

from gitreload.olx.findings import Broken
from gitreload.visible import shown

_CHUNK = 256 * 1024
_LONGEST = 64 * 1024 * 1024
# A tag with its attributes is held in memory as a whole; libxml2 takes no longer attribute.
_LONGEST_TAG = 10_000_000
_DEEPEST = 256
# Each that is kept takes some 500 bytes.
_MOST_KEPT = 200_000
_MOST = 1_000_000

_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
_SUBSETS_OF_UTF_8 = ("utf-8", "utf8", "us-ascii", "ascii")

_INVALID = {
    expat.errors.codes[name]
    for name in (expat.errors.XML_ERROR_INVALID_TOKEN, expat.errors.XML_ERROR_PARTIAL_CHAR)
}
# What is often written before the place where a file cannot be read on.
_SLIPS = {
    rb"&[\w.-]*\Z": "a bare & is written &amp;",
    rb"<\Z": "a bare < is written &lt;",
    rb"=\s*\Z": "the value of an attribute stands in quotes",
}
_LOOKED_BACK = 100
_MISMATCH = expat.errors.codes[expat.errors.XML_ERROR_TAG_MISMATCH]
_ENDED_EARLY = {
    expat.errors.codes[name]
    for name in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
}
_NO_ENTITY = (
    "XML knows no such entity; write the character itself, or its number, as &#160; for &nbsp;"
)
_ADVICE = {
    expat.errors.codes[name]: advice
    for name, advice in {
        expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT: "more follows the end of the root element; "
        "a file holds one element with all else inside",
        expat.errors.XML_ERROR_MISPLACED_XML_PI: "the XML declaration <?xml …?> does not stand at "
        "the very start; remove what is before it",
        expat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE: "an attribute is given twice in this tag; "
        "remove one",
        expat.errors.XML_ERROR_UNBOUND_PREFIX: "a name in this tag has a prefix that no xmlns "
        "declares; remove the prefix, or declare it",
        expat.errors.XML_ERROR_UNDEFINED_ENTITY: _NO_ENTITY,
        expat.errors.XML_ERROR_BAD_CHAR_REF: "a number that is no character; remove it",
    }.items()
}


@dataclass(slots=True)
class Element:
    """An element, and where it stands: line and column count from 1.

    `attributes` are without those in a namespace of their own. `filled` tells of text other than
    white space before its first child, or of children that were not kept.
    """

    tag: str
    attributes: dict[str, str]
    line: int
    column: int
    children: list[Element] = field(default_factory=list)
    filled: bool = False

    def broken(self, message: str) -> Broken:
        """What is wrong, at this place."""
        return Broken(message, self.line, self.column)


@dataclass(frozen=True, slots=True)
class Document:
    """What a file holds.

    `encoding` is what it says of itself where that is not UTF-8. `dtd` is the line where it names a
    DTD outside of itself; nothing reads that.
    """

    root: Element
    encoding: str | None
    dtd: int | None


def read(source: BinaryIO, leaves: Collection[str] | None = None) -> Document:
    """Read a document to its end; of what is inside elements named in `leaves`, nothing is kept.

    Without `leaves` only the root element is kept. Raises `Broken` for what is no XML, or too much
    of it, and OSError.
    """
    return _Reading(leaves).read(source)


class _Reading:
    def __init__(self, leaves: Collection[str] | None) -> None:
        self._leaves = leaves
        self._root: Element | None = None
        self._open: list[tuple[str, int]] = []
        self._kept: list[Element] = []
        self._kept_left, self._left = _MOST_KEPT, _MOST
        self._encoding: str | None = None
        self._dtd: int | None = None
        self._before = b""
        self._parser = parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
        # libxml2 adds nothing that only a DTD says either.
        parser.specified_attributes = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = self._entity
        parser.SkippedEntityHandler = self._skipped
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype

    def read(self, source: BinaryIO) -> Document:
        chunk, length = b"", 0
        try:
            while True:
                self._before, chunk = chunk, source.read(_CHUNK)
                if not length and chunk.startswith(_UTF_16):
                    raise Broken("not UTF-8 but UTF-16; save it as UTF-8", 1, 1)
                self._parser.Parse(chunk, not chunk)
                if not chunk:
                    break
                length += len(chunk)
                self._check_length(length)
        except expat.ExpatError as error:
            raise self._explained(error, chunk, length) from error
        assert self._root is not None
        return Document(self._root, self._encoding, self._dtd)

    def _check_length(self, length: int) -> None:
        if length > _LONGEST:
            raise Broken(f"longer than {_LONGEST // 2**20} MiB; divide it")
        if length - self._parser.CurrentByteIndex > _LONGEST_TAG:
            raise self._broken(f"a tag longer than {_LONGEST_TAG // 10**6} MB; shorten it")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._parser.CharacterDataHandler = None
        if len(self._open) == _DEEPEST:
            raise self._broken(
                f"nested deeper than {_DEEPEST} elements, which the platform refuses"
            )
        line = self._parser.CurrentLineNumber
        kept = self._keeps()
        self._count(kept)
        self._open.append((tag, line))
        if kept:
            self._keep(tag, attributes, line)

    def _count(self, kept: bool) -> None:
        self._left -= 1
        self._kept_left -= kept
        if self._left < 0 or self._kept_left < 0:
            raise self._broken("too many elements; divide the file")

    def _keeps(self) -> bool:
        """Whether the element that starts now is to be kept."""
        if self._root is None:
            return True
        if self._leaves is None or len(self._kept) < len(self._open):
            return False
        parent = self._kept[-1]
        if parent.tag in self._leaves:
            parent.filled = True
            return False
        return True

    def _keep(self, tag: str, attributes: dict[str, str], line: int) -> None:
        if " " in "".join(attributes):
            attributes = {name: value for name, value in attributes.items() if " " not in name}
        element = Element(tag, attributes, line, self._parser.CurrentColumnNumber + 1)
        if self._kept:
            self._kept[-1].children.append(element)
        else:
            self._root = element
        self._kept.append(element)
        self._parser.CharacterDataHandler = self._text

    def _end(self, _tag: str) -> None:
        self._parser.CharacterDataHandler = None
        if len(self._kept) == len(self._open):
            self._kept.pop()
        self._open.pop()

    def _text(self, text: str) -> None:
        if not text.isspace():
            self._kept[-1].filled = True
            self._parser.CharacterDataHandler = None

    def _entity(self, *_: object) -> None:
        raise self._broken("declares an entity; write the text itself where it is used")

    def _skipped(self, name: str, is_parameter: bool) -> None:
        if not is_parameter:
            raise self._broken(f"not XML: &{shown(name)};: {_NO_ENTITY}")

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _SUBSETS_OF_UTF_8:
            self._encoding = encoding

    def _doctype(self, _name: str, system: str | None, _public: str | None, _own: int) -> None:
        if system is not None:
            self._dtd = self._parser.CurrentLineNumber

    def _broken(self, message: str) -> Broken:
        return Broken(message, self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1)

    def _explained(self, error: expat.ExpatError, chunk: bytes, length: int) -> Broken:
        """`chunk` is what was read last, after `length` bytes of the file."""
        if error.code in _ENDED_EARLY:
            why = self._ended_early(length)
        elif error.code == _MISMATCH:
            tag, line = self._open[-1]
            why = f"this end tag does not fit; <{shown(tag)}> of line {line} has to be closed first"
        elif error.code in _INVALID:
            window = self._before + chunk
            why = _invalid(window, self._parser.ErrorByteIndex - length + len(self._before))
        else:
            why = _ADVICE.get(error.code, expat.ErrorString(error.code) or "unreadable")
        return Broken(f"not XML: {why}", error.lineno, error.offset + 1)

    def _ended_early(self, length: int) -> str:
        if not length:
            return "the file is empty; write the element, or remove the file"
        if not self._open:
            return "the file ends before its element does"
        tag, line = self._open[-1]
        return f"the file ends, but <{shown(tag)}> of line {line} is not closed"


def _invalid(window: bytes, place: int) -> str:
    """Why a file cannot be read on from `place` in `window`."""
    before, after = window[max(0, place - _LOOKED_BACK) : place], window[place : place + 4]
    character = after.decode("utf-8", "replace")[:1]
    if character == "\ufffd" and not after.startswith(b"\xef\xbf\xbd"):
        return f"byte 0x{after[0]:02x} is not UTF-8; save the file as UTF-8"
    if character and (character < " " or character in "\ufffe\uffff"):
        return f"the character U+{ord(character):04X} may not occur in XML; remove it"
    if before.endswith(b"<") and character == "/":
        return "an end tag too many; remove it"
    for pattern, advice in _SLIPS.items():
        if re.search(pattern, before, re.DOTALL):
            return advice
    return "this may not stand here"
