"""What the platform's production settings set, as far as an import meets it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

_PLATFORM = Path(__file__).resolve().parents[1]


def settings(*variables: str) -> dict[str, Any]:
    """Those that `build` wrote beside `manage.py`, and those of the file that a variable names."""
    file = next((os.environ[name] for name in variables if name in os.environ), os.devnull)
    return {
        **json.loads((_PLATFORM / "settings.json").read_text()),
        **json.loads(Path(file).read_text() or "{}"),
    }


# As openedx/core/lib/logsettings.py: INFO on the console, so DEBUG records are dropped.
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "standard": {
            "format": "%(asctime)s %(levelname)s %(process)d [%(name)s] %(filename)s:%(lineno)d "
            "- %(message)s"
        }
    },
    "handlers": {
        "console": {"level": "INFO", "class": "logging.StreamHandler", "formatter": "standard"}
    },
    "loggers": {"": {"handlers": ["console"], "level": "INFO", "propagate": False}},
}
