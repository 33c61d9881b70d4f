"""From a request's body to typed data: JSON, or a form that carries JSON."""

from __future__ import annotations

from typing import Annotated, TypeVar
from urllib.parse import unquote_to_bytes

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError, from_json

from gitreload.forges.request import Headers, Malformed

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

MAX_FIELDS = 16  # of a form; GitHub sends one
MAX_PROBLEMS = 3  # are named in one answer
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})

Parsed = TypeVar("Parsed", bound="Payload")


class Payload(BaseModel):
    """What is read of a forge's JSON: types are exact, and what we do not know is ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


def _without_controls(text: str) -> str:
    if not text.isprintable() and any(char < " " or char == "\x7f" for char in text):
        raise PydanticCustomError("control", "Input should have no control characters")
    return text


# What is kept of a payload. Databases refuse NUL, terminals obey the others.
Text = Annotated[str, StringConstraints(max_length=4096), AfterValidator(_without_controls)]


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

    Of a key that comes twice, the last one counts. Nesting deeper than 200, numbers of thousands
    of digits, lone surrogates and anything but UTF-8 are refused by the parser itself.
    """
    try:
        parsed = model.model_validate_json(text)
        # pydantic takes these for numbers, JSON (RFC 8259, section 6) does not. Words in strings
        # are fine, so the strict parser decides; but most bodies need not be parsed twice.
        if b"NaN" in text or b"Infinity" in text:
            from_json(text, allow_inf_nan=False)
    except ValidationError as error:
        raise Malformed(f"the payload cannot be read: {_problems(error)}") from None
    except ValueError as error:
        raise Malformed(f"the payload cannot be read: Invalid JSON: {error}") from None
    return parsed


def _problems(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        ": ".join(filter(None, [".".join(map(str, problem["loc"])), problem["msg"]]))
        for problem in found[:MAX_PROBLEMS]
    )


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
