"""The forms that values of the configuration have, as types for the model's fields.

A value that does not fit is refused by an error of one of two types: `form` (its context names the
form that is expected) or `sentence` (its message says all). Neither ever quotes the value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeGuard, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from gitreload import refs, remotes, signing_keys
from gitreload.credentials import SHORTEST, Secret, Token, UnfitSecretError
from gitreload.github_api import api_base
from gitreload.github_app import GitHubApp
from gitreload.visible import visible
from gitreload.webhook_keys import ED25519_BYTES, strict_base64

_Secret = TypeVar("_Secret", bound=Secret)


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


# In the functions below a bare ValueError is enough: the value's `Form` speaks for it.


def _plain(value: object) -> str:
    """A text of at least one character, all of them visible."""
    if not isinstance(value, str) or not value or visible(value) != value:
        raise ValueError
    return value


def _path(value: object, info: ValidationInfo) -> Path:
    """Absolute, from a text that may start with `~/` or be relative."""
    if isinstance(value, Path):
        return value
    start: Start = info.context or Start.of(os.environ)
    text = _plain(value)
    if text.startswith("~") and text != "~" and not text.startswith("~/"):
        raise ValueError  # another user's home, or a slip
    return start.absolute(text)


def _webhook_secret(value: object, info: ValidationInfo) -> Secret:
    return _secret(value, info, Secret)


def _secret(value: object, info: ValidationInfo, kind: type[_Secret]) -> _Secret:
    if isinstance(value, kind):
        return value
    try:
        if isinstance(value, str):
            return kind(value)
        if isinstance(value, dict) and list(value) == ["FILE"]:
            return kind(file=_path(value["FILE"], info))
    except UnfitSecretError as error:
        raise sentence(str(error)) from None
    raise ValueError


def _signing_keys_file(value: Path) -> Path:
    try:
        signing_keys.read(value)
    except signing_keys.UnfitKeysError as error:
        raise sentence(str(error)) from None
    return value


def _token(value: object, info: ValidationInfo) -> Token | GitHubApp | None:
    if value is None or isinstance(value, GitHubApp):
        return value
    return _app(value, info) if _is_app(value) else _secret(value, info, Token)


def _is_app(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict) and "APP_ID" in value


def _app(value: dict[str, object], info: ValidationInfo) -> GitHubApp:
    app_id, installation = value["APP_ID"], value.get("INSTALLATION_ID")
    if value.keys() - _APP_KEYS or not _is_id(app_id):
        raise ValueError
    if installation is not None and not _is_number(installation):
        raise ValueError
    try:
        return GitHubApp(str(app_id), _path(value.get("PRIVATE_KEY"), info), installation)
    except UnfitSecretError as error:
        raise sentence(str(error)) from None


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_id(value: object) -> bool:
    """A number, or a client id such as "Iv23liAbCdEf"."""
    return _is_number(value) or bool(isinstance(value, str) and re.fullmatch(r"[\w.-]+", value))


def _network(value: object) -> IPv4Network | IPv6Network:
    if not isinstance(value, str | IPv4Network | IPv6Network):
        raise ValueError  # noqa: TRY004 - as pydantic wants it; a number would be an address
    return ip_network(value)


def _is_user(value: str) -> bool:
    # A Basic credential is user and password with a colon between them.
    return ":" not in value and len(value) <= 128


def _is_public_key(value: str) -> bool:
    return len(strict_base64(value) or b"") == ED25519_BYTES


def _only(fits: Callable[[Any], object]) -> AfterValidator:
    def check(value: Any) -> Any:
        if not fits(value):
            raise ValueError
        return value

    return AfterValidator(check)


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

_Plain = Annotated[str, BeforeValidator(_plain)]
_AbsolutePath = Annotated[Path, BeforeValidator(_path)]
AbsolutePath = Annotated[_AbsolutePath, Form('a path, such as "/srv/repos" or "~/repos"')]
OptionalPath = Annotated[
    _AbsolutePath | None, Form('a path, such as "/srv/file" or "~/file", or null')
]
SigningKeysFile = Annotated[
    _AbsolutePath,
    AfterValidator(_signing_keys_file),
    Form('the path of a file with public keys, such as "/etc/gitreload/ada.pub"'),
]
Flag = Annotated[bool, Field(strict=True), Form("true or false")]
Host = Annotated[_Plain, _only(_is_host), Form('a host name or IP address, such as "127.0.0.1"')]
SettingsModule = Annotated[
    _Plain, _only(_MODULE.fullmatch), Form('the name of a settings module, such as "production"')
]
CourseKey = Annotated[
    _Plain, _only(_COURSE_KEY.fullmatch), Form('"course-v1:ORG+COURSE+RUN" or "ORG/COURSE/RUN"')
]
RemoteUrl = Annotated[
    _Plain,
    _only(lambda value: remotes.canonical(value) is not None),
    Form('the URL of a repository, such as "https://git.example.org/org/course.git"'),
    AfterValidator(_without_password),
]
Directory = Annotated[
    _Plain,
    _only(is_directory),
    Form('a directory below REPODIR, such as "course" or "org/course"'),
]
VariableName = Annotated[
    _Plain, _only(_is_variable), Form('a name such as "EDX_REGION", not starting with GITRELOAD_')
]
VariableValue = Annotated[
    str, Field(strict=True), _only(lambda value: "\0" not in value), Form("a string without NUL")
]


def _secret_schema(shortest: int, *others: dict[str, Any]) -> WithJsonSchema:
    file: dict[str, Any] = {
        "type": "object",
        "properties": {"FILE": {"type": "string"}},
        "required": ["FILE"],
        "additionalProperties": False,
    }
    return WithJsonSchema({"anyOf": [{"type": "string", "minLength": shortest}, file, *others]})


_APP_KEYS = {"APP_ID", "PRIVATE_KEY", "INSTALLATION_ID"}


def _token_schema() -> WithJsonSchema:
    number = {"type": "integer", "minimum": 1}
    app: dict[str, Any] = {
        "type": "object",
        "properties": {
            "APP_ID": {"anyOf": [number, {"type": "string"}]},
            "PRIVATE_KEY": {"type": "string"},
            "INSTALLATION_ID": number,
        },
        "required": ["APP_ID", "PRIVATE_KEY"],
        "additionalProperties": False,
    }
    return _secret_schema(1, app)


_SECRET_FORM = Form('a string, or {"FILE": "/path/of/a/file"}')
SecretEntry = Annotated[
    Secret,
    PlainValidator(_webhook_secret),
    PlainSerializer(Secret.masked),
    _SECRET_FORM,
    _secret_schema(SHORTEST),
]
OptionalToken = Annotated[
    Token | GitHubApp | None,
    PlainValidator(_token),
    PlainSerializer(lambda token: token and token.masked()),
    Form(
        'a string, {"FILE": "/path/of/a/file"}, '
        '{"APP_ID": 123456, "PRIVATE_KEY": "/path/of/its/key.pem"} for a GitHub App, or null'
    ),
    _token_schema(),
]
OptionalPublicUrl = Annotated[
    Annotated[_Plain, _only(_is_public_url)] | None,
    Form('the address that forges reach, such as "https://hooks.example.org", or null'),
]
GitHubUrl = Annotated[
    _Plain,
    _only(_is_github_url),
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
UserName = Annotated[
    _Plain, _only(_is_user), Form('a user\'s name without a colon, such as "azure"')
]
PublicKey = Annotated[
    _Plain, _only(_is_public_key), Form("the Base64 of the 32 bytes of an Ed25519 key")
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
    _Plain,
    _only(re.compile(r"[^.\s]+(\.[^.\s]+)*").fullmatch),
    Form('keys and indices of lists joined by dots, such as "data.ref"'),
]
Word = Annotated[_Plain, Form("a string that is not empty")]
JsonPaths = Annotated[
    tuple[JsonPath, ...], _only(bool), Form('a list of paths, such as ["data.url"]')
]
Words = Annotated[tuple[Word, ...], _only(bool), Form('a list of words, such as ["push"]')]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] | None,
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
    Form('"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL" or null'),
]
Command = Annotated[
    tuple[VariableValue, ...],
    _only(_is_command),
    Form('a list of strings, the program first, such as ["/usr/local/bin/check", "--all"]'),
]
Below = Annotated[
    _Plain, _only(_is_below), Form('a path below the directory that is built in, such as "site"')
]
Glob = Annotated[
    _Plain,
    _only(_is_glob),
    Form(
        'what git can find in a repository, such as "course", "grading/**/*.py" or "!docs", '
        "relative to its top"
    ),
]
TagPattern = Annotated[
    Annotated[_Plain, _only(refs.is_pattern)] | None,
    Form('the name of a tag in which * and ? may stand, such as "v*", or null'),
]
Clean = Annotated[Literal["none", "untracked", "ignored"], Form('"none", "untracked" or "ignored"')]
Depth = Annotated[
    Annotated[int, Between(1, 1000000)] | None, Form("a whole number from 1 to 1000000, or null")
]
Folder = Annotated[
    _Plain,
    _only(is_folder),
    Form('a directory of the repository, without a slash at its ends, such as "static/images"'),
]
OptionalHosts = Annotated[
    tuple[Annotated[_Plain, _only(_is_place)], ...] | None,
    BeforeValidator(_hosts, json_schema_input_type=bool | tuple[str, ...] | None),
    Form('true, false or a list of hosts, such as ["github.com", "git.example.org:2222"]'),
]
