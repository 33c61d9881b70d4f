"""Keys and names, compared with the library that the platform has for them."""

from __future__ import annotations

import importlib

from hypothesis import given
from hypothesis import strategies as st

from gitreload.olx.elements import Element
from gitreload.olx.findings import Broken
from gitreload.olx.keys import clean_name, course_key, normal_key, valid_name

# It has no types.
CourseKey = importlib.import_module("opaque_keys.edx.keys").CourseKey
Locator = importlib.import_module("opaque_keys.edx.locator").BlockUsageLocator
InvalidKeyError = importlib.import_module("opaque_keys").InvalidKeyError

NAMES = st.text(st.sampled_from("aZ9é_.-~%: +@/#&'\n\0"), min_size=1, max_size=4)


@given(NAMES)
def test_names_of_blocks_are_valid_where_the_platform_takes_them(name: str) -> None:
    course = CourseKey.from_string("Brook/Geo1/2026")
    try:
        course.make_usage_key("html", name)
    except InvalidKeyError:
        assert not valid_name(name)
    else:
        assert valid_name(name)


@given(NAMES)
def test_titles_become_the_names_that_the_platform_makes_of_them(title: str) -> None:
    assert clean_name(title) == Locator.clean(title)


@given(NAMES, NAMES, NAMES)
def test_keys_are_valid_where_the_platform_takes_them(org: str, course: str, run: str) -> None:
    element = Element("course", {"org": org, "course": course, "url_name": run}, 1, 1)
    try:
        key = str(CourseKey.from_string(f"{org}/{course}/{run}"))
    except InvalidKeyError:
        key = ""
    try:
        ours = course_key(element)
    except Broken:
        ours = ""
    assert ours == key


def test_both_forms_of_a_key_are_one() -> None:
    assert normal_key("course-v1:Brook+Geo1+2026") == "Brook/Geo1/2026"
    assert normal_key("Brook/Geo1/2026") == "Brook/Geo1/2026"
