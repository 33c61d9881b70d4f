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
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")
# Enough for hundreds of waiting senders, and few enough for a transaction of some milliseconds.
BATCH = 256


class Stopped(Exception):  # noqa: N818 - what happened to the item
    """The item came too late, or was given up by its sender; nothing of it was written."""


class GroupCommit(Generic[Item, Result]):
    """`write(items)` returns one result for each item, after one commit for all."""

    def __init__(self, write: Callable[[Sequence[Item]], Sequence[Result]], name: str) -> None:
        self._write = write
        self._waiting: queue.SimpleQueue[_Waiting[Item, Result] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._stopped = False
        # Nothing may arrive behind the mark that ends the thread.
        self._door = threading.Lock()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what has arrived, then end."""
        with self._door:
            self._stopped = True
            self._waiting.put(None)
        self._thread.join(timeout=30)

    async def submit(self, item: Item) -> Result:
        """The result of writing `item`; raises what its own write raised, or Stopped."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        with self._door:
            if self._stopped:
                raise Stopped
            self._waiting.put(_Waiting(item, loop, future))
        return await future

    def _run(self) -> None:
        running = True
        while running:
            batch, running = self._drain()
            if batch:
                _wake(batch, self._results(batch))

    def _drain(self) -> tuple[list[_Waiting[Item, Result]], bool]:
        batch: list[_Waiting[Item, Result]] = []
        try:
            found = self._waiting.get()
            while found is not None:
                batch.append(found)
                if len(batch) == BATCH:
                    return batch, True
                found = self._waiting.get_nowait()
        except queue.Empty:
            return batch, True
        return batch, False

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


def _settle(settled: Sequence[tuple[_Waiting[Item, Result], Result | Exception]]) -> None:
    for waiting, result in settled:
        waiting.settle(result)
