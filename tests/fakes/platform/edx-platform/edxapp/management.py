"""What Django does around a management command: settings, logging, arguments, errors."""

from __future__ import annotations

import argparse
import importlib
import logging.config
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

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


def execute(argv: Sequence[str]) -> None:
    """Run the command that `argv` names, as django.core.management does."""
    wanted = behaviour.now()
    _configure_logging(wanted)
    name, *arguments = argv[1:] or ["help"]
    if name != "git_add_course":
        sys.stderr.write(f"Unknown command: {name!r}\nType 'manage.py help' for usage.\n")
        sys.exit(1)
    parse = _parse_positional if wanted.style == "positional" else _parse_options

    from edxapp import git_import  # after logging is configured

    try:
        repository, directory = parse(arguments)
        if wanted.database_away:
            raise OperationalError(2003, "Can't connect to MySQL server on 'mysql:3306' (111)")
        try:
            git_import.add_repo(repository, directory)
        except git_import.GitImportError as error:
            raise CommandError(str(error)) from error
    except CommandError as error:
        sys.stderr.write(f"CommandError: {error}\n")
        sys.exit(1)


def _configure_logging(wanted: behaviour.Behaviour) -> None:
    module = importlib.import_module(os.environ["DJANGO_SETTINGS_MODULE"])
    config = dict(module.LOGGING)
    config["disable_existing_loggers"] = wanted.disable_loggers
    config["loggers"][""]["level"] = wanted.log_level
    logging.config.dictConfig(config)


def _parse_options(arguments: Sequence[str]) -> tuple[str, str | None]:
    parser = argparse.ArgumentParser(prog="manage.py git_add_course")
    parser.add_argument("repository_url")
    parser.add_argument("--directory_path", action="store")
    parser.add_argument("--repository_branch", action="store")
    found = parser.parse_args(arguments)
    return found.repository_url, found.directory_path


def _parse_positional(arguments: Sequence[str]) -> tuple[str, str | None]:
    """As before 2018, by optparse."""
    for argument in arguments:
        if argument.startswith("-"):
            _refuse(argument.partition("=")[0])
    if not 1 <= len(arguments) <= 3:
        raise CommandError("This script requires at least one argument, the git URL")
    return arguments[0], arguments[1] if len(arguments) > 1 else None


def _refuse(option: str) -> NoReturn:
    sys.stderr.write(
        "Usage: manage.py git_add_course [options] \n\n"
        f"manage.py: error: no such option: {option}\n"
    )
    sys.exit(2)
