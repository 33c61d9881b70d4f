"""Where the configuration comes from: a JSON file and the environment, as raw values."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitreload.model import GitreloadError
from gitreload.setting_forms import Start
from gitreload.settings import KEYS, kind, nullable
from gitreload.visible import visible

FILE_NAME = "gr.env.json"
SYSTEM_FILE = Path("/etc", FILE_NAME)
PREFIX = "GITRELOAD_"
# No keys: these say where the file is, and what an attempt gives to its children.
NOT_KEYS = ("GITRELOAD_CONFIG", "GITRELOAD_ATTEMPT", "GITRELOAD_EVIDENCE_FD")
JOB_PREFIX = "GITRELOAD_JOB_"


class ConfigError(GitreloadError):
    """The configuration cannot be used. Its text has every problem on a line of its own."""

    def __init__(self, *problems: str) -> None:
        self.problems = tuple(visible(problem) for problem in problems)
        super().__init__("\n".join(self.problems))


@dataclass(slots=True)
class Raw:
    """Values by key, unchecked; `origins` has the file or the variable that each key is from."""

    path: Path | None = None
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read(environ: Mapping[str, str], start: Start) -> Raw:
    """The first file there is, and the environment over it. What cannot be read is a problem."""
    raw = Raw(path=_find(environ, start))
    if raw.path:
        try:
            raw.values = _read_file(raw.path, named=bool(environ.get("GITRELOAD_CONFIG")))
            raw.origins = dict.fromkeys(raw.values, str(raw.path))
        except ConfigError as error:
            raw.problems += error.problems
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in NOT_KEYS or name.startswith(JOB_PREFIX):
            continue
        key = visible(name.removeprefix(PREFIX))
        origin = f"environment variable {name}"
        try:
            raw.values[key] = _variable(key, environ[name], origin)
            raw.origins[key] = origin
        except ConfigError as error:
            raw.problems += error.problems
    return raw


def _find(environ: Mapping[str, str], start: Start) -> Path | None:
    named = environ.get("GITRELOAD_CONFIG")
    if named:
        return start.absolute(named)
    candidates = (start.cwd / FILE_NAME, start.home / FILE_NAME, SYSTEM_FILE)
    # `lexists` is false in a directory that may not be searched, and true for a dangling link.
    return next((path for path in candidates if os.path.lexists(path)), None)


def _read_file(path: Path, *, named: bool) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        cure = "correct or unset GITRELOAD_CONFIG" if named else "make it readable, or remove it"
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; {cure}") from error
    except UnicodeDecodeError as error:  # it holds the text, perhaps with secrets: no cause
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    if not text.strip():
        raise ConfigError(f"{path}: the file is empty; the smallest that is valid holds {{}}")
    values = _parse(text, str(path))
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: the file must hold one JSON object, {{…}}")
    return values


def _variable(key: str, text: str, origin: str) -> object:
    if key not in KEYS:
        return None  # refused or warned about by its name alone
    if kind(key) == "text" and not (key == "GITHUB_TOKEN" and text.startswith("{")):
        return None if not text and nullable(key) else text
    try:
        return _parse(text, origin)
    except ConfigError as error:
        if kind(key) == "scalar":
            return text  # refused with the form that is expected, which says more
        raise ConfigError(f"{error}; expected JSON, as in the file") from None


def _parse(text: str, origin: str) -> object:
    """Strict JSON: no key twice in one object, no NaN. An error never quotes values."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        why = f"not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}"
    except ConfigError as error:
        why = str(error)
    except ValueError:  # Python's limit for the digits of a number
        why = "a number has too many digits; shorten it"
    except RecursionError:
        why = "nested too deep; no key needs more than three levels"
    raise ConfigError(f"{origin}: {why}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ConfigError(f"the key {key} is there twice in one object; keep one")
        if visible(key) != key:
            raise ConfigError(f"the key {key} has invisible characters; remove them")
        values[key] = value
    return values


def _no_constant(name: str) -> None:
    raise ConfigError(f"{name} is not a number of JSON; write a finite one")
