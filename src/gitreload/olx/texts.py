"""Reads what has to be text in UTF-8, and JSON, of a bounded size."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from gitreload.olx.findings import Broken

_LONGEST = 64 * 1024 * 1024
# It takes some fifty times as much memory.
_LONGEST_JSON = 8 * 1024 * 1024
_BOM = "\ufeff"


def read_text(source: BinaryIO, longest: int = _LONGEST) -> str:
    """The text of a file. Raises `Broken` where it is longer than `longest` bytes, or not UTF-8."""
    data = source.read(longest + 1)
    if len(data) > longest:
        raise Broken(f"longer than {longest // 2**20} MiB; divide it")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Broken(
            f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8",
            *place_after(data[: error.start].decode()),
        ) from error


def read_json(source: BinaryIO) -> tuple[Any, str]:
    """What a file says in JSON, and its text. Raises `Broken` where it is none."""
    text = read_text(source, _LONGEST_JSON)
    if text.startswith(_BOM):
        raise Broken("starts with a byte order mark; save it as UTF-8 without one", 1, 1)
    try:
        return json.loads(text), text
    except json.JSONDecodeError as error:
        raise Broken(f"not JSON: {error.msg}", error.lineno, error.colno) from error
    except RecursionError as error:
        raise Broken("nested too deep to be read") from error
    except ValueError as error:
        raise Broken("has a number of thousands of digits") from error


def place_after(text: str) -> tuple[int, int]:
    """The line and column, from 1, that follow `text`."""
    return text.count("\n") + 1, len(text) - text.rfind("\n")
