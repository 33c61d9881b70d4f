"""The keys of `TUTOR`: how an Open edX that Tutor runs is reached."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gitreload import setting_types as types
from gitreload.setting_forms import Form, Group, Plain, only, sentence

_Mode = Annotated[Literal["local", "dev", "k8s"], Form('"local", "dev" or "k8s"')]
_How = Annotated[Literal["exec", "run"], Form('"exec" or "run"')]
_Program = Annotated[
    types.Command, only(bool), Form('a list of strings, the program first, such as ["tutor"]')
]
# Not a path of this host, so nothing is made of it.
_InContainer = Annotated[
    Annotated[Plain, only(lambda value: value.startswith("/"))] | None,
    Form('an absolute path in the container, such as "/openedx/course_repos", or null'),
]


class TutorSettings(Group):
    """How the importer `tutor` gets into the platform's container."""

    command: _Program = Field(
        default=("tutor",), description="The program, as a list; with its options, if it needs any."
    )
    root: types.OptionalPath = Field(
        default=None, description="`TUTOR_ROOT`; `null` is what it is without one."
    )
    mode: _Mode = Field(default="local", description="`local`, `dev` or `k8s`.")
    how: _How = Field(
        default="exec",
        description="`exec` imports in the container of `cms` that runs, `run` in one of its own "
        "(not with `k8s`).",
    )
    path: _InContainer = Field(
        default=None,
        description="Where the container has `REPODIR` mounted; `null` copies the files in.",
    )

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        if self.mode == "k8s" and self.how == "run":
            raise sentence('tutor k8s has no run; set HOW to "exec"')
        return self
