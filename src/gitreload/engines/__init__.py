"""Engines wake workers and notice dead ones. The ledger alone says what there is to do."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol


class Engine(Protocol):
    """One per process. Everything here may be called from any thread."""

    @property
    def worker_id(self) -> str:
        """This process, as attempts name it; unique over all hosts and starts."""

    def start(self) -> None:
        """Begin to live, in the eyes of the other processes. Raises TransientError."""

    def stop(self) -> None:
        """Leave in good order: no attempt of ours is running any more."""

    def wake(self) -> None:
        """Work may be there: end the waits of all workers, in every process of the pool."""

    def wait(self, seconds: float) -> None:
        """Wait until woken, at most `seconds`. A wake that came since the last wait counts."""

    def reap(self, running: Collection[str], recover: Callable[[str], bool]) -> None:
        """Find dead workers among `running` (ids) and call `recover(id)` for each.

        Of all living processes, only one does it for a dead worker at a time. Where `recover`
        returns False, something of the dead worker is still in the way: it is tried again at the
        next call. Raises TransientError.
        """
