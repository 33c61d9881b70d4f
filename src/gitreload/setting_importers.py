"""The keys that say how courses are imported."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from gitreload import setting_types as types
from gitreload.setting_forms import Form, Group, Plain, only, sentence
from gitreload.setting_secrets import ClientSecretEntry

Importer = Annotated[
    Literal["git_add_course", "studio", "command"],
    Form('"git_add_course", "studio" or "command"'),
]
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
ClientId = Annotated[Plain, Form("a client id, as the page of the application shows it")]


class StudioSettings(Group):
    """The Studio that courses are uploaded to, and as whom."""

    url: types.SiteUrl = Field(
        description="Studio's address, such as `https://studio.courses.example.org`."
    )
    lms_url: types.SiteUrl = Field(
        description="The address of the LMS, which gives out the tokens for it."
    )
    client_id: ClientId = Field(
        description="The client id of an OAuth application at that LMS, for client credentials."
    )
    client_secret: ClientSecretEntry = Field(
        description='Its client secret: a string, or `{"FILE": path}`, which is read again when '
        "it changes."
    )

    @model_validator(mode="before")
    @classmethod
    def _is_whole(cls, value: Any) -> Any:
        given = value.keys() if isinstance(value, dict) else STUDIO_KEYS
        missing = [key for key in STUDIO_KEYS if key not in given]
        if missing:
            raise sentence(
                f"it has no {' and no '.join(missing)}; it needs all of {', '.join(STUDIO_KEYS)}"
            )
        return value


STUDIO_KEYS = tuple(name.upper() for name in StudioSettings.model_fields)
