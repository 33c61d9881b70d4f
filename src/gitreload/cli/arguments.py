"""Values on the command line, refused in our own words where they do not fit."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, TypeVar

import typer

Word = TypeVar("Word", bound=StrEnum)


def whole_number(low: int, high: int, form: str | None = None) -> Callable[[str], int]:
    """Reads a number of these bounds, both included; `form` says what else it has to be."""
    expected = form or f"a whole number from {low} to {high}"

    def read(text: str) -> int:
        digits = str(text)  # the default comes as it is
        # Python refuses to read thousands of digits.
        if digits.isascii() and digits.isdigit() and len(digits) <= len(str(high)):
            number = int(digits)
            if low <= number <= high:
                return number
        raise typer.BadParameter(f"{digits!r}; expected {expected}")

    return read


def one_of(words: type[Word]) -> Callable[[str], Word]:
    """Reads one of the words of an enum."""

    def read(text: str) -> Word:
        try:
            return words(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r}; expected one of {', '.join(words)}") from None

    return read


def row_number(form: str) -> Callable[[str], int]:
    """Reads the number of something in the ledger; `form` says of what."""
    return whole_number(1, 2**63 - 1, form)  # SQLite's largest


LIMIT = whole_number(1, 1_000_000)
_job = row_number("a job's number, as `gitreload jobs` lists them")
JobNumber = Annotated[int, typer.Argument(metavar="JOB", parser=_job, help="The job's number.")]
