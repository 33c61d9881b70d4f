"""Texts with fields, such as "{checkout}: {summary}". They name what there is, and reach no more.

It is Python's syntax of format strings (https://docs.python.org/3/library/string.html#formatstrings)
without attributes, indices, conversions and format specifications.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from string import Formatter


def fault(text: str, known: Collection[str]) -> str | None:
    """What is wrong with a template that may have the fields `known`; None where nothing is."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        return "a brace is alone: a field is {like_this}, and a brace itself is written twice"
    for _, name, form, conversion in parts:
        if name is not None and (name not in known or form or conversion):
            asked = name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            return f"{{{asked[:40]}}} is no field; there are {', '.join(sorted(known))}"
    return None


def fill(text: str, values: Mapping[str, str]) -> str:
    """The template with its fields filled in, line by line.

    A line whose fields are all empty is left out: what there is not needs no label.
    """
    lines = [_filled(line, values) for line in text.split("\n")]
    return "\n".join(line for line in lines if line is not None)


def _filled(line: str, values: Mapping[str, str]) -> str | None:
    parts = list(Formatter().parse(line))
    told = [values[name] for _, name, _, _ in parts if name is not None]
    if told and not any(told):
        return None
    return "".join(
        literal + (values[name] if name is not None else "") for literal, name, _, _ in parts
    )
