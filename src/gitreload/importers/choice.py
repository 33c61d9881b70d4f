"""Which importer imports a checkout: as configured, or with `auto` what this host has."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gitreload.importers import Importer
from gitreload.importers.cms_import import CmsImport
from gitreload.importers.command import Command
from gitreload.importers.git_add_course import GitAddCourse
from gitreload.importers.studio import Studio
from gitreload.importers.tutor import Tutor
from gitreload.model import Checkout, TransientError
from gitreload.settings import Settings

_KINDS: Mapping[str, Callable[[Settings], Importer]] = {
    "git_add_course": GitAddCourse,
    "cms_import": CmsImport,
    "tutor": Tutor,
    "studio": Studio,
    "command": Command,
}

# Where the command is, relative to the platform before Lilac, and to the virtual environment since
# with the plugin edx-sysadmin.
_IN_PLATFORM = "lms/djangoapps/dashboard/management/commands/git_add_course.py"
_IN_PLUGIN = "lib/python*/site-packages/edx_sysadmin/management/commands/git_add_course.py"


@dataclass(frozen=True, slots=True)
class Choice:
    """An importer's name, and why it is that."""

    name: str
    why: str


class Importers:
    """All that the configuration names, each made once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[str, Importer] = {}

    @property
    def default(self) -> Importer:
        """That of checkouts with nothing of their own; raises as `of`."""
        return self._importer(self._choice("").name)

    def of(self, checkout: Checkout) -> Importer:
        """That of one checkout.

        Raises `TransientError` where `auto` finds nothing to import with: it may come yet.
        """
        return self._importer(self._choice(checkout.directory).name)

    def choice(self, checkout: Checkout) -> Choice:
        """Which imports a checkout, and why; raises as `of`."""
        return self._choice(checkout.directory)

    def _choice(self, directory: str) -> Choice:
        settings = self._settings
        own = settings.repo(directory).importer
        name = own or settings.importer
        if name != "auto":
            set_by = f"REPOS.{directory}.IMPORTER" if own else "IMPORTER"
            return Choice(name, f"by {set_by}")
        for choice in _found(settings, directory):
            return choice
        raise TransientError(
            "IMPORTER auto finds nothing to import with: there is no platform at EDX_PLATFORM "
            f"({settings.edx_platform}), no STUDIO is configured, and no program tutor is on PATH; "
            "set one of them up, or IMPORTER"
        )

    def _importer(self, name: str) -> Importer:
        # Made by two threads at once, one of two equal ones is forgotten.
        made = self._made.get(name)
        return made or self._made.setdefault(name, _KINDS[name](self._settings))


def _found(settings: Settings, directory: str) -> Iterator[Choice]:
    """What could import a checkout, what is most likely meant first."""
    repo = settings.repo(directory)
    if repo.command:
        yield Choice("command", f"auto: REPOS.{directory}.COMMAND is set")
    if repo.studio or settings.studio:
        yield Choice("studio", "auto: STUDIO is configured")
    if Path(settings.edx_platform, "manage.py").is_file():
        yield _by_the_platform(settings, directory)
    if shutil.which(settings.tutor.command[0]) is not None:
        yield Choice("tutor", f"auto: no platform is at {settings.edx_platform}, and Tutor is here")


def _by_the_platform(settings: Settings, directory: str) -> Choice:
    repo = settings.repo(directory)
    here = f"the platform at {settings.edx_platform}"
    if repo.subdir or repo.build:
        key = "SUBDIR" if repo.subdir else "BUILD"
        return Choice("cms_import", f"auto: {here} can, and git_add_course knows no {key}")
    if Path(settings.edx_platform, _IN_PLATFORM).is_file():
        return Choice("git_add_course", f"auto: {here} has it")
    if any(settings.virtual_env.glob(_IN_PLUGIN)):
        return Choice("git_add_course", f"auto: the plugin edx-sysadmin in {settings.virtual_env}")
    return Choice("cms_import", f"auto: {here} has no git_add_course")
