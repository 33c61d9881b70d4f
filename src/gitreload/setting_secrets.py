"""The forms of what lets in: secrets, tokens and Apps of GitHub, and the keys of signers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeGuard, TypeVar

from pydantic import (
    AfterValidator,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)

from gitreload import signing_keys
from gitreload.credentials import (
    SHORTEST,
    AppriseUrl,
    ClientSecret,
    Secret,
    SigningSecret,
    Token,
    UnfitSecretError,
)
from gitreload.github_app import GitHubApp
from gitreload.setting_forms import Absolute, Form, as_path, sentence

_Secret = TypeVar("_Secret", bound=Secret)


def _entry(kind: type[_Secret]) -> Callable[[object, ValidationInfo], _Secret]:
    return lambda value, info: _secret(value, info, kind)


def _secret(value: object, info: ValidationInfo, kind: type[_Secret]) -> _Secret:
    if isinstance(value, kind):
        return value
    try:
        if isinstance(value, str):
            return kind(value)
        if isinstance(value, dict) and list(value) == ["FILE"]:
            return kind(file=as_path(value["FILE"], info))
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
        return GitHubApp(str(app_id), as_path(value.get("PRIVATE_KEY"), info), installation)
    except UnfitSecretError as error:
        raise sentence(str(error)) from None


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_id(value: object) -> bool:
    """A number, or a client id such as "Iv23liAbCdEf"."""
    return _is_number(value) or bool(isinstance(value, str) and re.fullmatch(r"[\w.-]+", value))


SigningKeysFile = Annotated[
    Absolute,
    AfterValidator(_signing_keys_file),
    Form('the path of a file with public keys, such as "/etc/gitreload/ada.pub"'),
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
    PlainValidator(_entry(Secret)),
    PlainSerializer(Secret.masked),
    _SECRET_FORM,
    _secret_schema(SHORTEST),
]
ClientSecretEntry = Annotated[
    ClientSecret,
    PlainValidator(_entry(ClientSecret)),
    PlainSerializer(Secret.masked),
    _SECRET_FORM,
    _secret_schema(1),
]
AppriseUrlEntry = Annotated[
    AppriseUrl,
    PlainValidator(_entry(AppriseUrl)),
    PlainSerializer(Secret.masked),
    _SECRET_FORM,
    _secret_schema(1),
]
SigningSecretEntry = Annotated[
    SigningSecret,
    PlainValidator(_entry(SigningSecret)),
    PlainSerializer(Secret.masked),
    _SECRET_FORM,
    _secret_schema(1),
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
