"""What the platform's production settings set, as far as an import meets it.

The file that LMS_CFG names overrides; `build` writes one beside `manage.py` for when it is unset.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

_PLATFORM = Path(__file__).resolve().parents[2]

SETTINGS: dict[str, Any] = {
    **json.loads((_PLATFORM / "lms.json").read_text()),
    **json.loads(Path(os.environ.get("LMS_CFG", os.devnull)).read_text() or "{}"),
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
