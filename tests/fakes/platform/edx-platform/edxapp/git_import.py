"""`add_repo` of edx_sysadmin/git_import.py: pull, import, name the course's directory."""

from __future__ import annotations

import logging
import os
import re
import subprocess
from pathlib import Path

from edxapp import behaviour, modulestore, xml_importer
from edxapp.management import CommandError, settings

log = logging.getLogger("edx_sysadmin.git_import")

MESSAGES = {
    "NO_DIR": "Path {0} doesn't exist, please create it, or configure a different path with "
    "GIT_REPO_DIR",
    "URL_BAD": "Non usable git url provided. Expecting something like:"
    " git@github.com:edx/edx4edx_lite.git",
    "BAD_REPO": "Unable to get git log",
    "CANNOT_PULL": "git clone or pull failed!",
    "XML_IMPORT_FAILED": "Unable to run import command.",
    "UNSUPPORTED_STORE": "The underlying module store does not support import.",
    "REMOTE_BRANCH_MISSING": "The specified remote branch is not available.",
    "CANNOT_BRANCH": "Unable to switch to specified branch. Please check your branch name.",
}


class GitImportError(Exception):
    """One of `MESSAGES`, by its name until 2017."""

    def __init__(self, name: str, *values: object) -> None:
        super().__init__(MESSAGES[name].format(*values))


def add_repo(repository: str, directory: str | None) -> None:
    repos = settings()["GIT_REPO_DIR"]
    if not os.path.isdir(repos):  # noqa: PTH112
        raise GitImportError("NO_DIR", repos)
    if not repository.endswith(".git") and not repository.startswith(
        ("http:", "https:", "git:", "file:")
    ):
        raise GitImportError("URL_BAD")
    # Only the last part counts, wherever the path leads.
    name = directory.rpartition("/")[2] if directory else _name_of(repository)
    with modulestore.run(f"{repos}/{name}") as notes:
        revision = _pull(repository, f"{repos}/{name}")
        notes["revision"] = revision
        notes["key"] = _import(repos, name, revision)
    if notes["key"]:
        _link(Path(repos), name, str(notes["key"]).split("/")[1])


def _name_of(repository: str) -> str:
    return repository.rpartition("/")[2].rpartition(".git")[0]


def _pull(repository: str, path: str) -> str:
    forced = behaviour.now().git_error
    if os.path.exists(path):  # noqa: PTH110
        log.info("directory already exists, doing a git pull instead of git clone")
        command, cwd = ["git", "pull"], path
    else:
        command, cwd = ["git", "clone", repository], os.path.dirname(path)  # noqa: PTH120
    try:
        _run(command, cwd)
    except subprocess.CalledProcessError as error:
        log.exception("Error running git pull: %r", error.output.decode())
        raise GitImportError("CANNOT_PULL") from error
    if forced in ("CANNOT_PULL", "CANNOT_BRANCH", "REMOTE_BRANCH_MISSING", "BAD_REPO"):
        raise GitImportError(forced)
    try:
        revision = _run(["git", "log", "-1", "--format=%H"], path).strip()
        _run(["git", "symbolic-ref", "--short", "HEAD"], path)
    except subprocess.CalledProcessError as error:
        log.exception("Unable to get git log: %r", error.output.decode())
        raise GitImportError("BAD_REPO") from error
    return revision


def _run(command: list[str], cwd: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
    )
    output = done.stdout.decode("utf-8")
    log.debug("Command was: %s. Working directory was: %s", " ".join(command), cwd)
    log.debug("Command output was: %r", output)
    return output


def _import(repos: str, name: str, revision: str) -> str | None:
    """The key of the imported course, found in the log as the platform finds it."""
    messages: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    handler = Keep(level=logging.DEBUG)
    loggers = [
        logging.getLogger("xmodule.modulestore.xml_importer"),
        logging.getLogger("xmodule.modulestore.xml"),
    ]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.addHandler(handler)
    try:
        _fail_as_told()
        xml_importer.import_command(repos, name, revision)
    except CommandError as error:
        raise GitImportError("XML_IMPORT_FAILED") from error
    except NotImplementedError as error:
        raise GitImportError("UNSUPPORTED_STORE") from error
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
        logger.removeHandler(handler)
    found = re.search(r"===> IMPORTING courselike (\S+)", "\n".join(messages))
    return found[1] if found else None


def _fail_as_told() -> None:
    forced = behaviour.now().git_error
    if forced == "UNSUPPORTED_STORE":
        raise NotImplementedError
    if forced == "XML_IMPORT_FAILED":
        raise CommandError


def _link(repos: Path, name: str, course: str) -> None:
    """The course's own name for its directory; a stale one stays, as in the platform."""
    if not os.path.lexists(repos / course):
        (repos / course).symlink_to(repos / name)
