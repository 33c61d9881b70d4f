"""The keys of commit statuses."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from gitreload import remotes
from gitreload import setting_types as types
from gitreload.setting_forms import Form, Group, Plain, only, sentence
from gitreload.setting_secrets import OptionalToken


def _is_forge_url(value: str) -> bool:
    site = remotes.http_site(value)
    return site is not None and site.user is None and not re.search(r"[\s?#]", value)


def _switched(value: object) -> object:
    """An object for `true` and `false`: what is set for one checkout may be off."""
    return {"ON": value} if isinstance(value, bool) else types.switched(value)


ForgeUrl = Annotated[
    Annotated[Plain, only(_is_forge_url)] | None,
    Form('the address of a forge, such as "https://git.example.org", or null'),
]
StatusForge = Annotated[
    Literal["github", "gitlab", "gitea", "forgejo", "bitbucket-cloud", "bitbucket-dc"] | None,
    Form('"github", "gitlab", "gitea", "forgejo", "bitbucket-cloud", "bitbucket-dc" or null'),
]
Context = Annotated[
    Annotated[Plain, only(lambda value: len(value) <= 100)] | None,
    Form('a name of at most 100 characters, such as "production", or null'),
]


class StatusSettings(Group):
    """How commits are marked."""

    on: types.Flag = Field(
        default=True, description="`false` marks none, whatever is set for all checkouts."
    )
    token: OptionalToken = Field(
        default=None,
        description="The token to mark them with, in one of the forms of `REPOS.<dir>.TOKEN`; "
        "without it, that one is taken, or `GITHUB_TOKEN`.",
    )
    context: Context = Field(
        default=None,
        description="The name of the mark. For all checkouts: its first part, before that of the "
        "checkout; it is `gitreload` else.",
    )
    forge: StatusForge = Field(
        default=None,
        description="Which forge it is, where neither its address nor a push tells.",
    )
    url: ForgeUrl = Field(
        default=None, description="The forge's address, where `origin` does not tell it."
    )


def _bound(value: StatusSettings | None) -> StatusSettings | None:
    if value is not None and value.token is not None and value.url is None:
        raise sentence(
            "TOKEN is for all checkouts of one forge: name the forge's URL beside it, such as "
            '"https://github.com"; it is sent to no other'
        )
    return value


OwnStatus = Annotated[
    StatusSettings | None,
    BeforeValidator(_switched, json_schema_input_type=StatusSettings | bool | None),
]
# One token for all would else be sent to whatever host each of them comes from.
StatusOfAll = Annotated[OwnStatus, AfterValidator(_bound)]
