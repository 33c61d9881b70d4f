from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitreload.templates import fault, fill

KNOWN = ("checkout", "url")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{checkout.__class__}", "{checkout.__class__} is no field"),
        ("{checkout[0]}", "is no field"),
        ("{checkout!r}", "{checkout!r} is no field"),
        ("{checkout:>100000000}", "is no field"),
        ("{0}", "is no field; there are checkout, url"),
        ("{}", "{} is no field"),
        ("{check", "a brace is alone"),
        ("}", "a brace is alone"),
    ],
)
def test_only_fields_are_reached(text: str, told: str) -> None:
    assert told in (fault(text, KNOWN) or "")


def test_what_there_is_not_needs_no_line() -> None:
    text = "{{{checkout}}}\n\nat {url}\nof {checkout}, {url}\nend"
    assert fault(text, KNOWN) is None
    assert fill(text, {"checkout": "c", "url": ""}) == "{c}\n\nof c, \nend"


@given(text=st.text("{}!:.[]checkout\n ", max_size=30))
def test_what_is_taken_can_be_filled(text: str) -> None:
    if fault(text, KNOWN) is None:
        fill(text, dict.fromkeys(KNOWN, "{x}"))
