"""The name of the production settings until Koa."""

from __future__ import annotations

from lms.envs.production import LOGGING, SETTINGS

__all__ = ["LOGGING", "SETTINGS"]
