"""Picks out of all that a failed command of the platform wrote the few words that tell why.

The forms are those of Python's traceback module (chains and groups of exceptions, as of 3.11; 2.7
has the plain ones), of Django's CommandError (django/core/management/base.py), and of argparse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_TRACEBACK = "Traceback (most recent call last):"

# Django prints a CommandError without a traceback, argparse and optparse what they refuse.
_TOLD = re.compile(
    r"(?:CommandError|SystemCheckError|Error|Unknown command|manage\.py[\w ]*: error): "
)

_CHAINED = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)

# Where a file is wrong, as Python tells it; a frame of a traceback goes on with its function.
_SYNTAX_ERROR_AT = re.compile(r'\s+File "([^<].*)", line (\d+)')

# What groups of exceptions put before the lines of their members, and between these.
_IN_GROUP = re.compile(r"\s*[|+]")
_MARGIN = re.compile(r"\s*(?:\| ?|\+ Exception Group (?=Traceback))")
_NEXT_MEMBER = re.compile(r"\s*\+[-+]*-+ (?:\d+|\.\.\.) -+\s*")
_LAST_LINE = re.compile(r"\s*\+-+\s*")

# Tracebacks of what Python or logging went on after.
_ASIDE = re.compile(r"Exception ignored |Exception in thread |Error in |--- Logging error ---")

# What comes after the message of an exception: records of a log, and farewells.
_NO_MESSAGE = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d|\[|"
    r"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\b|Exception ignored |Error in |"
    r"Type |Sentry is attempting|" + "|".join(map(re.escape, (_TRACEBACK, *_CHAINED)))
)

_MOST_LINES = 4
_MOST_MEMBERS = 3


def reason(output: str) -> str:
    """Why the command failed: in what is told last, since all before it was survived.

    An exception comes with the place of the syntax error that it is, with its cause, and a group
    with its members.
    """
    lines = output.splitlines()
    found = list(_Reader(lines).found())
    told = [each for each in found if not each.aside] or found
    if told:
        return told[-1].text
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


@dataclass
class _Told:
    """One error in the output; `cause` is the exception that led to it in the end."""

    message: list[str]
    place: str = ""
    aside: bool = False
    cause: _Told | None = None
    members: list[_Told] = field(default_factory=list)

    @property
    def text(self) -> str:
        text = " ".join(line for line in map(str.strip, self.message) if line) + self.place
        if self.members:
            shown = "; ".join(member.text for member in self.members[:_MOST_MEMBERS])
            text = f"{text}: {shown}"
        if self.cause is None:
            return text
        cause = self.cause.text
        known = cause.partition(": ")[2] or cause
        return text if known in text else f"{text} (caused by {cause})"


class _Reader:
    """Reads the lines of an output once, from the first to the last."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = [*lines, ""]
        self._at = 0

    def found(self) -> Iterator[_Told]:
        """All errors that are told; those of one chain as one."""
        cause: _Told | None = None
        aside = False
        while self._at < len(self._lines):
            line = self._lines[self._at]
            told = self._read(line)
            if told is None:
                self._at += 1
                if line.strip():
                    aside = _ASIDE.match(line) is not None
                continue
            told.aside, told.cause = aside, cause
            cause = (cause or told) if self._goes_on() else None
            if cause is None:
                yield told

    def _read(self, line: str) -> _Told | None:
        """The error that begins with this line, if one does; the place is then behind it."""
        if line.startswith(_TRACEBACK):
            return self._exception()
        if line.lstrip().startswith(f"+ Exception Group {_TRACEBACK}"):
            return self._group()
        return _Told(self._message()) if _TOLD.match(line) else None

    def _goes_on(self) -> bool:
        """Whether what was read led to another exception; skips what says so."""
        at = self._at
        while at < len(self._lines) and not self._lines[at].strip():
            at += 1
        if at == len(self._lines) or self._lines[at].lstrip(" |") not in _CHAINED:
            return False
        self._at = at + 1
        while self._at < len(self._lines) and not self._lines[self._at].strip(" |"):
            self._at += 1
        return True

    def _exception(self) -> _Told:
        """What follows the first line of a traceback: indented lines, then the exception."""
        place = ""
        self._at += 1
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if found := _SYNTAX_ERROR_AT.fullmatch(line):
                place = f" (in {found[1]}, line {found[2]})"
            elif line.strip() and not line[0].isspace() and line != _TRACEBACK:
                return _Told(self._message(), place)
            self._at += 1
        return _Told([_TRACEBACK])  # cut off

    def _message(self) -> list[str]:
        """The line here and those that belong to it: a message may have several."""
        message = [self._lines[self._at]]
        self._at += 1
        while len(message) < _MOST_LINES and self._at < len(self._lines):
            line = self._lines[self._at]
            # Django lists what its checks found after a blank line.
            expected = message[-1].rstrip().endswith(":")
            if _NO_MESSAGE.match(line) or _TOLD.match(line) or not (line.strip() or expected):
                break
            if line.strip():
                message.append(line)
            self._at += 1
        return message

    def _group(self) -> _Told:
        """A group of exceptions, whose lines stand behind a margin."""
        start = self._at
        while self._at < len(self._lines) and _IN_GROUP.match(self._lines[self._at]):
            self._at += 1
        inside = _without_margins(self._lines[start : self._at])
        head, *members = [*_Reader(inside).found()] or [_Told([_TRACEBACK])]  # cut off
        head.members = members
        return head


def _without_margins(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a group as those of one traceback after the other."""
    for line in lines:
        if _NEXT_MEMBER.fullmatch(line):
            yield from ("", _TRACEBACK)  # a member that was never raised has none of its own
            continue
        if _LAST_LINE.fullmatch(line):
            continue
        while (plain := _MARGIN.sub("", line, count=1)) != line:
            line = plain  # noqa: PLW2901
        yield line
