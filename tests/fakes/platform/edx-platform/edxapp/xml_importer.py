"""Writes what was read into the modulestore, as xmodule/modulestore/xml_importer.py does."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

from edxapp import behaviour, modulestore, xml

log = logging.getLogger("xmodule.modulestore.xml_importer")


class DuplicateCourseError(Exception):
    """The key collides with that of another course."""


class BlockFailedToImport(Exception):  # noqa: N818 (the platform's name)
    """A block was read, but cannot be written."""

    __module__ = "xmodule.modulestore.xml_importer"


def import_command(
    repos: str,
    name: str,
    revision: str | None,
    *,
    static: bool = True,
    python_lib: str | None = "python_lib.zip",
) -> None:
    """`manage.py cms import REPOS NAME`."""
    sys.stdout.write(f"Importing.  Data_dir={repos}, source_dirs={name}\n")
    course = xml.try_load_course(repos, name)
    behaviour.during_import(Path(repos) / name)
    imports = behaviour.now().imports
    if course is None or imports == "nothing":
        return
    if imports != "it":
        course.key = imports
    try:
        _check_key(course.key)
    except DuplicateCourseError:
        return
    if not static:
        course.files = {
            file: digest
            for file, digest in course.files.items()
            if not file.startswith("static/") or file == f"static/{python_lib}"
        }
    with modulestore.alone(course.key):
        _import(course, Path(repos) / name, revision)


def _check_key(key: str) -> None:
    if modulestore.find(key) not in (None, key):
        shown = f"course-v1:{key.replace('/', '+')}"
        log.debug(
            "Skipping import of course with id, %s, since it collides with an existing one", shown
        )
        raise DuplicateCourseError


def _import(course: xml.Course, path: Path, revision: str | None) -> None:
    log.debug("======> IMPORTING courselike %s", course.key)
    log.debug("course data_dir=%s", path.name)
    stored: dict[str, Any] = {
        "key": course.key,
        "revision": revision,
        "tree": {**course.tree, "children": []},
        "policy": course.policy,
        "files": {},
        "assets": None,
        "complete": False,
        "imported_at": time.time(),
    }
    try:
        stored["files"] = _import_files(course, path)
        stored["assets"] = _import_asset_metadata(path)
        for child in course.tree["children"]:
            _import_block(child)
            stored["tree"]["children"].append(child)
        stored["complete"] = True
    finally:
        # The platform commits at the end of bulk operations, also when an exception passes.
        modulestore.save(stored)


def _import_files(course: xml.Course, path: Path) -> dict[str, str]:
    """All files of the course; those in `static` are saved one by one, and one may be lost."""
    log.info("Course import None: Importing static content and python library")
    files = dict(course.files)
    for name in course.files:
        if not name.startswith("static/"):
            continue
        log.debug("importing static content %s...", path / name)
        subpath = name.removeprefix("static/")
        try:
            _save_content(subpath)
        except OSError as error:
            del files[name]
            text = f"Course import None: Error importing {subpath}, error={error}"
            log.exception(text)
    return files


def _save_content(name: str) -> None:
    if name in behaviour.now().unsavable:
        raise OSError(27, "File too large")


def _import_asset_metadata(path: Path) -> int | None:
    """How many assets have metadata; None, without a word, where it cannot be read."""
    try:
        root = xml.parse(path / "assets/assets.xml")
    except (OSError, SyntaxError):
        return None
    return len(root) if root.tag == "assets" else None


def _import_block(block: dict[str, Any]) -> None:
    log.debug("importing block location %s", block["url_name"])
    try:
        _make_block(block)
    except ValueError:
        text = f"Course import None: failed to import block location {block['url_name']}"
        log.exception(text)
        raise BlockFailedToImport(  # noqa: B904 (so does the platform)
            f"Failed to import block: {block['display_name']} at location: {block['url_name']}"
        )
    for child in block["children"]:
        _import_block(child)


def _make_block(block: dict[str, Any]) -> None:
    if block["url_name"] == behaviour.now().broken_block:
        raise ValueError(f"the {block['category']} has a field that cannot be read")
