"""The keys that say how courses are imported."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

from gitreload import setting_types as types
from gitreload.setting_forms import Form, Plain, only

Importer = Annotated[Literal["git_add_course", "command"], Form('"git_add_course" or "command"')]
Guard = Annotated[Literal["report", "refuse", "off"], Form('"report", "refuse" or "off"')]


def _roots(value: object) -> object:
    """A list of one for a single directory."""
    return [value] if isinstance(value, str) else value


Roots = Annotated[
    tuple[Annotated[Plain, only(types.is_folder)], ...],
    BeforeValidator(_roots, json_schema_input_type=str | tuple[str, ...]),
    Form(
        "a directory of the repository, or a list of some, without a slash at their ends, such "
        'as "courses/physics"'
    ),
]
