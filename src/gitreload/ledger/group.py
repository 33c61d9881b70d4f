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
from collections.abc import Callable, Iterator, Sequence
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
    """`write(items)` returns one result for each item, after one commit for all.

    Whoever waits longer than `patience` seconds gets a TimeoutError; None has no end.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Sequence[Result]],
        name: str,
        patience: float | None = None,
    ) -> None:
        self._write = write
        self._patience = patience
        # What has arrived and is not taken yet, by event loop.
        self._turns: dict[asyncio.AbstractEventLoop, _Turn[Item, Result]] = {}
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

    async def submit(self, item: Item) -> Result:
        """The result of writing `item`; raises what its own write raised, or Stopped.

        Raises TimeoutError when patience ends; then it may still be written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        with self._door:
            if self._stopped:
                raise Stopped
            turn = self._turns.get(loop)
            if turn is None:
                turn = self._turns[loop] = _Turn(loop)
                if self._patience is not None:
                    turn.timer = loop.call_later(self._patience, self._give_up, turn)
                # At the end of the loop's turn, so that all that it received in it are one batch.
                loop.call_soon(self._ring)
            turn.waiting.append(_Waiting(item, future))
        return await future

    def _ring(self) -> None:
        self._bell.put(None)

    def _give_up(self, turn: _Turn[Item, Result]) -> None:
        with self._door:
            if self._turns.get(turn.loop) is turn:
                # Nothing of it is written any more, and who comes now has patience of their own.
                del self._turns[turn.loop]
        for waiting in turn.waiting:
            if not waiting.future.done():
                waiting.future.set_exception(TimeoutError())

    def _run(self) -> None:
        ending = False
        while not ending:
            with suppress(queue.Empty):
                self._bell.get(timeout=UNHEARD_SECONDS)
            ending = self._stopped
            while turns := self._drain():
                for turn in turns:
                    for batch in turn.batches():
                        turn.wake(batch, self._results(batch))
                    turn.end()

    def _drain(self) -> Sequence[_Turn[Item, Result]]:
        # Whoever arrives while this is empty rings, so nothing that comes later is overlooked.
        with self._door:
            turns, self._turns = self._turns, {}
            return tuple(turns.values())

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
    __slots__ = ("future", "item")

    def __init__(self, item: Item, future: asyncio.Future[Result]) -> None:
        self.item = item
        self.future = future


class _Turn(Generic[Item, Result]):
    """What one event loop brought while the writer was busy: woken, and given up, together.

    A timer for each would cost more than the wait itself.
    """

    __slots__ = ("loop", "timer", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.waiting: list[_Waiting[Item, Result]] = []
        self.loop = loop
        self.timer: asyncio.TimerHandle | None = None

    def batches(self) -> Iterator[Sequence[_Waiting[Item, Result]]]:
        return (self.waiting[at : at + BATCH] for at in range(0, len(self.waiting), BATCH))

    def wake(
        self, batch: Sequence[_Waiting[Item, Result]], results: Sequence[Result | Exception]
    ) -> None:
        """Settle the batch with one call into the loop: one wake-up for all."""
        settled = list(zip(batch, results, strict=True))
        if not self._call(_settle, settled):
            logger.info("%d senders were gone before their answer", len(settled))

    def end(self) -> None:
        if self.timer is not None:
            self._call(self.timer.cancel)

    def _call(self, function: Callable[..., None], *arguments: object) -> bool:
        """Whether the loop will do it: it may be closed, where its server did not wait."""
        try:
            self.loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            return False
        return True


def _settle(settled: Sequence[tuple[_Waiting[Item, Result], Result | Exception]]) -> None:
    for waiting, result in settled:
        future = waiting.future
        if future.done():  # the request was given up meanwhile
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
