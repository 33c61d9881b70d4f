"""Course keys, as opaque-keys has them.

https://github.com/openedx/opaque-keys (opaque_keys/edx/locator.py)
"""

from __future__ import annotations

import re

from gitreload.olx.elements import Element
from gitreload.visible import shown

_KEY_PART = re.compile(r"[\w.%-]+")
_NAME = re.compile(r"[\w.~%:-]+")
_UNCLEAN = re.compile(r"[^\w.%-]")


def normal_key(key: str) -> str:
    """`key` as "org/course/run"; it may also be written "course-v1:org+course+run"."""
    prefix = "course-v1:"
    return key[len(prefix) :].replace("+", "/") if key.startswith(prefix) else key


def course_id(key: str) -> str:
    """The key "org/course/run" as the platform writes it: "course-v1:org+course+run"."""
    return f"course-v1:{key.replace('/', '+')}"


def valid_name(name: str) -> bool:
    """Whether the platform takes `name` as a block's url_name."""
    return _NAME.fullmatch(name) is not None


def clean_name(text: str) -> str:
    """The url_name that the platform makes of a title."""
    return re.sub("_+", "_", _UNCLEAN.sub("_", text))


def key_parts(course: Element) -> dict[str, str]:
    """What the root element of a course.xml says of the course's key."""
    parts = {
        "org": course.attributes.get("org"),
        "course": course.attributes.get("course"),
        # Courses of the first years say slug; the platform still takes it.
        "url_name": course.attributes.get("url_name", course.attributes.get("slug")),
    }
    return {name: value for name, value in parts.items() if value}


def course_key(course: Element) -> str:
    """The course ("org/course/run") that the root element of a course.xml names.

    Raises `Broken` where it names none.
    """
    if course.tag != "course":
        raise course.broken(f"the root element is <{shown(course.tag)}>, it must be <course>")
    parts = key_parts(course)
    for name in ("org", "course", "url_name"):
        if name not in parts:
            raise course.broken(f'<course> has no {name}; it needs org="…" course="…" url_name="…"')
        if not _KEY_PART.fullmatch(parts[name]):
            raise course.broken(
                f"{name}={shown(parts[name])!r} cannot be part of a course key; "
                "it may hold letters, digits and . _ - %"
            )
    return "/".join(parts.values())
