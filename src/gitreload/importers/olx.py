"""Reads the few facts of a course's OLX that decide an import, as data that anyone may have pushed.

Entities are refused, nothing is fetched, no link out of the checkout is followed, and no more is
read than needed. Places in messages are `file:line:column`, counted from 1.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from gitreload.model import PermanentError

COURSE = "course.xml"
ASSETS = "assets/assets.xml"
"""Where Studio's export keeps the metadata of files (AssetMetadata in xmodule/assetstore)."""

_CHUNK = 64 * 1024
_LONGEST_PROLOG = 1024 * 1024
_LARGEST_ASSETS = 64 * 1024 * 1024

# What opaque-keys takes in a part of "org/course/run" (CourseLocator.INVALID_CHARS_DEPRECATED).
_KEY_PART = re.compile(r"[\w.%-]+")


def normal_key(key: str) -> str:
    """`key` as "org/course/run"; it may also be written "course-v1:org+course+run"."""
    prefix = "course-v1:"
    return key[len(prefix) :].replace("+", "/") if key.startswith(prefix) else key


def course_key(directory: Path) -> str:
    """The course ("org/course/run") that the root element of `directory`/course.xml names.

    Raises `PermanentError` where it is missing, leads out of `directory`, is no XML up to its
    root element, or does not name a course.
    """
    with _open_inside(directory, COURSE) as source:
        tag, attributes, place = _root(source, COURSE)
    if tag != "course":
        raise PermanentError(f"{place}: the root element is <{tag[:80]}>, it must be <course>")
    parts = {
        "org": attributes.get("org"),
        "course": attributes.get("course"),
        # Courses of the first years say slug; the platform still takes it.
        "url_name": attributes.get("url_name", attributes.get("slug")),
    }
    for name, value in parts.items():
        if not value:
            raise PermanentError(
                f'{place}: <course> has no {name}; it needs org="…" course="…" url_name="…"'
            )
        if not _KEY_PART.fullmatch(value):
            raise PermanentError(
                f"{place}: {name}={value[:80]!r} cannot be part of a course key; "
                "it may hold letters, digits and . _ - %"
            )
    return "/".join(value for value in parts.values() if value)


def check_assets(directory: Path) -> None:
    """Raise `PermanentError` if assets/assets.xml exists and the platform could not read it.

    The platform would drop all of it without a word (import_asset_metadata in xml_importer.py).
    """
    if not os.path.lexists(directory / ASSETS):
        return
    with _open_inside(directory, ASSETS) as source:
        tag, _, place = _root(source, ASSETS, to_the_end=_LARGEST_ASSETS)
    if tag != "assets":
        raise PermanentError(f"{place}: the root element is <{tag[:80]}>, it must be <assets>")


def _open_inside(directory: Path, name: str) -> BinaryIO:
    """The file `name`, which may be a link, but not one that leaves `directory`."""
    try:
        root = os.path.realpath(directory, strict=True)
        path = os.path.realpath(directory / name, strict=True)
        if not Path(path).is_relative_to(root):
            raise PermanentError(
                f"{name} is a link that leads out of the checkout; put the file itself there"
            )
        # The file may have been swapped since; nor may opening a pipe wait for its writer.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise PermanentError(f"there is no {name} in {directory}") from error
    except OSError as error:
        raise PermanentError(f"{name} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise PermanentError(f"{name} is not a file")
    return os.fdopen(fd, "rb")


class _RootSeen(Exception):  # noqa: N818 (no error: how a handler stops expat)
    pass


def _root(source: BinaryIO, name: str, *, to_the_end: int = 0) -> tuple[str, dict[str, str], str]:
    """The root element's tag, attributes and place.

    Reads on only with `to_the_end`, the largest size in bytes that is then allowed.
    """
    parser = expat.ParserCreate()
    found: list[tuple[str, dict[str, str], str]] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if not found:
            found.append((tag, attributes, _place(parser, name)))
        if not to_the_end:
            raise _RootSeen

    def entity(*_: object) -> None:
        raise PermanentError(f"{_place(parser, name)}: declares an entity; write the text itself")

    parser.StartElementHandler = start
    parser.EntityDeclHandler = entity
    try:
        _feed(parser, source, name, to_the_end or _LONGEST_PROLOG)
    except _RootSeen:
        pass
    except expat.ExpatError as error:
        place = f"{name}:{error.lineno}:{error.offset + 1}"
        raise PermanentError(f"{place}: not XML: {expat.ErrorString(error.code)}") from error
    except (LookupError, ValueError) as error:  # the encoding that it claims
        raise PermanentError(f"{_place(parser, name)}: {error}; write it in UTF-8") from error
    return found[0]


def _feed(parser: expat.XMLParserType, source: BinaryIO, name: str, limit: int) -> None:
    read = 0
    while chunk := source.read(_CHUNK):
        parser.Parse(chunk, False)
        read += len(chunk)
        if read > limit:
            raise PermanentError(f"{name} is longer than {limit // 2**20} MiB without an end")
    parser.Parse(b"", True)


def _place(parser: expat.XMLParserType, name: str) -> str:
    return f"{name}:{parser.CurrentLineNumber}:{parser.CurrentColumnNumber + 1}"
