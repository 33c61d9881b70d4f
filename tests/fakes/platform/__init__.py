"""A stand-in for the Open edX platform, which needs databases that cannot run here.

`build` lays out what EDX_PLATFORM and VIRTUAL_ENV name. Its `manage.py lms git_add_course` and
`manage.py cms import` are real processes: they read the OLX (the first pulls before) and write what
they read, fail as the platform fails, and log as the platform logs in production.
`Platform.behave` changes how, from the next run on.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

FILES = Path(__file__).with_name("edx-platform")


@dataclass(frozen=True)
class Platform:
    """A built platform, below `root`."""

    root: Path

    @property
    def edx_platform(self) -> Path:
        return self.root / "edx-platform"

    @property
    def virtual_env(self) -> Path:
        return self.root / "venv"

    @property
    def modulestore(self) -> Path:
        return self.root / "modulestore"

    def keys(self) -> dict[str, str]:
        """The keys of gitreload's configuration that name this platform."""
        return {"EDX_PLATFORM": str(self.edx_platform), "VIRTUAL_ENV": str(self.virtual_env)}

    def behave(self, **how: Any) -> None:
        """Behave so from the next run on; see `Behaviour` in edx-platform/edxapp/behaviour.py."""
        file = self.edx_platform / "behaviour.json"
        new = file.with_suffix(".new")
        new.write_text(json.dumps(how))
        new.replace(file)

    def course(self, key: str) -> dict[str, Any] | None:
        """What the platform has of the course "org/course/run": `revision`, `tree`, `files`, …"""
        file = self.modulestore / f"{key.replace('/', '+')}.json"
        return dict(json.loads(file.read_text())) if file.exists() else None

    def forget(self) -> None:
        """Have no courses."""
        for file in self.modulestore.glob("*.json"):
            file.unlink()

    def add_course(self, key: str) -> None:
        """Have a course already."""
        file = self.modulestore / f"{key.replace('/', '+')}.json"
        file.write_text(json.dumps({"key": key}))

    def journal(self, event: str | None = None) -> list[dict[str, Any]]:
        """What happened, in order: `start` and `end` of every run, and every `overlap`.

        A run that was killed has no end.
        """
        file = self.modulestore / "journal.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        entries = [dict(json.loads(line)) for line in lines]
        return [entry for entry in entries if event in (None, entry["event"])]


def build(target: Path, *, repodir: Path, python: str = sys.executable) -> Platform:
    """Lay out a platform below `target` that runs on `python` and has its courses in `repodir`."""
    platform = Platform(target)
    shutil.copytree(FILES, platform.edx_platform, ignore=shutil.ignore_patterns("__pycache__"))
    platform.modulestore.mkdir()
    settings = {"GIT_REPO_DIR": str(repodir), "MODULESTORE": str(platform.modulestore)}
    (platform.edx_platform / "settings.json").write_text(json.dumps(settings))
    platform.behave()
    shim = platform.virtual_env / "bin/python"
    shim.parent.mkdir(parents=True)
    shim.write_text(f'#!/bin/sh\nexec "{python}" "$@"\n')
    shim.chmod(0o755)
    return platform


def manifest(folder: Path) -> dict[str, str]:
    """What `course(…)["files"]` must be after an import of `folder`: path → SHA-256."""
    return {
        name: sha256((folder / name).read_bytes()).hexdigest()
        for name in sorted(
            os.path.relpath(os.path.join(parent, file), folder)  # noqa: PTH118
            for parent, _, files in os.walk(folder)
            if ".git" not in Path(parent).relative_to(folder).parts
            for file in files
        )
    }
