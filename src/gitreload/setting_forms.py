"""What the configuration is made of: groups of keys, and the types of their values.

A value that does not fit is refused by an error of one of two types: `form` (its context names the
form that is expected) or `sentence` (its message says all). Neither ever quotes the value.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from gitreload.visible import visible


class Group(BaseModel):
    """Keys that belong together; a field's upper-cased name is its key."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=str.upper,
        validate_by_alias=True,
        validate_by_name=True,
        hide_input_in_errors=True,
    )


@dataclass(frozen=True, slots=True)
class Start:
    """Where `~` and relative paths start."""

    home: Path
    cwd: Path

    @classmethod
    def of(cls, environ: Mapping[str, str], cwd: Path | None = None) -> Start:
        """HOME of `environ`, and `cwd` or the working directory."""
        home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 (never raises)
        try:
            return cls(Path(home), cwd or Path.cwd())
        except FileNotFoundError:  # the working directory was removed: nothing starts there
            return cls(Path(home), Path("/"))

    def absolute(self, path: str) -> Path:
        if path == "~" or path.startswith("~/"):
            return self.home / path[2:]
        return self.cwd / path


def sentence(text: str) -> PydanticCustomError:
    """The error that a value is refused with where its form alone does not say why."""
    return PydanticCustomError("sentence", "{why}", {"why": text})


@dataclass(frozen=True, slots=True)
class Form:
    """Says what form a value must have, whatever is wrong with it."""

    text: str

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self.check, handler(source))

    def check(self, value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError as error:
            if any(each["type"] == "sentence" for each in error.errors()):
                raise
        raise PydanticCustomError("form", "expected {form}", {"form": self.text})


@dataclass(frozen=True, slots=True)
class Between:
    """A number within bounds, both included; a whole one where the field is an `int`."""

    low: float
    high: float

    def __get_pydantic_core_schema__(
        self, source: object, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        low, high = self.low, self.high
        number: CoreSchema
        if source is int:
            form = Form(f"a whole number from {low} to {high}")
            number = core_schema.int_schema(strict=True, ge=int(low), le=int(high))
        else:
            form = Form(f"a number from {low} to {high}")
            number = core_schema.float_schema(strict=True, ge=low, le=high)
        return core_schema.no_info_wrap_validator_function(form.check, number)


# In the functions of types, a bare ValueError is enough: the value's `Form` speaks for it.


def plain(value: object) -> str:
    """A text of at least one character, all of them visible."""
    if not isinstance(value, str) or not value or visible(value) != value:
        raise ValueError
    return value


def as_path(value: object, info: ValidationInfo) -> Path:
    """Absolute, from a text that may start with `~/` or be relative."""
    if isinstance(value, Path):
        return value
    start: Start = info.context or Start.of(os.environ)
    text = plain(value)
    if text.startswith("~") and text != "~" and not text.startswith("~/"):
        raise ValueError  # another user's home, or a slip
    return start.absolute(text)


def only(fits: Callable[[Any], object]) -> AfterValidator:
    """Refuses what does not fit."""

    def check(value: Any) -> Any:
        if not fits(value):
            raise ValueError
        return value

    return AfterValidator(check)


Plain = Annotated[str, BeforeValidator(plain)]
Absolute = Annotated[Path, BeforeValidator(as_path)]
AbsolutePath = Annotated[Absolute, Form('a path, such as "/srv/repos" or "~/repos"')]
