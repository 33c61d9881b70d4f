"""Settings of Django for the plugin, and those of the stand-in below it."""

from __future__ import annotations

from pathlib import Path

from edxapp.configuration import LOGGING, settings

SETTINGS = settings("LMS_CFG")

GIT_REPO_DIR = SETTINGS["GIT_REPO_DIR"]
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "edx_sysadmin"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": SETTINGS.get("DATABASE", Path(__file__).resolve().parents[2] / "db.sqlite3"),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
TIME_ZONE = "UTC"
USE_TZ = True

__all__ = ["LOGGING", "SETTINGS"]
