"""Reads a course's OLX, as xmodule/modulestore/xml.py does: every pointer, every file."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from edxapp import behaviour

log = logging.getLogger("xmodule.modulestore.xml")


class XMLSyntaxError(SyntaxError):
    """As lxml raises it."""

    __module__ = "lxml.etree"


@dataclass
class Course:
    """What was read: `tree` nests blocks by their children, `files` maps paths to SHA-256."""

    key: str
    tree: dict[str, Any]
    policy: dict[str, Any]
    files: dict[str, str] = field(default_factory=dict)


def try_load_course(repos: str, name: str) -> Course | None:
    """None where it does not load and the era is "old"; the new one raises."""
    try:
        return _load_course(Path(repos) / name, name)
    except Exception as error:
        old = behaviour.now().era == "old"
        text = (
            f"ERROR: Failed to load courselike '{name}': {error}"
            if old
            else f'Course import None: ERROR: Failed to load courselike "{name}": {error}'
        )
        log.exception(text)
        if old:
            return None
        raise


def read(file: Path) -> bytes:
    wanted = behaviour.now()
    if any(file.match(name) for name in wanted.missing):
        raise FileNotFoundError(2, "No such file or directory", str(file))
    return b"<" if any(file.match(name) for name in wanted.unparsable) else file.read_bytes()


def parse(file: Path) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(read(file))
    except ElementTree.ParseError as error:
        line, column = error.position
        raise XMLSyntaxError(str(error), (str(file), line, column, None)) from None


def _load_course(path: Path, name: str) -> Course:
    log.info("Course import None: Starting courselike import from %s", name)
    root = parse(path / "course.xml")
    run = root.get("url_name")
    if not run:
        raise ValueError("Can't load a course without a 'url_name' (or 'name') set.  Set url_name.")
    key = f"{root.get('org', 'edx')}/{root.get('course', name)}/{run}"
    policy = _load_policy(path / "policies" / run / "policy.json")
    course = Course(key, _load_block(path, root), policy, manifest(path))
    log.info("Course import None: Done with courselike import from %s", name)
    return course


def _load_policy(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        return dict(json.loads(read(file)))
    except (OSError, ValueError) as error:
        log.warning("ERROR: loading courselike policy from %s %s", file, error)
        return {}


def _load_block(path: Path, node: ElementTree.Element) -> dict[str, Any]:
    if set(node.keys()) <= {"url_name", "org", "course"} and len(node) == 0 and not node.text:
        file = path / node.tag / f"{node.get('url_name')}.xml"
        pointed = _contents(node, file, parse)
    else:
        pointed = node
    wanted = behaviour.now()
    if wanted.era == "old" and node.get("url_name") == wanted.broken_block:
        raise ValueError(f"no block of the type {node.tag} can be made of this")
    block = {
        "category": node.tag,
        "url_name": node.get("url_name", pointed.get("url_name")),
        "display_name": pointed.get("display_name"),
        "children": [_load_block(path, child) for child in pointed if child.get("url_name")],
    }
    if filename := pointed.get("filename"):
        file = path / node.tag / f"{filename}.html"
        block["data"] = _contents(node, file, lambda file: read(file).decode())
    return block


def _contents(node: ElementTree.Element, file: Path, read: Any) -> Any:
    try:
        return read(file)
    except OSError as error:
        raise Exception(  # noqa: TRY002 (xml_block.py raises just that)
            f"Unable to load file contents at path {file} for item {node.get('url_name')}: {error}"
        ) from error


def manifest(path: Path) -> dict[str, str]:
    """Every file below `path` but git's own, with the SHA-256 of what is read there."""
    return {
        str(file.relative_to(path)): sha256(file.read_bytes()).hexdigest()
        for file in sorted(path.rglob("*"))
        if file.is_file() and ".git" not in file.relative_to(path).parts
    }
