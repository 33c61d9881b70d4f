"""The management commands, by the system that has them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from edxapp import behaviour, git_import, studio
from edxapp.management import CommandError, connect


def git_add_course(arguments: Sequence[str]) -> None:
    positional = behaviour.now().style == "positional"
    repository, directory = _positions(arguments) if positional else _options(arguments)
    connect()
    try:
        git_import.add_repo(repository, directory)
    except git_import.GitImportError as error:
        raise CommandError(str(error)) from error


def cms_import(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="manage.py import")
    parser.add_argument("data_directory")
    parser.add_argument("course_dirs", nargs="*", metavar="course_dir")
    parser.add_argument("--nostatic", action="store_true")
    if behaviour.now().style != "positional":
        parser.add_argument("--nopythonlib", action="store_true")
        parser.add_argument("--python-lib-filename", default="python_lib.zip")
    given = parser.parse_args(arguments)
    connect()
    studio.import_courses(
        given.data_directory,
        given.course_dirs,
        static=not given.nostatic,
        python_lib=None if given.nopythonlib else given.python_lib_filename,
    )


def update_course_outline(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="manage.py update_course_outline")
    parser.add_argument("course_key")
    studio.update_outline(parser.parse_args(arguments).course_key)


def reindex_course(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="manage.py reindex_course")
    parser.add_argument("course_ids", nargs="*", metavar="course_id")
    parser.add_argument("--all", action="store_true")
    given = parser.parse_args(arguments)
    if given.all and input("Re-indexing all courses might be a time consuming operation.") != "y":
        return
    studio.reindex(given.course_ids)


COMMANDS: Mapping[str, Mapping[str, Callable[[Sequence[str]], None]]] = {
    "lms": {"git_add_course": git_add_course},
    "cms": {
        "import": cms_import,
        "update_course_outline": update_course_outline,
        "reindex_course": reindex_course,
    },
}


def _options(arguments: Sequence[str]) -> tuple[str, str | None]:
    parser = argparse.ArgumentParser(prog="manage.py git_add_course")
    parser.add_argument("repository_url")
    parser.add_argument("--directory_path", action="store")
    parser.add_argument("--repository_branch", action="store")
    found = parser.parse_args(arguments)
    return found.repository_url, found.directory_path


def _positions(arguments: Sequence[str]) -> tuple[str, str | None]:
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
