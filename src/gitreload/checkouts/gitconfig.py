"""git's configuration syntax, read without git.

The grammar is that of https://git-scm.com/docs/git-config#_syntax, and where it is silent that of
git 2.39's parser. Where versions of git read a line differently, or refuse it, this parser gives
up and git is to be asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

Setting = tuple[str, str | None]
"""A key as `git config --list` spells it, and its value; None where there is no `=`."""

_BETWEEN = re.compile(r"(?:[ \t\r\n]+|[#;][^\n]*)*")
_SECTION = re.compile(r'\[([A-Za-z0-9.-]+)(?:[ \t]+"((?:[^"\\\n]|\\[^\n])*)")?\]')
_NAME = re.compile(r"([A-Za-z][A-Za-z0-9-]*)[ \t]*(=|(?=\n)|\Z)")
# Nearly every line is like this: no quotes, no escapes, no blanks but spaces in the value.
_USUAL = re.compile(
    r"([A-Za-z][A-Za-z0-9-]*)[ \t]*="
    r'[ \t]*((?:[^ \t\r\n"\\#;][^\t\r\n"\\#;]*)?)(?:[#;][^\n]*)?\n[ \t]*'
)
_BLANKS = re.compile(r"[ \t\r]+")
_LINE_REST = re.compile(r"[^\n]*")
_QUOTED = re.compile(r'[^"\\\n]+')
_UNQUOTED = re.compile(r'[^ \t\r\n"\\#;]+')
_ESCAPED = re.compile(r"\\(.)")
# A backslash at the end of a line, or of the file, continues the value.
_ESCAPES = {"\\": "\\", '"': '"', "t": "\t", "n": "\n", "b": "\b", "\n": "", "": ""}
_TRUE = frozenset({"true", "yes", "on"})


class NotUnderstoodError(Exception):
    """Only git itself can say what this means."""


class Config:
    """Settings by key. Keys are `section.name` or `section.subsection.name`, as git lists them."""

    def __init__(self, settings: Iterable[Setting]) -> None:
        self._values: dict[str, list[str | None]] = {}
        for key, value in settings:
            self._values.setdefault(key, []).append(value)

    def first(self, key: str) -> str | None:
        """The first value, which is the one that counts for a remote to fetch from."""
        return next(iter(self._values.get(key, ())), None)

    def last(self, key: str) -> str | None:
        """The last value, which is the one that counts for most settings."""
        return self._values.get(key, (None,))[-1]

    def on(self, key: str) -> bool:
        """The last value as a truth value; False where it is not set."""
        if key not in self._values:
            return False
        value = self.last(key)
        return value is None or value.lower() in _TRUE or (value.isdecimal() and int(value) != 0)

    @property
    def rests_on_more(self) -> bool:
        """Whether other files, or an unusual store of refs, decide what holds in the end."""
        return (
            any(key == "include.path" or key.startswith("includeif.") for key in self._values)
            or self.on("extensions.worktreeconfig")
            or (self.last("extensions.refstorage") or "files").lower() != "files"
        )

    def rules(self) -> dict[str, str]:
        """The `url.<base>.insteadOf` settings: each prefix and the base that replaces it."""
        rules: dict[str, str] = {}
        for key, prefixes in self._values.items():
            if key.startswith("url.") and key.endswith(".insteadof"):
                base = key[len("url.") : -len(".insteadof")]
                for prefix in prefixes:
                    # Of two bases for one prefix, git takes the first.
                    rules.setdefault(prefix or "", base)
        return rules


def parse(data: bytes) -> list[Setting]:
    """The settings of one configuration file in their order; what includes name is left alone.

    Bytes that are not UTF-8 become lone surrogates, as in Python's file names. Raises
    NotUnderstoodError.
    """
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff").replace("\r\n", "\n")
    if "\0" in text:
        raise NotUnderstoodError
    settings: list[Setting] = []
    section: str | None = None
    position = _end(_BETWEEN, text, 0)
    while position < len(text):
        if section is not None and (usual := _USUAL.match(text, position)):
            settings.append((f"{section}.{usual[1].lower()}", usual[2].rstrip(" ")))
            position = usual.end()
            continue
        position = _end(_BETWEEN, text, position)
        if text.startswith("[", position):
            section, position = _section(text, position)
        elif position < len(text):
            name = _NAME.match(text, position)
            if name is None or section is None:
                raise NotUnderstoodError
            value, position = _value(text, name.end()) if name[2] else (None, name.end())
            settings.append((f"{section}.{name[1].lower()}", value))
        position = _end(_BETWEEN, text, position)
    return settings


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    assert found is not None, "the pattern matches what stands here, if only nothing"
    return found.end()


def _section(text: str, position: int) -> tuple[str, int]:
    found = _SECTION.match(text, position)
    if found is None:
        raise NotUnderstoodError
    name, subsection = found[1].lower(), found[2]
    if subsection is not None:
        name = f"{name}.{_ESCAPED.sub(lambda escaped: escaped[1], subsection)}"
    return name, found.end()


def _value(text: str, position: int) -> tuple[str, int]:
    """The value that begins after the `=` at `position`, and where it ends."""
    value = blanks = ""
    quoted = False
    while position < len(text) and text[position] != "\n":
        char = text[position]
        start = position
        if not quoted and char in " \t\r":
            position = _end(_BLANKS, text, start)
            blanks += text[start:position] if value else ""
            continue
        if not quoted and char in "#;":
            position = _end(_LINE_REST, text, start)
            break
        if blanks.strip(" "):
            # Up to 2.44 git made a space of a tab inside a value, later versions keep it.
            raise NotUnderstoodError
        value, blanks = value + blanks, ""
        if char == '"':
            quoted, position = not quoted, start + 1
        elif char == "\\":
            position = min(start + 2, len(text))
            value += _escape(text[start + 1 : position])
        else:
            position = _end(_QUOTED if quoted else _UNQUOTED, text, start)
            value += text[start:position]
    if quoted:
        raise NotUnderstoodError
    return value, position


def _escape(char: str) -> str:
    try:
        return _ESCAPES[char]
    except KeyError:
        raise NotUnderstoodError from None
