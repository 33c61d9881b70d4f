"""Imports with `manage.py cms import`, which every release of the platform has."""

from __future__ import annotations

from gitreload.importers import Source
from gitreload.importers.cms import import_course, refuse_name
from gitreload.importers.digests import digest
from gitreload.importers.manage import Manage
from gitreload.model import Checkout, Imported
from gitreload.process import Runner
from gitreload.settings import Settings


class CmsImport:
    """The importer `cms_import`."""

    name = "cms_import"
    needs_course = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._manage = Manage(settings, "cms")

    def check(self) -> None:
        """See `Importer`."""
        self._manage.check()

    def settings_digest(self, checkout: Checkout) -> str:
        """See `Importer`."""
        settings = self._settings
        return digest(
            self.name,
            self._manage.decides,
            settings.cms_import_of(checkout.directory).model_dump(),
            settings.evidence,
            settings.repo(checkout.directory).course_key,
        )

    def accept(self, source: Source) -> None:
        """See `Importer`."""
        refuse_name(source.root)

    def run(self, source: Source, runner: Runner) -> Imported:
        """See `Importer`."""
        checkout, course = source.checkout, source.course
        assert course is not None, "it was accepted"
        import_course(
            *(self.name, self._manage, source.root, course.key),
            settings=self._settings,
            directory=checkout.directory,
            runner=runner,
        )
        return Imported(course.key, self.settings_digest(checkout))
