"""Runs management commands of an Open edX platform that is installed on this host.

    <VIRTUAL_ENV>/bin/python launcher.py manage.py lms|cms --settings=<DJANGO_SETTINGS> COMMAND…

in EDX_PLATFORM. The launcher copies what the platform's log says in proof; see `Evidence`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from gitreload.importers.evidence import Evidence
from gitreload.model import TransientError
from gitreload.process import Completed, Runner
from gitreload.settings import Settings

LAUNCHER = Path(__file__).resolve().with_name("launcher.py")

_PASSED_ON = ("HOME", "PATH", "LANG", "LMS_CFG", "CMS_CFG", "STUDIO_CFG", "REVISION_CFG")


class Manage:
    """`manage.py lms` or `manage.py cms` of the platform that `settings` name."""

    def __init__(self, settings: Settings, service: Literal["lms", "cms"]) -> None:
        self._settings = settings
        self._service = service
        self._python = settings.virtual_env / "bin/python"

    @property
    def decides(self) -> list[object]:
        """What of the configuration decides what a command does, as JSON can hold it."""
        settings = self._settings
        return [
            self._service,
            settings.django_settings,
            str(settings.edx_platform),
            str(settings.virtual_env),
            str(settings.lms_cfg),
            str(settings.revision_cfg),
            sorted(settings.importer_env.items()),
        ]

    def check(self) -> None:
        """Raise `TransientError` unless it is there: a mount or an upgrade may bring it back."""
        manage = self._settings.edx_platform / "manage.py"
        if not os.path.isfile(manage):  # noqa: PTH113 (no raise where it may not be looked into)
            raise TransientError(
                f"there is no Open edX platform: {manage} is missing; "
                "EDX_PLATFORM must name the platform's directory"
            )
        if not os.access(self._python, os.X_OK):
            raise TransientError(
                f"{self._python} is missing or cannot be run; "
                "VIRTUAL_ENV must name the platform's virtual environment"
            )

    def run(
        self,
        arguments: Sequence[str],
        runner: Runner,
        evidence: Evidence,
        variables: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run the command with `arguments`, its name first; raises what `runner` raises.

        `variables` are added to its environment.
        """
        settings = self._settings
        manage = ["manage.py", self._service, f"--settings={settings.django_settings}"]
        return runner.run(
            [str(self._python), str(LAUNCHER), *manage, *arguments],
            cwd=str(settings.edx_platform),
            env=self._environment() | dict(variables or {}),
            timeout=settings.subprocess_timeout_minutes * 60,
            records=evidence.add,
        )

    def _environment(self) -> dict[str, str]:
        configured = {
            "LMS_CFG": self._settings.lms_cfg,
            "REVISION_CFG": self._settings.revision_cfg,
        }
        return (
            {
                name: value
                for name, value in os.environ.items()
                if name in _PASSED_ON or name.startswith("DJANGO_")
            }
            | {"SERVICE_VARIANT": self._service}
            | {name: str(value) for name, value in configured.items() if value is not None}
            | dict(self._settings.importer_env)
            | {"GIT_TERMINAL_PROMPT": "0"}
        )
