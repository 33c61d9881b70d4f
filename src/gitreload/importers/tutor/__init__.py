"""Imports with `manage.py cms import` in a container of an Open edX that Tutor runs."""

from __future__ import annotations

import os
import secrets
from pathlib import Path, PurePosixPath

from gitreload.importers import Source
from gitreload.importers.cms import import_course, refuse_name
from gitreload.importers.digests import digest
from gitreload.importers.tutor.container import Container, Files, check
from gitreload.model import Checkout, Imported, PermanentError
from gitreload.process import Runner
from gitreload.settings import Settings


class Tutor:
    """The importer `tutor`."""

    name = "tutor"
    needs_course = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def check(self) -> None:
        """See `Importer`. Runs `true` where an import would run."""
        check(self._settings)

    def settings_digest(self, checkout: Checkout) -> str:
        """See `Importer`. How the files get there does not decide what becomes of them."""
        settings = self._settings
        return digest(
            self.name,
            settings.tutor.model_dump(mode="json", include={"command", "root", "mode"}),
            sorted(settings.importer_env.items()),
            settings.cms_import_of(checkout.directory).model_dump(),
            settings.evidence,
            settings.repo(checkout.directory).course_key,
        )

    def accept(self, source: Source) -> None:
        """See `Importer`."""
        refuse_name(source.root)
        self._mounted(source)

    def run(self, source: Source, runner: Runner) -> Imported:
        """See `Importer`."""
        assert source.course is not None, "it was accepted"
        # In the container, in nobody's way there.
        scratch = f"/tmp/gitreload-{secrets.token_hex(16)}"  # noqa: S108
        files = self._files(source, scratch)
        import_course(
            self.name,
            Container(self._settings, scratch, files, source.course.key),
            PurePosixPath(files.there) / source.course.root,
            source.course.key,
            settings=self._settings,
            directory=source.checkout.directory,
            runner=runner,
        )
        return Imported(source.course.key, self.settings_digest(source.checkout))

    def _files(self, source: Source, scratch: str) -> Files:
        mounted = self._mounted(source)
        if mounted is not None:
            return Files(source.folder, mounted, copied=False)
        name = Path(source.checkout.path).name
        return Files(source.folder, f"{scratch}/{name}", copied=True)

    def _mounted(self, source: Source) -> str | None:
        """Where the container sees the files; None where they are to be copied."""
        path = self._settings.tutor.path
        if path is None:
            return None
        repodir = os.path.realpath(self._settings.repodir)
        if not source.folder.is_relative_to(repodir):
            raise PermanentError(
                f"{source.folder} is not below REPODIR, {repodir}, and so not below TUTOR.PATH in "
                "the container; take PATH out of TUTOR, so that the files are copied in"
            )
        return str(PurePosixPath(path) / source.folder.relative_to(repodir))
