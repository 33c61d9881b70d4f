"""The import of a course by Studio's own management commands, wherever these run.

https://github.com/openedx/edx-platform/tree/master/cms/djangoapps/contentstore/management/commands
(import.py, update_course_outline.py, reindex_course.py). None of them asks anything when it is
given a course.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Protocol

from gitreload.importers.evidence import Evidence
from gitreload.importers.failures import failure
from gitreload.model import PermanentError
from gitreload.olx.keys import course_id
from gitreload.process import Completed, Runner
from gitreload.setting_importers import CmsImportSettings
from gitreload.settings import Settings

# reindex_course ends with 0 all the same.
_REINDEX_FAILED = re.compile(r"Error indexing course |Reindex failed for \d+ course")

_CURES = {
    "(unrecognized arguments|no such option).*python-?lib": "this platform is too old for that: "
    "take PYTHON_LIB and PYTHON_LIB_FILENAME out of CMS_IMPORT",
    "Unknown command: '?update_course_outline": "this platform is older than Lilac and needs no "
    "outline: take OUTLINE out of CMS_IMPORT",
    "Set the (CMS_CFG|STUDIO_CFG|LMS_CFG) env": "name the platform's settings file with IMPORTER_"
    "ENV, such as CMS_CFG",
}


class Platform(Protocol):
    """Where the commands run."""

    def run(self, arguments: Sequence[str], runner: Runner, evidence: Evidence) -> Completed:
        """Run `manage.py cms` with `arguments`; `evidence` gets what the platform's log says."""
        ...


def refuse_name(root: PurePath) -> None:
    """Raise `PermanentError` where the command would take the directory's name for an option."""
    if root.name.startswith("-"):
        raise PermanentError(
            f"the platform would take the name of the course's directory, {root.name}, for an "
            "option; give it another name"
        )


def import_course(
    command: str,
    platform: Platform,
    root: PurePath,
    key: str,
    *,
    settings: Settings,
    directory: str,
    runner: Runner,
) -> None:
    """Import the course `key` ("org/course/run") from `root`, and run what has to follow.

    `command` is the importer's name; `root` the directory of course.xml as an absolute path where
    the commands run; `directory` the checkout's name. Raises `TransientError` and
    `PermanentError`, and what `runner` raises.
    """
    options = settings.cms_import_of(directory)
    minutes = settings.subprocess_timeout_minutes
    evidence = Evidence()
    completed = platform.run(import_arguments(options, root), runner, evidence)
    if not completed.ok:
        raise failure(command, completed, minutes=minutes, cures=_CURES)
    if settings.evidence == "required":
        evidence.prove(key)
    for arguments in follow_ups(options, key):
        completed = platform.run(arguments, runner, Evidence())
        if not completed.ok or _REINDEX_FAILED.search(completed.output.decode("utf-8", "replace")):
            sentence = f"{key} is imported, but {arguments[0]}"
            raise failure(sentence, completed, minutes=minutes, cures=_CURES)


def import_arguments(options: CmsImportSettings, root: PurePath) -> list[str]:
    """The arguments of `manage.py cms` that import what lies in `root`, an absolute path."""
    flags = {
        "--nostatic": options.nostatic,
        "--nopythonlib": not options.python_lib,
        f"--python-lib-filename={options.python_lib_filename}": options.python_lib_filename,
    }
    given = [flag for flag, wanted in flags.items() if wanted]
    return ["import", str(root.parent), root.name, *given]


def follow_ups(options: CmsImportSettings, key: str) -> list[list[str]]:
    """The arguments of the commands to run after the import of `key`, one list a command."""
    commands = {"update_course_outline": options.outline, "reindex_course": options.reindex}
    return [[command, course_id(key)] for command, wanted in commands.items() if wanted]
