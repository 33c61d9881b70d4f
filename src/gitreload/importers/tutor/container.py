"""The container of the platform's Studio (`cms`), and what runs in it.

It is reached by `tutor local|dev exec -T`, `tutor local|dev run` and `tutor k8s exec`, which lead
to `docker compose exec -T`, `docker compose run --rm -T` and `kubectl exec --stdin --tty`
(tutor/commands/compose.py and k8s.py). `kubectl` asks for no terminal where its input is none.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitreload import process
from gitreload.importers.evidence import Evidence
from gitreload.importers.failures import shown
from gitreload.importers.tutor import inside, relay
from gitreload.importers.tutor.unreached import unreached
from gitreload.model import GitreloadError, PermanentError, TransientError
from gitreload.process import Completed, Runner
from gitreload.settings import Settings

CHECK_SECONDS = 120.0
# It ends by itself in the container where nobody can reach it there any more.
LATER_SECONDS = 60.0

_PASSED_ON = re.compile(r"DOCKER_.*|COMPOSE_.*|KUBE.*|TUTOR_.*|XDG_.*")


@dataclass(frozen=True, slots=True)
class Files:
    """The directory `here` and where the container has it, or gets it: `there`."""

    here: Path
    there: str
    copied: bool


class Container:
    """Runs `manage.py cms` for one import of `course`; a `Platform` of `importers/cms.py`.

    `scratch` is a directory there that is made and removed again.
    """

    def __init__(self, settings: Settings, scratch: str, files: Files, course: str) -> None:
        self._settings = settings
        self._scratch = scratch
        self._files = files
        self._course = course

    def run(self, arguments: Sequence[str], runner: Runner, evidence: Evidence) -> Completed:
        """See `Platform`. Raises `TransientError` and `PermanentError` where it did not run."""
        told = _Told(evidence)
        completed = runner.run(
            [sys.executable, "-I", relay.__file__],
            cwd="/",
            env=_environment(self._settings) | {relay.ORDER: json.dumps(self._order(arguments))},
            timeout=self._settings.subprocess_timeout_minutes * 60,
            records=told.add,
        )
        if told.refused is not None:
            raise self._refusal(told.refused, told.why)
        if told.ended or completed.timed_out or completed.signal is not None:
            return completed
        if told.began:
            raise TransientError(
                "the connection to the container broke off while the import ran there, which ends "
                "it; the course may be imported in part"
            )
        raise unreached(self._settings.tutor, completed.output)

    def _order(self, arguments: Sequence[str]) -> dict[str, object]:
        files = self._files if arguments[0] == "import" else None
        return {
            "tutor": _way_in(self._settings),
            "word": secrets.token_hex(16),
            # Without --settings: the container's DJANGO_SETTINGS_MODULE names them.
            "argv": ["./manage.py", "cms", *arguments],
            "environment": dict(self._settings.importer_env),
            "folder": files and files.there,
            "digest": files and inside.digest(str(files.here)),
            "copy": str(files.here) if files and files.copied else None,
            "scratch": self._scratch,
            "course": self._course,
            "seconds": self._settings.subprocess_timeout_minutes * 60 + LATER_SECONDS,
        }

    def _refusal(self, word: str, why: str) -> GitreloadError:
        """The error for a word of `inside.py`."""
        if word == "busy":
            return TransientError(f"{self._course}: {why}")
        return self._not_copied(word, why) if self._files.copied else self._not_there(word, why)

    def _not_copied(self, word: str, why: str) -> GitreloadError:
        here = self._files.here
        if word == "different":
            return TransientError(
                f"the files of {here} changed while they were copied into the container; find out "
                "what else than gitreload writes there"
            )
        kind = PermanentError if word == "unpackable" else TransientError
        return kind(f"the files of {here} cannot be copied into the container: {shown(why)}")

    def _not_there(self, word: str, why: str) -> PermanentError:
        here, there = self._files.here, self._files.there
        repodir, tutor = self._settings.repodir, self._settings.tutor
        mount = "mount the volume of REPODIR there too"
        if tutor.mode != "k8s":
            mount = (
                f"mount REPODIR there: tutor mounts add cms:{repodir}:{tutor.path}, and then "
                f"tutor {tutor.mode} start -d; or take PATH out of TUTOR, so that the files are "
                "copied in"
            )
        if word == "missing":
            return PermanentError(
                f"the container has no {there}, where TUTOR.PATH says that {here} is; {mount}"
            )
        if word == "different":
            return PermanentError(
                f"the container has other files in {there} than {here} holds; {mount}"
            )
        return PermanentError(
            f"the container's user cannot read the files of {here} in {there}: {shown(why)}"
        )


class _Told:
    """Parts what comes of `inside.py` itself from the evidence."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self.began = False
        self.ended = False
        self.refused: str | None = None
        self.why = ""

    def add(self, line: str) -> None:
        if not line.startswith('{"tutor": '):
            self._evidence.add(line)
            return
        told = json.loads(line)["tutor"]
        self.began = self.began or "began" in told
        self.ended = self.ended or "ended" in told
        self.refused = told.get("refused", self.refused)
        self.why = told.get("why", self.why)


def check(settings: Settings) -> None:
    """Raise `TransientError` unless a program runs where imports are to run."""
    tutor = settings.tutor
    program, path = tutor.command[0], _environment(settings).get("PATH")
    if shutil.which(program, path=path) is None:
        raise TransientError(
            f"there is no {program} on the PATH of gitreload: TUTOR.COMMAND must name Tutor's "
            'program, such as ["/opt/tutor/bin/tutor"]'
        )
    if tutor.root is not None and not os.path.isfile(tutor.root / "config.yml"):  # noqa: PTH113
        raise TransientError(
            f"{tutor.root} has no config.yml that this user may see: TUTOR.ROOT must name Tutor's "
            "directory, which `tutor config printroot` tells"
        )
    completed = Runner(log=_nowhere).run(
        [*_way_in(settings), "true"],
        cwd="/",
        env=_environment(settings),
        timeout=CHECK_SECONDS,
    )
    if completed.timed_out:
        raise TransientError(
            f"tutor {tutor.mode} did not run `true` in cms within {CHECK_SECONDS:g} seconds; see "
            "what holds up Docker or the cluster"
        )
    if not completed.ok:
        raise unreached(tutor, completed.output)


def _nowhere(_: str) -> None:
    """The log of what only has to work."""


def _way_in(settings: Settings) -> list[str]:
    """What a program and its arguments have to follow, so that it runs in the container."""
    tutor = settings.tutor
    options = {
        ("local", "exec"): ["exec", "--", "-T", "cms"],
        ("dev", "exec"): ["exec", "--", "-T", "cms"],
        # Nothing else is to be started or made anew for an import.
        ("local", "run"): ["run", "--", "--no-deps", "cms"],
        ("dev", "run"): ["run", "--", "--no-deps", "cms"],
        ("k8s", "exec"): ["exec", "cms", "--"],
    }
    return [*tutor.command, tutor.mode, *options[tutor.mode, tutor.how]]


def _environment(settings: Settings) -> dict[str, str]:
    passed_on = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
    root = settings.tutor.root
    return process.environment() | passed_on | ({} if root is None else {"TUTOR_ROOT": str(root)})
