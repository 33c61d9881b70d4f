"""The forms that values of the configuration have, as types for the model's fields."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from gitreload import refs, remotes
from gitreload.github_api import api_base
from gitreload.setting_forms import Absolute, Between, Form, Plain, only, sentence
from gitreload.visible import visible
from gitreload.webhook_keys import ED25519_BYTES, strict_base64


def _network(value: object) -> IPv4Network | IPv6Network:
    if not isinstance(value, str | IPv4Network | IPv6Network):
        raise ValueError  # noqa: TRY004 - as pydantic wants it; a number would be an address
    return ip_network(value)


def _is_user(value: str) -> bool:
    # A Basic credential is user and password with a colon between them.
    return ":" not in value and len(value) <= 128


def _is_public_key(value: str) -> bool:
    return len(strict_base64(value) or b"") == ED25519_BYTES


def _is_host(value: str) -> bool:
    if ":" in value:
        ip_address(value)  # raises for a port or a scheme that came along
    return not re.search(r"[\s/@]", value)


def _is_public_url(value: str) -> bool:
    site = remotes.http_site(value)
    return site is not None and site.user is None and not re.search(r"[\s?#]", value)


def _is_github_url(value: str) -> bool:
    site = remotes.http_site(value)
    return api_base(value) is not None and site is not None and site.url == value.rstrip("/")


def is_directory(value: str) -> bool:
    """Whether it names a checkout below REPODIR."""
    # Hidden ones are never looked at: what is ours lies there.
    parts = value.split("/")
    hidden = any(not part or part.startswith(".") for part in parts)
    return len(parts) <= 2 and not hidden and visible(value) == value


def is_folder(value: str) -> bool:
    """Whether it is the path of a directory in a repository, as `SPARSE` names it."""
    # Git's patterns have a meaning for the special characters.
    parts = value.split("/")
    return not any(part in ("", ".", "..") for part in parts) and not re.search(
        r"[*?\[\]\\]", value
    )


def _is_variable(value: str) -> bool:
    # GITRELOAD_ variables mark an attempt's processes, so that clean-up finds them.
    named = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value)
    return bool(named) and not value.startswith("GITRELOAD_")


def switched(value: object) -> object:
    """An object for `true`, None for `false`: what can be on or off, or have settings."""
    if value is None or isinstance(value, bool):
        return {} if value else None
    if isinstance(value, (dict, BaseModel)):
        return value
    raise PydanticCustomError("form", "expected {form}", {"form": "true, false or an object, {…}"})


def _hosts(value: object) -> object:
    """None for `false`, no further ones for `true`."""
    if isinstance(value, bool):
        return () if value else None
    return value


def _is_place(value: str) -> bool:
    # As canonical URLs have it, so without a port that is the usual one.
    return remotes.canonical(f"https://{value}/x") == f"{value}/x"


def _is_command(value: tuple[str, ...]) -> bool:
    return not value or bool(value[0])


# Each backslash is before something, each bracket closed.
_GLOB = re.compile(r"(?:\\.|[^\\\[]|\[[!^]?\]?[^\]]*\])+", re.DOTALL)


def _is_glob(value: str) -> object:
    glob = value.removeprefix("!").removesuffix("/")
    # Others would name nothing at all: git takes them as they are, and finds no such file.
    sound = not any(part in ("", ".", "..") for part in glob.split("/"))
    return sound and "\0" not in glob and _GLOB.fullmatch(glob)


def _is_below(value: str) -> bool:
    return value == "." or not any(part in ("", ".", "..") for part in value.split("/"))


def _without_password(value: str) -> str:
    if remotes.mask(value) != value:
        raise sentence("the URL holds a user or password; leave it out, pushes match without it")
    return value


_PART = r"[\w\-~.:%]+"
_COURSE_KEY = re.compile(rf"course-v1:{_PART}\+{_PART}\+{_PART}|{_PART}/{_PART}/{_PART}")
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")

OptionalPath = Annotated[Absolute | None, Form('a path, such as "/srv/file" or "~/file", or null')]
Flag = Annotated[bool, Field(strict=True), Form("true or false")]
Host = Annotated[Plain, only(_is_host), Form('a host name or IP address, such as "127.0.0.1"')]
SettingsModule = Annotated[
    Plain, only(_MODULE.fullmatch), Form('the name of a settings module, such as "production"')
]
CourseKey = Annotated[
    Plain, only(_COURSE_KEY.fullmatch), Form('"course-v1:ORG+COURSE+RUN" or "ORG/COURSE/RUN"')
]
RemoteUrl = Annotated[
    Plain,
    only(lambda value: remotes.canonical(value) is not None),
    Form('the URL of a repository, such as "https://git.example.org/org/course.git"'),
    AfterValidator(_without_password),
]
Directory = Annotated[
    Plain,
    only(is_directory),
    Form('a directory below REPODIR, such as "course" or "org/course"'),
]
VariableName = Annotated[
    Plain, only(_is_variable), Form('a name such as "EDX_REGION", not starting with GITRELOAD_')
]
VariableValue = Annotated[
    str, Field(strict=True), only(lambda value: "\0" not in value), Form("a string without NUL")
]


OptionalPublicUrl = Annotated[
    Annotated[Plain, only(_is_public_url)] | None,
    Form('the address that forges reach, such as "https://hooks.example.org", or null'),
]
SiteUrl = Annotated[
    Plain,
    only(_is_public_url),
    Form('the address of a site, without a user, such as "https://studio.example.org"'),
]
GitHubUrl = Annotated[
    Plain,
    only(_is_github_url),
    Form('the address of a GitHub, such as "https://github.com" or "https://github.example.org"'),
]
Network = Annotated[
    IPv4Network | IPv6Network,
    PlainValidator(_network),
    PlainSerializer(str),
    Form('an address or a network, such as "10.0.0.5" or "10.0.0.0/8"'),
    WithJsonSchema({"type": "string"}),
]
Proxy = Annotated[
    Literal["unix"] | Network,
    Form('an address or a network, such as "10.0.0.5" or "10.0.0.0/8", or "unix"'),
]
UserName = Annotated[Plain, only(_is_user), Form('a user\'s name without a colon, such as "azure"')]
PublicKey = Annotated[
    Plain, only(_is_public_key), Form("the Base64 of the 32 bytes of an Ed25519 key")
]
# Those of gitreload.forges, which stands above this module.
ForgeName = Annotated[
    Literal[
        "forgejo",
        "gitea",
        "gogs",
        "github",
        "gitlab",
        "gitee",
        "bitbucket-cloud",
        "bitbucket-dc",
        "azure",
        "sourcehut",
        "standard",
    ],
    Form('the name of a forge, such as "github"; docs/forges.md lists them'),
]
JsonPath = Annotated[
    Plain,
    only(re.compile(r"[^.\s]+(\.[^.\s]+)*").fullmatch),
    Form('keys and indices of lists joined by dots, such as "data.ref"'),
]
Word = Annotated[Plain, Form("a string that is not empty")]
JsonPaths = Annotated[
    tuple[JsonPath, ...], only(bool), Form('a list of paths, such as ["data.url"]')
]
Words = Annotated[tuple[Word, ...], only(bool), Form('a list of words, such as ["push"]')]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] | None,
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
    Form('"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL" or null'),
]
Command = Annotated[
    tuple[VariableValue, ...],
    only(_is_command),
    Form('a list of strings, the program first, such as ["/usr/local/bin/check", "--all"]'),
]
Below = Annotated[
    Plain, only(_is_below), Form('a path below the directory that is built in, such as "site"')
]
Glob = Annotated[
    Plain,
    only(_is_glob),
    Form(
        'what git can find in a repository, such as "course", "grading/**/*.py" or "!docs", '
        "relative to its top"
    ),
]
Pattern = Annotated[Plain, Form('a text in which * and ? may stand for others, such as "studio-*"')]
TagPattern = Annotated[
    Annotated[Plain, only(refs.is_pattern)] | None,
    Form('the name of a tag in which * and ? may stand, such as "v*", or null'),
]
Clean = Annotated[Literal["none", "untracked", "ignored"], Form('"none", "untracked" or "ignored"')]
Depth = Annotated[
    Annotated[int, Between(1, 1000000)] | None, Form("a whole number from 1 to 1000000, or null")
]
Folder = Annotated[
    Plain,
    only(is_folder),
    Form('a directory of the repository, without a slash at its ends, such as "static/images"'),
]
OptionalHosts = Annotated[
    tuple[Annotated[Plain, only(_is_place)], ...] | None,
    BeforeValidator(_hosts, json_schema_input_type=bool | tuple[str, ...] | None),
    Form('true, false or a list of hosts, such as ["github.com", "git.example.org:2222"]'),
]
