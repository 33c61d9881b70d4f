"""The workers that a command finds running, and those that it starts where there are none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gitreload.cli.output import note
from gitreload.engines.embedded import wake_all
from gitreload.locks import somebody_works

if TYPE_CHECKING:
    from gitreload.config import Config, Settings
    from gitreload.runtime import Runtime

# A look takes free slots for an instant, and must not keep a starting worker from them.
LOOK_SECONDS = 2.0


def wake(settings: Settings) -> None:
    """Tell the workers of all processes that there may be work."""
    wake_all(settings.state_dir / "wake")


def note_if_none(settings: Settings) -> None:
    if not somebody_works(settings.state_dir):
        note("no worker is running: `gitreload serve` or `gitreload worker` will take it up")


class StandIn:
    """Works in this process for as long as nobody else does."""

    def __init__(self, loaded: Config) -> None:
        self._config = loaded
        self._runtime: Runtime | None = None
        self._looked_at = -LOOK_SECONDS

    def work_if_alone(self) -> None:
        """Start working unless we or others do already; to be called often. Raises GitreloadError.

        Whoever works may stop at any time, also while we wait for it.
        """
        settings = self._config.settings
        if self._runtime is not None or time.monotonic() < self._looked_at + LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        if somebody_works(settings.state_dir):
            return
        note("no worker is running, so this command works by itself until the end")
        from gitreload import logs
        from gitreload.runtime import Runtime

        logs.configure(settings)
        self._runtime = Runtime(self._config, serving=False)
        self._runtime.start()

    def stop(self, grace: float) -> None:
        if self._runtime is not None:
            self._runtime.stop(grace)


@contextmanager
def stand_in(loaded: Config) -> Iterator[StandIn]:
    """A stand-in that ends with the block; after an error or Ctrl-C at once, its jobs queued."""
    worker = StandIn(loaded)
    try:
        yield worker
    except BaseException:
        worker.stop(0)
        raise
    worker.stop(loaded.settings.shutdown_grace_seconds)
