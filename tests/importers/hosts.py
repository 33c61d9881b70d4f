"""A host with the stand-in platform, for tests of one importer without a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fakes import course, platform
from gitreload import olx
from gitreload.importers import Importer, Source
from gitreload.model import Action, Checkout, Imported, Job, PermanentError, Reason, State
from gitreload.process import Runner
from gitreload.settings import Settings
from helpers import Remote, git

KEY = "Brook/Geo1/2026"


@dataclass
class Site:
    """A host with a platform, and one course cloned below its REPODIR."""

    kind: Callable[[Settings], Importer]
    platform: platform.Platform
    remote: Remote
    repodir: Path
    path: Path
    log: list[str] = field(default_factory=list)
    directory: str = "geo"
    origin: str | None = None
    branch: str | None = "main"
    aliases: tuple[str, ...] = ()
    folder: Path | None = None

    @classmethod
    def in_(cls, folder: Path, kind: Callable[[Settings], Importer]) -> Site:
        """Below `folder`, with an importer of this kind."""
        repodir = folder / "repos"
        repodir.mkdir()
        remote = Remote(folder / "forge", "geo")
        course.write_course(remote.work)
        remote.commit({}, "first")
        built = platform.build(folder / "platform", repodir=repodir)
        return cls(kind, built, remote, repodir, remote.clone(repodir / "geo"))

    @property
    def revision(self) -> str:
        return git("rev-parse", "HEAD", cwd=self.path)

    @property
    def checkout(self) -> Checkout:
        return Checkout(
            directory=self.directory,
            path=str(self.path.resolve()),
            origin=self.origin or self.remote.url,
            identities=frozenset(),
            branch=self.branch,
            follows=self.branch,
            aliases=self.aliases,
        )

    def importer(self, **keys: Any) -> Importer:
        given = {"REPODIR": str(self.repodir), "DJANGO_SETTINGS": "production", **keys}
        return self.kind(Settings.model_validate({**self.platform.keys(), **given}))

    def run(self, **keys: Any) -> Imported:
        """As a job does, but whatever the precheck finds: the platform is to stumble over it."""
        importer = self.importer(**keys)
        importer.check()
        source = self.source(**keys)
        importer.accept(source)
        return importer.run(source, Runner(log=self.log.append))

    def source(self, revision: str | None = None, **keys: Any) -> Source:
        repo = keys.get("REPOS", {}).get(self.directory, {})
        report = olx.examine(self.folder or self.path, (), repo.get("COURSE_KEY"))
        if not report.courses:
            raise PermanentError(str(report.errors[0]))
        job = Job(
            *(1, 1, self.directory, str(self.path), None),
            *(Action.IMPORT, State.RUNNING, Reason.PUSH, 0, 0),
        )
        return Source(
            job,
            self.checkout,
            self.folder or self.path,
            revision or self.revision,
            course=report.courses[0],
        )

    def change(self, **files: str) -> None:
        """Commit and check out changed files, named with `__` for `/` and `_` for `.`."""
        named = {name.replace("__", "/").replace("_", "."): text for name, text in files.items()}
        self.remote.commit(named)
        git("pull", "-q", cwd=self.path)

    def fails(self, kind: type[Exception] = PermanentError, **keys: Any) -> str:
        with pytest.raises(kind) as failed:
            self.run(**keys)
        assert type(failed.value) is kind
        return str(failed.value)
