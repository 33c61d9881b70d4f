"""The settings of Studio; the file that CMS_CFG names overrides, or STUDIO_CFG for long."""

from __future__ import annotations

from edxapp.configuration import LOGGING, settings

SETTINGS = settings("CMS_CFG", "STUDIO_CFG")

__all__ = ["LOGGING", "SETTINGS"]
