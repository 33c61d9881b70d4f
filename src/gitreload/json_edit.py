"""Changes of a JSON text that leave all else in it as it is: order, spaces, spelling of values.

Pure. A text is one that `json.loads` takes and that holds an object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
_INDENT = re.compile(r"\n([ \t]+)\S")


@dataclass(frozen=True, slots=True)
class _Member:
    """One of an object's members: where its key begins, and its value from start to end."""

    key: str
    begin: int
    start: int
    end: int


def put(text: str, path: Sequence[str], value: Any) -> str:
    """`text` with `value` at `path`, keys from the outermost object inwards.

    Objects on the way are made where they are missing. Raises `TypeError` where something on the
    way is no object.
    """
    begin = _after(text, 0)
    for depth, key in enumerate(path):
        if text[begin] != "{":
            raise TypeError(f"{'.'.join(path[:depth])} is no object")
        found = _find(text, begin, key)
        if found is None:
            for name in reversed(path[depth + 1 :]):
                value = {name: value}
            return _insert(text, begin, key, value, depth)
        begin, end = found.start, found.end
    return text[:begin] + _written(text, value, len(path)) + text[end:]


def drop(text: str, path: Sequence[str]) -> str:
    """`text` without what is at `path`; unchanged where there is nothing."""
    begin = _after(text, 0)
    for key in path[:-1]:
        found = _find(text, begin, key)
        if found is None:
            return text
        begin = found.start
    members = list(_members(text, begin))
    for number, member in enumerate(members):
        if member.key == path[-1]:
            if number + 1 < len(members):
                return text[: member.begin] + text[members[number + 1].begin :]
            # The last one takes the comma before it along.
            before = members[number - 1].end if number else begin + 1
            after = member.end if number else _after(text, member.end)
            return text[:before] + text[after:]
    return text


def _insert(text: str, begin: int, key: str, value: Any, depth: int) -> str:
    """Add a last member to the object that begins at `begin`."""
    member = f"{json.dumps(key, ensure_ascii=False)}: {_written(text, value, depth + 1)}"
    step = _step(text)
    members = list(_members(text, begin))
    if members:
        end = members[-1].end
        return f"{text[:end]},\n{step * (depth + 1)}{member}{text[end:]}"
    end = _after(text, begin + 1)
    return f"{text[: begin + 1]}\n{step * (depth + 1)}{member}\n{step * depth}{text[end:]}"


def _written(text: str, value: Any, depth: int) -> str:
    step = _step(text)
    written = json.dumps(value, indent=step, ensure_ascii=False)
    return written.replace("\n", f"\n{step * depth}")


def _step(text: str) -> str:
    """By what the text indents."""
    found = _INDENT.search(text)
    return found[1] if found else "    "


def _find(text: str, begin: int, key: str) -> _Member | None:
    return next((member for member in _members(text, begin) if member.key == key), None)


def _members(text: str, begin: int) -> Iterator[_Member]:
    """Those of the object that begins at `begin`."""
    decoder = json.JSONDecoder()
    place = _after(text, begin + 1)
    while text[place] != "}":
        key, after = decoder.raw_decode(text, place)
        start = _after(text, _after(text, after) + 1)
        _, end = decoder.raw_decode(text, start)
        yield _Member(key, place, start, end)
        place = _after(text, end)
        if text[place] == ",":
            place = _after(text, place + 1)


def _after(text: str, place: int) -> int:
    """Where the space at `place` ends."""
    found = _SPACE.match(text, place)
    assert found is not None, "it matches nothing too"
    return found.end()
