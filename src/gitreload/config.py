"""The configuration: a JSON file, then the environment, checked and made one `Settings`.

Nothing is read on import. Every problem becomes one line that names the file or variable, the key,
what was found (secrets never) and the form that is expected.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gitreload import audience, config_sources, remotes
from gitreload.config_sources import ConfigError, Raw
from gitreload.credentials import ADVISED, CURE
from gitreload.setting_forms import Start
from gitreload.setting_groups import RepoSettings
from gitreload.settings import (
    INNER_KEYS,
    KEYS,
    PATH_KEYS,
    Settings,
    default_state_dir,
    schema,
)
from gitreload.visible import visible

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = [
    "Config",
    "ConfigError",
    "RepoSettings",
    "Settings",
    "load",
    "masked",
    "refuse_open_host",
    "schema",
]

SECRET_KEYS = (
    *("WEBHOOK_SECRETS", "BASIC_AUTH", "SECRETS", "TOKEN", "GITHUB_TOKEN", "IMPORTER_ENV"),
    *("CLIENT_SECRET", "NOTIFY", "OUTGOING_WEBHOOKS"),
)
OBSOLETE = {  # keys of 0.1
    "LINKED_REPOS": "list the linked repositories' URLs in REPOS.<directory>.REMOTES",
    "ALSO_CLONE_REPOS": "clone the repository again by hand; every clone is kept current",
}


@dataclass(frozen=True, slots=True)
class Config:
    """The settings and where they come from.

    `path` is the file that was read, None without one. `sources` has for every key "default", the
    file, or the environment variable. `warnings` are sentences for the log.
    """

    settings: Settings
    path: Path | None
    sources: Mapping[str, str]
    warnings: tuple[str, ...]


def load(environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Config:
    """Read the first file there is and lay the environment over it.

    Raises `ConfigError` with every problem found.
    """
    environ = os.environ if environ is None else environ
    start = Start.of(environ, cwd)
    raw = config_sources.read(environ, start)
    warnings = [_obsolete(raw, key) for key in OBSOLETE if key in raw.values]
    raw.values.setdefault("STATE_DIR", str(default_state_dir(environ, start.home)))
    settings = _validated(raw, start)
    origins = {key: raw.origins.get(key, "default") for key in KEYS}
    _refuse_state_among_checkouts(settings, origins)
    _refuse_unknown_webhooks(settings, origins)
    _refuse_links_in_the_way(settings, origins)
    _refuse_idle_commands(settings, origins)
    _refuse_notifying_without_apprise(settings, origins)
    warnings += _doubtful(settings, raw, origins)
    return Config(settings, raw.path, origins, tuple(visible(warning) for warning in warnings))


def masked(config: Config) -> list[tuple[str, object, str]]:
    """Every key with its effective value (as JSON has it, secrets masked) and its source."""
    values = config.settings.model_dump(mode="json", by_alias=True)
    values["IMPORTER_ENV"] = dict.fromkeys(values["IMPORTER_ENV"], "********")
    return [(key, values[key], config.sources[key]) for key in KEYS]


def refuse_open_host(settings: Settings) -> str | None:
    """Why the server must not listen on HOST: anyone could queue jobs there. None if it may."""
    if settings.authenticated or settings.allow_unsigned or _is_loopback(settings.host):
        return None
    return (
        f"HOST is {settings.host}, which other machines can reach, and without a secret nothing "
        "tells genuine pushes from others; set WEBHOOK_SECRETS, or HOST to 127.0.0.1, or, if the "
        "web server in front authenticates, ALLOW_UNSIGNED to true"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _obsolete(raw: Raw, key: str) -> str:
    del raw.values[key]
    return f"{raw.origins[key]}: {key} does nothing any more; instead, {OBSOLETE[key]}"


def _validated(raw: Raw, start: Start) -> Settings:
    problems = raw.problems
    try:
        settings = Settings.model_validate(raw.values, by_alias=True, by_name=False, context=start)
        if not problems:
            return settings
    except ValidationError as error:
        problems += [
            f"{raw.origins[str(each['loc'][0])]}: {_problem(each)}"
            for each in error.errors(include_url=False)
            if each["type"] != "default_factory_not_called"  # its cause has a line of its own
        ]
    # Outside of the handler: a chained error would quote secrets.
    raise ConfigError(*problems)


# What is refused by its type alone, before any `Form` is asked.
_CONTAINERS = {
    "tuple_type": "a list, […]",
    "mapping_type": "an object, {…}",
    "dict_type": "an object, {…}",
    "model_type": "an object, {…}",
}


def _problem(error: ErrorDetails) -> str:
    """A sentence about one error of the model, with the key and without the source."""
    where = _shown(error["loc"])
    if error["type"] == "extra_forbidden":
        return _unknown(where)
    if error["type"] == "sentence":
        return f"{_dotted(where)}: {error['msg']}"
    if error["type"] == "missing":
        return f"{_dotted(where)} is missing; docs/configuration.md says what it is"
    form = error["ctx"]["form"] if error["type"] == "form" else _CONTAINERS[error["type"]]
    if where[-1] == "[key]":
        return f"{_dotted(where[:-2])} has the key {_quoted(where[-2])}; expected {form}"
    secret = any(key in SECRET_KEYS for key in where)
    found = _kind(error["input"]) if secret else _found(error["input"])
    return f"{_dotted(where)} is {found}; expected {form}"


def _shown(where: Sequence[int | str]) -> tuple[int | str, ...]:
    """`where`, without the password of a user who was written as user:password."""
    if where[0] != "BASIC_AUTH" or len(where) == 1:
        return tuple(where)
    return where[0], str(where[1]).partition(":")[0], *where[2:]


def _unknown(where: Sequence[int | str]) -> str:
    from difflib import get_close_matches

    # A directory of REPOS may be called as a key is.
    outer = where[0] if len(where) < 4 else where[2]
    known = KEYS if len(where) == 1 else INNER_KEYS[str(outer)]
    near = get_close_matches(str(where[-1]).upper(), known, n=1)
    cure = f"did you mean {_dotted((*where[:-1], near[0]))}?" if near else "remove it"
    return f"unknown key {_dotted(where)}; {cure}"


def _dotted(where: Sequence[int | str]) -> str:
    parts = (
        f"[{part}]" if isinstance(part, int) else f".{_cut(part) or '(empty)'}" for part in where
    )
    return "".join(parts).removeprefix(".")


def _found(value: object) -> str:
    return _kind(value) if isinstance(value, (list, dict)) else _quoted(value)


def _quoted(value: object) -> str:
    return _cut(remotes.mask(json.dumps(value, ensure_ascii=False)))


def _cut(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


def _kind(value: object) -> str:
    """What a value is, for those that must not be shown."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "a boolean"
    kinds = {str: "a string", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return kinds[type(value)]


def _refuse_state_among_checkouts(settings: Settings, origins: Mapping[str, str]) -> None:
    # By name only: a look at the disk would hang here when REPODIR's server does.
    state, repodir = os.path.normpath(settings.state_dir), os.path.normpath(settings.repodir)
    if Path(state).is_relative_to(repodir):
        raise ConfigError(
            f"{origins['STATE_DIR']}: STATE_DIR {state} must lie outside of REPODIR {repodir} "
            f"({origins['REPODIR']}), where updates remove what is not in git; "
            "choose another directory"
        )


def _refuse_unknown_webhooks(settings: Settings, origins: Mapping[str, str]) -> None:
    if settings.github_token is not None and settings.public_url is None:
        raise ConfigError(
            f"{origins['GITHUB_TOKEN']}: GITHUB_TOKEN needs PUBLIC_URL, which tells the webhooks "
            "that lead here from others; set it to the address that forges reach"
        )


def _refuse_notifying_without_apprise(settings: Settings, origins: Mapping[str, str]) -> None:
    for each in audience.notified(settings):
        if find_spec("apprise") is None:
            raise ConfigError(
                f"{_origin(origins, each.place)}: {each.place} needs Apprise, which is not "
                "installed: install gitreload[notify] where gitreload is, or take it out"
            )


def _refuse_links_in_the_way(settings: Settings, origins: Mapping[str, str]) -> None:
    """Raise ConfigError where two are published as one, or one where updates remove things."""
    repodir = os.path.normpath(settings.repodir)
    links: dict[str, Path] = {}
    for directory, repo in settings.repos.items():
        if repo.publish is None:
            continue
        link = settings.link(directory)
        where = f"{origins['REPOS']}: REPOS.{directory}.PUBLISH"
        if link.is_relative_to(repodir):
            raise ConfigError(
                f"{where}: the link {link} must lie outside of REPODIR {repodir} "
                f"({origins['REPODIR']}), where the checkouts are; set LINK to another place"
            )
        for other, taken in links.items():
            if link.is_relative_to(taken) or taken.is_relative_to(link):
                raise ConfigError(
                    f"{where}: the link {link} is in the way of {other}, which is published as "
                    f"{taken}; set LINK to another place"
                )
        links[directory] = link


def _refuse_idle_commands(settings: Settings, origins: Mapping[str, str]) -> None:
    for directory, repo in settings.repos.items():
        importer = repo.importer or settings.importer
        where = f"{origins['REPOS']}: REPOS.{directory}"
        if repo.command and importer not in ("command", "auto"):
            raise ConfigError(
                f"{where}.COMMAND is what the importer `command` runs, and {importer} imports "
                f"{directory}; set its IMPORTER to command, or remove COMMAND"
            )
        if repo.importer == "command" and not repo.command:
            raise ConfigError(
                f"{where}.IMPORTER is command, and COMMAND is missing, which it runs: a list such "
                'as ["/usr/local/bin/import-it"]'
            )


def _origin(origins: Mapping[str, str], where: str) -> str:
    """Where the key comes from that the place `where` ("SECRETS[0]") is in."""
    return origins[re.split("[.[]", where)[0]]


def _doubtful(settings: Settings, raw: Raw, origins: Mapping[str, str]) -> list[str]:
    """What works but is hardly meant, a sentence each."""
    doubts = [
        f"{origins[key]}: {key} is relative, so it depends on where the program is started; "
        f"write {getattr(settings, key.lower())} if that is meant"
        for key in PATH_KEYS
        if not (raw.values.get(key) or "/").startswith(("/", "~"))
    ]
    doubts += [
        f"{_origin(origins, where)}: {where}: the secret is shorter than {ADVISED} "
        f"characters; {CURE}"
        for where, secret in settings.secrets()
        if secret.short
    ]
    sent = [each.entry.url for each in audience.notified(settings)]
    signed = [each.entry.secret for each in audience.posted(settings)]
    all_secrets = [*(secret for _, secret in settings.secrets()), *sent, *signed]
    exposed = dict.fromkeys(filter(None, (secret.exposed for secret in all_secrets)))
    doubts += [
        f"every user of this machine may read the secret in {file}; run: chmod o-r {file}"
        for file in exposed
    ]
    doubts += [
        f"{_origin(origins, each.place)}: {each.place}: what is sent to {each.entry.url} is not "
        "encrypted; use https, or an address of this machine"
        for each in audience.posted(settings)
        if not (site := remotes.http_site(each.entry.url)) or not site.private
    ]
    if settings.authenticated and settings.allow_unsigned:
        doubts.append(
            f"{origins['ALLOW_UNSIGNED']}: ALLOW_UNSIGNED does nothing while there is a secret, in "
            "WEBHOOK_SECRETS, BASIC_AUTH or REPOS; remove one of them"
        )
    return doubts
