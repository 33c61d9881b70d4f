"""The name of the production settings until Koa."""

from __future__ import annotations

from cms.envs.production import LOGGING, SETTINGS

__all__ = ["LOGGING", "SETTINGS"]
