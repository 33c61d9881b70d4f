"""From a request's body to typed data: JSON, or a form that carries JSON."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from gitreload.forges.request import Headers, Malformed

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

MAX_FIELDS = 16  # of a form; GitHub sends one
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
_WORDS = {
    f"str matching regex {_TEXT!r}": "text without control characters",
    f"str matching regex {_REF!r}": "a full ref such as refs/heads/main",
}
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


def parse(model: type[Parsed], text: bytes) -> Parsed:
    """Read JSON into `model`; raises Malformed naming what is wrong and where.

    Of a key that comes twice, the last one counts. What is not UTF-8, lone surrogates, NaN and
    Infinity, and nesting deeper than the interpreter's stack are refused, also in what is skipped.
    """
    try:
        text.decode()  # of what it skips, the parser does not look at the encoding
        parsed: Parsed = _decoder(model).decode(text)
    except msgspec.ValidationError as error:
        raise Malformed(f"the payload cannot be read: {_problem(error)}") from None
    except RecursionError:
        raise Malformed("the payload cannot be read: it is nested too deep") from None
    except ValueError as error:
        why = str(error).removeprefix("JSON is malformed: ")
        raise Malformed(f"the payload cannot be read: not JSON: {why}") from None
    return parsed


@cache
def _decoder(model: type[Parsed]) -> msgspec.json.Decoder[Parsed]:
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
        if unquote_to_bytes(name) == b"payload"
    ]
    if len(values) != 1:
        raise Malformed(f"the form has {len(values)} fields named payload: expected one")
    return unquote_to_bytes(values[0].replace(b"+", b" "))
