"""A stand-in for Tutor's command and for the Docker and Kubernetes under it.

`build` lays out a directory of programs. `tutor` there calls `docker` and `kubectl` with the very
arguments that the real one does, which a test compares; these run a program in a "container": in
the platform's directory, with an environment of its own, and out of reach of whoever called, as a
daemon would. Paths in the container are paths of this host. `Containers.behave` changes how things
are, from the next call on.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes.platform import Platform

PROGRAMS = Path(__file__).with_name("programs")


@dataclass(frozen=True)
class Containers:
    """Built programs, below `root`."""

    root: Path

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def tutor_root(self) -> Path:
        return self.root / "tutor"

    def keys(self) -> dict[str, Any]:
        """The settings of `TUTOR` that name these programs."""
        return {"COMMAND": [str(self.bin / "tutor")], "ROOT": str(self.tutor_root)}

    def behave(self, **how: Any) -> None:
        """`running`: whether cms runs. `daemon`: how Docker is: "up", "down" or "forbidden".

        `cut`: a file; once it exists, the client of a program is killed.
        """
        file = self.root / "behaviour.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **how}))

    def calls(self) -> list[list[str]]:
        """What `docker` and `kubectl` were called with, their names first."""
        file = self.root / "calls.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def build(target: Path, platform: Platform) -> Containers:
    """Lay out the programs below `target`; their containers have `platform`."""
    made = Containers(target)
    made.bin.mkdir(parents=True)
    made.tutor_root.mkdir()
    (made.tutor_root / "config.yml").write_text("ID: fake\n")
    for program in PROGRAMS.iterdir():
        copy = made.bin / program.name
        copy.write_text(f"#!{sys.executable} -IS\n{program.read_text()}")
        copy.chmod(0o755)
    container = {
        "PATH": f"{platform.virtual_env / 'bin'}:{os.defpath}",
        "HOME": str(target),
        "TMPDIR": str(target),
        "SERVICE_VARIANT": "cms",
        "DJANGO_SETTINGS_MODULE": "cms.envs.production",
    }
    facts = {"workdir": str(platform.edx_platform), "environment": container}
    behaviour = {"running": True, "daemon": "up", "cut": None}
    (target / "behaviour.json").write_text(json.dumps({**facts, **behaviour}))
    assert shutil.which("python", path=container["PATH"]), "as in the image"
    return made
