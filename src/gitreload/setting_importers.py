"""The keys that say how courses are imported."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from gitreload import setting_types as types
from gitreload.setting_forms import Form, Group, Plain, only, sentence
from gitreload.setting_secrets import ClientSecretEntry

Importer = Annotated[
    Literal["git_add_course", "cms_import", "tutor", "studio", "command", "auto"],
    Form('"git_add_course", "cms_import", "tutor", "studio", "command" or "auto"'),
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

FileName = Annotated[
    Annotated[Plain, only(lambda value: "/" not in value)] | None,
    Form('the name of a file in static/, such as "python_lib.zip", or null'),
]


class CmsImportSettings(Group):
    """How `manage.py cms import` is run, and what is run after it."""

    nostatic: types.Flag = Field(
        default=False, description="Leave out the static files, as where they are served from disk."
    )
    python_lib: types.Flag = Field(
        default=True,
        description="With `NOSTATIC`, import the course's Python library all the same.",
    )
    python_lib_filename: FileName = Field(
        default=None,
        description="The name of that library; `null` is the platform's default, `python_lib.zip`.",
    )
    outline: types.Flag = Field(
        default=False,
        description="Update the outline after it (`update_course_outline`), for platforms whose "
        "Celery workers do not.",
    )
    reindex: types.Flag = Field(
        default=False,
        description="Update the search index after it (`reindex_course`), for the same.",
    )

    @model_validator(mode="after")
    def _has_a_library_to_leave_out(self) -> Self:
        if not self.python_lib and not self.nostatic:
            raise sentence(
                "PYTHON_LIB false needs NOSTATIC: the platform imports the library with all other "
                "static files; set NOSTATIC to true, or remove PYTHON_LIB"
            )
        return self
