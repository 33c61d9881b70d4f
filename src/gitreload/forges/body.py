"""From a request's body to typed data: JSON, or a form that carries JSON."""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, TypeVar
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from gitreload.forges.request import Headers, Malformed

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

PORTION = 64 * 1024
MAX_FIELDS = 16  # of a form; GitHub sends one
MAX_REFS = 20_000
LONGEST_NAME = len("%70%61%79%6C%6F%61%64")  # payload, in the longest of its spellings
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})

Parsed = TypeVar("Parsed", bound="Payload")


class Payload(msgspec.Struct, frozen=True, gc=False):
    """What is read of a forge's JSON: types are exact, and what we do not know is ignored.

    Ignored means skipped, not built: most of a payload is, so it takes a sixth of the time that
    a parser takes which makes objects of it all.
    """


# What is kept of a payload. Databases refuse NUL, terminals obey the others.
_TEXT = r"\A[^\x00-\x1f\x7f]*\Z"
Text = Annotated[str, msgspec.Meta(max_length=4096, pattern=_TEXT)]
# What only selects checkouts: it is compared, and neither stored nor shown.
Url = Annotated[str, msgspec.Meta(max_length=4096)]
# Strange but legal branches (`-x`, `$(id)`) pass: a ref is compared, never run.
_REF = r"\Arefs/[^\x00-\x20\x7f]*[^\x00-\x20\x7f/]\Z"
Ref = Annotated[str, msgspec.Meta(max_length=4096, pattern=_REF)]
# A branch or tag where the forge tells apart from it which of the two it is.
_SHORT_REF = r"\A[^\x00-\x20\x7f]*[^\x00-\x20\x7f/]\Z"
ShortRef = Annotated[str, msgspec.Meta(max_length=4096, pattern=_SHORT_REF)]
Entry = TypeVar("Entry")
# What has an entry for every ref that moved. Each is matched with the checkouts, so that a body
# full of them would hold up others; who pushes more at once has to push again in parts.
Refs = Annotated[list[Entry], msgspec.Meta(max_length=MAX_REFS)]
# What names an event, or identifies a delivery or a hook; as `Headers.short`.
_ID = r"\A[\x20-\x7e]{1,128}\Z"
Id = Annotated[str, msgspec.Meta(pattern=_ID)]
_WORDS = {
    f"str matching regex {_TEXT!r}": "text without control characters",
    f"str matching regex {_REF!r}": "a full ref such as refs/heads/main",
    f"str matching regex {_SHORT_REF!r}": "the name of a branch or tag",
    f"str matching regex {_ID!r}": "1 to 128 printable ASCII characters",
}
_REVISION = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CUT_ESCAPE = re.compile(rb"%[0-9A-Fa-f]?\Z")
_REDACTED = rb'\1"********"'
_PROBLEM = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<where>[^`]*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field (\w+)")


def json_of(headers: Headers, body: bytes) -> bytes:
    """The JSON text in `body`, not yet looked at; raises Malformed where there is none.

    A form has it in exactly one field `payload`:
    https://docs.github.com/en/webhooks/using-webhooks/creating-webhooks
    """
    content_type = headers.get("content-type") or ""
    media, _, parameters = content_type.partition(";")
    media = media.strip().lower()
    if media not in (JSON, FORM):
        sent = headers.short("content-type")
        raise Malformed(f"Content-Type is {sent or 'missing'}: expected {JSON} or {FORM}")
    if parameters and not _is_utf8(parameters):
        raise Malformed("Content-Type names another charset: expected utf-8")
    return body if media == JSON else _form_payload(body)


def is_form(headers: Headers) -> bool:
    return (headers.get("content-type") or "").partition(";")[0].strip().lower() == FORM


def without(body: bytes, keys: Iterable[str]) -> bytes:
    """A JSON body, or a form that carries one, with the values of `keys` replaced, at any depth.

    It may be the beginning of one, cut anywhere.
    """
    names = "|".join(re.escape(key) for key in keys)
    pattern = re.compile(rf'("(?:{names})"\s*:\s*)"(?:[^"\\]|\\.)*+"?'.encode(), re.DOTALL)
    if b"{" in body[:64]:
        return pattern.sub(_REDACTED, body)
    whole = _CUT_ESCAPE.sub(b"", body)
    fields = [field.partition(b"=") for field in whole.split(b"&")]
    return b"&".join(name + equals + _quoted(pattern, value) for name, equals, value in fields)


def _quoted(pattern: re.Pattern[bytes], value: bytes) -> bytes:
    if _BAD_ESCAPE.search(value) is not None:
        return value  # of a field that nobody read
    text = _unquoted(value)
    mended = pattern.sub(_REDACTED, text)
    return value if mended == text else quote_from_bytes(mended).encode()


def revision(text: str | None) -> str | None:
    """A full commit id in lower case. What is none (zeros too) tells nothing: None."""
    if text is None or len(text) not in (40, 64) or is_zero(text):
        return None
    lower = text.lower()
    return lower if _REVISION.fullmatch(lower) else None


def is_zero(text: str | None) -> bool:
    """Whether the revision is git's "no commit"."""
    return text is not None and text != "" and not text.strip("0")


def distinct(urls: Iterable[str | None]) -> tuple[str, ...]:
    """The URLs that there are, each once, in their order."""
    return tuple(dict.fromkeys(filter(None, urls)))


def parse(model: type[Parsed], text: bytes) -> Parsed:
    """Read JSON into `model`; raises Malformed naming what is wrong and where.

    Of a key that comes twice, the last one counts. What is not UTF-8, lone surrogates, NaN and
    Infinity, and nesting deeper than the interpreter's stack are refused, also in what is skipped.
    """
    parsed: Parsed = _decoded(_decoder(model), text)
    return parsed


def tree(text: bytes) -> Any:
    """All of a JSON text; raises Malformed as `parse` does."""
    return _decoded(_decoder(Any), text)


def converted(told: Any, path: str | None, kind: Any) -> Any:
    """What the path leads to in a tree; None where it leads nowhere, or there is none.

    The path is keys and list indices, joined by dots. Raises Malformed where a value is not of
    `kind`.
    """
    try:
        return msgspec.convert(_at(told, path), kind)
    except msgspec.ValidationError as error:
        raise Malformed(f"the payload cannot be read: {path}: {_problem(error)}") from None


def text_of(told: Any, path: str | None) -> str | None:
    """As `converted`, for a text that may be stored and shown."""
    text: str | None = converted(told, path, Text | None)
    return text


def ref_of(told: Any, path: str | None) -> str | None:
    """As `converted`, for a full ref."""
    ref: str | None = converted(told, path, Ref | None)
    return ref


def _at(told: Any, path: str | None) -> Any:
    for part in path.split(".") if path else ():
        if isinstance(told, dict):
            told = told.get(part)
        elif isinstance(told, list) and part.isascii() and part.isdigit() and len(part) <= 6:
            told = told[int(part)] if int(part) < len(told) else None
        else:
            return None
    return told if path else None


def _decoded(decoder: msgspec.json.Decoder[Any], text: bytes) -> Any:
    try:
        _require_utf8(text)  # of what it skips, the parser does not look at the encoding
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise Malformed(f"the payload cannot be read: {_problem(error)}") from None
    except RecursionError:
        raise Malformed("the payload cannot be read: it is nested too deep") from None
    except ValueError as error:
        why = str(error).removeprefix("JSON is malformed: ")
        raise Malformed(f"the payload cannot be read: not JSON: {why}") from None


def _require_utf8(text: bytes) -> None:
    """Raise UnicodeDecodeError for anything else.

    In portions, since one wide character makes all others of a text four times as large.
    """
    if len(text) <= PORTION:
        text.decode()
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(text), PORTION):
        decoder.decode(text[start : start + PORTION])
    decoder.decode(b"", final=True)


@cache
def _decoder(model: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(model)


def _problem(error: msgspec.ValidationError) -> str:
    """Such as "repository.url: expected str or null, got int"; never a value of the payload."""
    found = _PROBLEM.fullmatch(str(error).replace("`$`", ""))
    assert found is not None, "the pattern takes any text"
    what, where = found["what"].replace("`", ""), found["where"] or ""
    missing = _MISSING.fullmatch(what)
    if missing is not None:
        what, where = "missing", ".".join(filter(None, [where, missing[1]]))
    for awkward, plain in _WORDS.items():
        what = what.replace(awkward, plain)
    what = what.replace("Expected", "expected").replace(" | ", " or ")
    return f"{where}: {what}" if where else what


def _is_utf8(parameters: str) -> bool:
    pairs = (parameter.partition("=") for parameter in parameters.split(";"))
    return all(
        value.strip().strip('"').lower() in _CHARSETS
        for name, _, value in pairs
        if name.strip().lower() == "charset"
    )


def _form_payload(body: bytes) -> bytes:
    fields = body.split(b"&", MAX_FIELDS)
    if len(fields) > MAX_FIELDS:
        raise Malformed(f"the form has more than {MAX_FIELDS} fields: expected one, payload")
    values = [
        value
        for name, _, value in (field.partition(b"=") for field in fields)
        if len(name) <= LONGEST_NAME and unquote_to_bytes(name) == b"payload"
    ]
    if len(values) != 1:
        raise Malformed(f"the form has {len(values)} fields named payload: expected one")
    return _unquoted(values[0])


def _unquoted(value: bytes) -> bytes:
    """The value of a form's field, decoded; raises Malformed where a percent sign leads nowhere.

    Quoted-printable is the same with another sign, and its decoder is the one that neither takes a
    second for a megabyte of percent signs nor a multiple of its size.
    """
    if _BAD_ESCAPE.search(value) is not None:
        raise Malformed("the form has a percent sign without two hex digits behind it")
    plain = value.replace(b"+", b" ").replace(b"=", b"=3D")
    # Line ends would be joined lines behind a sign.
    plain = plain.replace(b"\r", b"=0D").replace(b"\n", b"=0A")
    return binascii.a2b_qp(plain.replace(b"%", b"="))
