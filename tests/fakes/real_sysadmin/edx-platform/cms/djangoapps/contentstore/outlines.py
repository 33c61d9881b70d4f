"""The outline that learners see, which the plugin updates after an import."""

from __future__ import annotations

from edxapp import modulestore
from opaque_keys.edx.keys import CourseKey


def update_outline_from_modulestore(course_key: CourseKey) -> None:
    modulestore.note("outline", key=str(course_key))
