"""A host with Tutor, a platform in its container, and a course, to be imported into it."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fakes import course, platform, tutor
from gitreload import olx
from gitreload.importers import Source
from gitreload.importers.tutor import Tutor
from gitreload.model import Checkout, Imported, PermanentError
from gitreload.process import Runner
from gitreload.settings import Settings

KEY = "Brook/Geo1/2026"


@dataclass
class Site:
    """`path` is a checkout below REPODIR, of which git is never asked."""

    platform: platform.Platform
    containers: tutor.Containers
    repodir: Path
    path: Path
    log: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def mount(self) -> Path:
        """Where the container would have REPODIR."""
        return self.containers.root / "openedx/course_repos"

    def importer(self, *, tutor: dict[str, Any] | None = None, **keys: Any) -> Tutor:
        given = {"REPODIR": str(self.repodir), "TUTOR": {**self.containers.keys(), **(tutor or {})}}
        return Tutor(Settings.model_validate({**given, **keys}))

    def source(self, folder: Path | None = None) -> Source:
        checkout = Checkout(
            directory="geo",
            path=str(self.path),
            origin="https://forge.example/geo.git",
            identities=frozenset(),
            branch="main",
            follows="main",
        )
        folder = folder or self.path
        (found,) = olx.examine(folder).courses
        return Source(None, checkout, folder, "1" * 40, course=found)  # type: ignore[arg-type]

    def run(self, *, folder: Path | None = None, **keys: Any) -> Imported:
        importer = self.importer(**keys)
        source = self.source(folder)
        importer.accept(source)
        return importer.run(source, Runner(log=self.log.append, stop=self.stop))

    def fails(self, kind: type[Exception] = PermanentError, **keys: Any) -> str:
        with pytest.raises(kind) as failed:
            self.run(**keys)
        assert type(failed.value) is kind
        return str(failed.value)

    def started(self) -> list[dict[str, Any]]:
        return self.platform.journal("start")


def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str = sys.executable) -> Site:
    """`python` is that of the container."""
    repodir = tmp_path / "repos"
    course.write_course(repodir / "geo")
    (repodir / "geo/.git").mkdir()
    built = platform.build(tmp_path / "platform", repodir=repodir, python=python)
    containers = tutor.build(tmp_path / "containers", built)
    monkeypatch.setenv("PATH", f"{containers.bin}:{os.environ['PATH']}")
    return Site(built, containers, repodir, repodir / "geo")
