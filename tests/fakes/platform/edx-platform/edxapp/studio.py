"""Studio's own commands: import, update_course_outline, reindex_course."""

from __future__ import annotations

import logging
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edxapp import behaviour, modulestore, xml_importer
from edxapp.management import CommandError


class InvalidKeyError(Exception):
    """A text that is no key of a course."""

    __module__ = "opaque_keys"


def import_courses(
    folder: str, names: Sequence[str], *, static: bool, python_lib: str | None
) -> None:
    for name in names:
        path = Path(folder) / name
        with modulestore.run(str(path)) as notes:
            revision = _revision(path)
            xml_importer.import_command(
                folder, name, revision, static=static, python_lib=python_lib
            )
            notes["revision"] = revision


def _revision(path: Path) -> str | None:
    """What is checked out there; the platform itself does not look."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=path, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


def update_outline(course_id: str) -> None:
    key = _key(course_id)
    if key is None:
        raise InvalidKeyError(f"<class 'opaque_keys.edx.keys.CourseKey'>: {course_id}")
    _maybe_fail()
    modulestore.note("outline", key=key)


def reindex(course_ids: Sequence[str]) -> None:
    """Goes on after a course that fails, and ends with 0."""
    if not course_ids:
        raise CommandError("reindex_course requires one or more <course_id>s OR the --all flag.")
    failed = []
    for course_id in course_ids:
        key = _key(course_id)
        if key is None:
            raise CommandError(f"Invalid course_key: '{course_id}'.")
        try:
            _maybe_fail()
            modulestore.note("index", key=key)
        except Exception as error:
            failed.append(course_id)
            text = f"Error indexing course {course_id} due to the error: {error}."
            logging.exception(text)
    if failed:
        logging.warning("Reindex failed for %s courses:", len(failed))


def _key(course_id: str) -> str | None:
    found = re.fullmatch(r"course-v1:([^+]+)\+([^+]+)\+([^+]+)", course_id)
    return "/".join(found.groups()) if found else None


def _maybe_fail() -> None:
    if text := behaviour.now().follow_up_error:
        raise ConnectionError(text) if "refused" in text else ValueError(text)
