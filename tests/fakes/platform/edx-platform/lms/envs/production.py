"""The settings of the LMS; the file that LMS_CFG names overrides."""

from __future__ import annotations

from edxapp.configuration import LOGGING, settings

SETTINGS = settings("LMS_CFG")

__all__ = ["LOGGING", "SETTINGS"]
