"""SIGHUP: the configuration is read again while the server works."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from gitreload import logs
from gitreload.config import Config, ConfigError
from gitreload.runtime import Runtime

logger = logging.getLogger(__name__)

# What is in use since the start: the socket, and the ledger with all its locks.
FIXED = ("HOST", "PORT", "STATE_DIR")


class Reload:
    """Call it to let `runtime` work with what `load` returns; on an error all stays as it was."""

    def __init__(self, runtime: Runtime, load: Callable[[], Config]) -> None:
        self._runtime = runtime
        self._load = load
        self._lock = threading.Lock()

    def __call__(self) -> None:
        # A signal interrupts the event loop, which must not wait for a disk.
        threading.Thread(target=self._reload, name="reload").start()

    def _reload(self) -> None:
        with self._lock:
            try:
                loaded = self._load()
                logs.configure(loaded.settings)
            except ConfigError as error:
                for problem in error.problems:
                    logger.error("the configuration in force stays: %s", problem)
                return
            kept, changed = keep_fixed(self._runtime.config, loaded)
            self._runtime.reload(kept)
        logs.start.info("the configuration was read again")
        for warning in loaded.warnings:
            logger.warning("%s", warning)
        for key in changed:
            logger.warning("%s has changed: that needs a restart, the old value stays", key)


def keep_fixed(old: Config, new: Config) -> tuple[Config, list[str]]:
    """`new` with the old values of what cannot change while we run, and which keys those are."""
    before = {key: getattr(old.settings, key.lower()) for key in FIXED}
    changed = [key for key in FIXED if getattr(new.settings, key.lower()) != before[key]]
    settings = new.settings.model_copy(update={key.lower(): before[key] for key in changed})
    return replace(new, settings=settings), changed
