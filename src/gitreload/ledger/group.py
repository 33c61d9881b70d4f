"""Group commit: what arrives together is written together, and answered once it is on disk.

One thread drains what has arrived, hands the batch to `write` (one transaction, one fsync) and
only then wakes the waiting requests. A batch that fails is replayed item by item, so that only
the guilty one is refused.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")
# Enough for hundreds of waiting senders, and few enough for a transaction of some milliseconds.
BATCH = 256
# A loop that is closed in the very turn in which something arrived does not ring any more.
UNHEARD_SECONDS = 1.0


class Stopped(Exception):  # noqa: N818 - what happened to the item
    """The item came too late, or was given up by its sender; nothing of it was written."""


class GroupCommit(Generic[Item, Result]):
    """`write(items)` returns one result for each item, after one commit for all."""

    def __init__(self, write: Callable[[Sequence[Item]], Sequence[Result]], name: str) -> None:
        self._write = write
        self._arrived: deque[_Waiting[Item, Result]] = deque()
        # One ring says "something arrived", however much did.
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._stopped = False
        # Nothing may arrive once the thread was told to end.
        self._door = threading.Lock()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what has arrived, then end."""
        with self._door:
            self._stopped = True
            self._ring()
        self._thread.join(timeout=30)

    async def submit(self, item: Item, deadline: float | None = None) -> Result:
        """The result of writing `item`; raises what its own write raised, or Stopped.

        Raises TimeoutError at `deadline`, in the loop's time; then it may still be written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._arrive(_Waiting(item, loop, future))
        if deadline is None:
            return await future
        # A bare timer: asyncio.timeout costs several times as much, at each push.
        timer = loop.call_at(deadline, _give_up, future)
        try:
            return await future
        finally:
            timer.cancel()

    def _arrive(self, waiting: _Waiting[Item, Result]) -> None:
        with self._door:
            if self._stopped:
                raise Stopped
            first = not self._arrived
            self._arrived.append(waiting)
        if first:
            # At the end of the loop's turn, so that all that it received in it are one batch.
            waiting.loop.call_soon(self._ring)

    def _ring(self) -> None:
        self._bell.put(None)

    def _run(self) -> None:
        ending = False
        while not ending:
            with suppress(queue.Empty):
                self._bell.get(timeout=UNHEARD_SECONDS)
            ending = self._stopped
            while batch := self._drain():
                _wake(batch, self._results(batch))

    def _drain(self) -> list[_Waiting[Item, Result]]:
        # Whoever arrives while this is empty rings, so nothing that comes later is overlooked.
        with self._door:
            arrived = self._arrived
            return [arrived.popleft() for _ in range(min(len(arrived), BATCH))]

    def _results(self, batch: Sequence[_Waiting[Item, Result]]) -> Sequence[Result | Exception]:
        try:
            return self._write([waiting.item for waiting in batch])
        except Exception as error:  # noqa: BLE001 - each item learns its own error below
            if len(batch) == 1:
                return [error]
            logger.warning("a batch of %d failed (%s); now one by one", len(batch), error)
        return [self._replayed(waiting) for waiting in batch]

    def _replayed(self, waiting: _Waiting[Item, Result]) -> Result | Exception:
        # Where each failure takes long (a locked database), those who gave up are not waited for.
        return Stopped() if waiting.future.done() else self._results([waiting])[0]


class _Waiting(Generic[Item, Result]):
    __slots__ = ("future", "item", "loop")

    def __init__(
        self, item: Item, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Result]
    ) -> None:
        self.item = item
        self.loop = loop
        self.future = future

    def settle(self, result: Result | Exception) -> None:
        if self.future.done():  # the request was given up meanwhile
            return
        if isinstance(result, Exception):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)


def _wake(batch: Sequence[_Waiting[Item, Result]], results: Sequence[Result | Exception]) -> None:
    """Settle all futures with one call into each event loop: one wake-up for the whole batch."""
    by_loop: dict[
        asyncio.AbstractEventLoop, list[tuple[_Waiting[Item, Result], Result | Exception]]
    ] = {}
    for waiting, result in zip(batch, results, strict=True):
        by_loop.setdefault(waiting.loop, []).append((waiting, result))
    for loop, settled in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, settled)
        except RuntimeError:
            # The loop is closed: its server stopped without waiting for these requests.
            logger.info("%d senders were gone before their answer", len(settled))


def _give_up(future: asyncio.Future[Result]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())


def _settle(settled: Sequence[tuple[_Waiting[Item, Result], Result | Exception]]) -> None:
    for waiting, result in settled:
        waiting.settle(result)
