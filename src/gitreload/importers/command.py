"""Imports with a command of the operator's own: `COMMAND`, whatever it is that it imports."""

from __future__ import annotations

from gitreload.importers import Source
from gitreload.importers.digests import digest
from gitreload.model import Checkout, Imported, PermanentError
from gitreload.process import Runner
from gitreload.settings import Settings
from gitreload.steps import Step


class Command:
    """The importer `command`. It takes what is no course, and proves nothing but exit code 0."""

    name = "command"
    needs_course = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def check(self) -> None:
        """See `Importer`. Only the command itself knows what it needs."""

    def settings_digest(self, checkout: Checkout) -> str:
        """See `Importer`."""
        return digest(self._argv(checkout))

    def accept(self, source: Source) -> None:
        """See `Importer`. Where `IMPORTER` is set for all, a checkout may have no command."""
        if not self._argv(source.checkout):
            name = source.checkout.directory
            raise PermanentError(
                f"IMPORTER is command, and {name} has none: set REPOS.{name}.COMMAND to a list, "
                'such as ["/usr/local/bin/import-it"], or let its webhook call /update'
            )

    def run(self, source: Source, runner: Runner) -> Imported:
        """See `Importer`."""
        checkout = source.checkout
        key = None if source.course is None else source.course.key
        published = self._settings.repo(checkout.directory).publish is not None
        step = Step(
            "COMMAND",
            self._argv(checkout),
            source.job,
            checkout,
            self._settings.link(checkout.directory) if published else source.folder,
            source.revision,
            source.previous,
            self._settings.subprocess_timeout_minutes * 60,
            course=key,
        )
        step.run(runner, source.folder)
        return Imported(key, self.settings_digest(checkout))

    def _argv(self, checkout: Checkout) -> tuple[str, ...]:
        return self._settings.repo(checkout.directory).command
