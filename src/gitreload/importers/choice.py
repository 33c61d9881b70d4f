"""Which importer imports a checkout: as configured."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitreload.importers import Importer
from gitreload.importers.cms_import import CmsImport
from gitreload.importers.command import Command
from gitreload.importers.git_add_course import GitAddCourse
from gitreload.importers.studio import Studio
from gitreload.importers.tutor import Tutor
from gitreload.model import Checkout
from gitreload.settings import Settings

_KINDS: Mapping[str, Callable[[Settings], Importer]] = {
    "git_add_course": GitAddCourse,
    "cms_import": CmsImport,
    "studio": Studio,
    "command": Command,
    "tutor": Tutor,
}


class Importers:
    """All that the configuration names, each made once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[str, Importer] = {}

    @property
    def default(self) -> Importer:
        """That of checkouts with none of their own."""
        return self._importer(self._settings.importer)

    def of(self, checkout: Checkout) -> Importer:
        """That of one checkout."""
        own = self._settings.repo(checkout.directory).importer
        return self._importer(own or self._settings.importer)

    def _importer(self, name: str) -> Importer:
        # Made by two threads at once, one of two equal ones is forgotten.
        made = self._made.get(name)
        return made or self._made.setdefault(name, _KINDS[name](self._settings))
