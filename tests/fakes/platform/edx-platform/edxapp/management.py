"""What Django does around a management command: settings, logging, arguments, errors."""

from __future__ import annotations

import importlib
import logging.config
import os
import sys
from collections.abc import Sequence
from typing import Any

from edxapp import behaviour


class CommandError(Exception):
    """Told in one line, without a traceback; exit code 1."""

    __module__ = "django.core.management.base"


class OperationalError(Exception):
    """A database cannot be reached."""

    __module__ = "django.db.utils"


def settings() -> dict[str, Any]:
    module = importlib.import_module(os.environ["DJANGO_SETTINGS_MODULE"])
    return dict(module.SETTINGS)


def execute(system: str, argv: Sequence[str]) -> None:
    """Run the command that `argv` names in `system`, as django.core.management does."""
    wanted = behaviour.now()
    _configure_logging(wanted)

    from edxapp import commands  # after logging is configured

    name, *arguments = argv or ["help"]
    command = commands.COMMANDS[system].get(name)
    if command is None:
        sys.stderr.write(f"Unknown command: {name!r}\nType 'manage.py help' for usage.\n")
        sys.exit(1)
    try:
        command(arguments)
    except CommandError as error:
        sys.stderr.write(f"CommandError: {error}\n")
        sys.exit(1)


def connect() -> None:
    """What the first query does."""
    if behaviour.now().database_away:
        raise OperationalError(2003, "Can't connect to MySQL server on 'mysql:3306' (111)")


def _configure_logging(wanted: behaviour.Behaviour) -> None:
    module = importlib.import_module(os.environ["DJANGO_SETTINGS_MODULE"])
    config = dict(module.LOGGING)
    config["disable_existing_loggers"] = wanted.disable_loggers
    config["loggers"][""]["level"] = wanted.log_level
    logging.config.dictConfig(config)
