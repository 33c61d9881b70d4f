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
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")
# Enough for hundreds of waiting senders, and few enough for a transaction of some milliseconds.
BATCH = 256
# So many turns of the loop, some microseconds each, after which nothing more is on its way: a turn
# answers, the next sends what was answered, and in the third come those who waited for that.
QUIET_TURNS = 3
# By how much a timer may come early.
TIMER_SECONDS = 0.002


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
        # What each event loop gathers, and the loops of which something is being written.
        self._gathering: dict[asyncio.AbstractEventLoop, _Turn[Item, Result]] = {}
        self._served: set[asyncio.AbstractEventLoop] = set()
        self._ready: queue.SimpleQueue[_Turn[Item, Result] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._stopped = False
        # Nothing may arrive once the thread was told to end.
        self._door = threading.Lock()

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """Have the thread write what has arrived, then end; does not wait for it."""
        with self._door:
            self._stopped = True
            for turn in self._gathering.values():
                self._ready.put(turn)
            self._gathering.clear()
            self._ready.put(None)

    async def submit(self, item: Item) -> Result:
        """The result of writing `item`; raises what its own write raised, or Stopped.

        Raises TimeoutError when patience ends; then it may still be written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        with self._door:
            if self._stopped:
                raise Stopped
            turn = self._gathering.get(loop) or self._new_turn(loop)
            turn.waiting.append(_Waiting(item, future, loop.time()))
        return await future

    def _new_turn(self, loop: asyncio.AbstractEventLoop) -> _Turn[Item, Result]:
        turn = self._gathering[loop] = _Turn(loop)
        if self._patience is not None:
            turn.timer = loop.call_later(self._patience, self._give_up, turn)
        if loop not in self._served:
            loop.call_soon(self._hand_over, turn)
        return turn

    def _hand_over(self, turn: _Turn[Item, Result], seen: int = 0, quiet: int = 0) -> None:
        """Let the writer have it once the loop had some turns in which nothing arrived.

        Two threads that want the interpreter at the same time take half as long again for the same
        work. So the writer begins when the loop has nothing left to do but to wait for it.
        """
        arrived = len(turn.waiting)
        quiet = 0 if arrived > seen else quiet + 1
        if quiet < QUIET_TURNS and arrived < BATCH:
            turn.loop.call_soon(self._hand_over, turn, arrived, quiet)
            return
        with self._door:
            if self._gathering.get(turn.loop) is turn:
                del self._gathering[turn.loop]
                self._served.add(turn.loop)
                self._ready.put(turn)

    def _written(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called in the loop, once those whose items were written are woken."""
        with self._door:
            self._served.discard(loop)
            turn = self._gathering.get(loop)
        if turn is not None:
            loop.call_soon(self._hand_over, turn)

    def _forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop is closed: nobody waits there any more."""
        with self._door:
            self._served.discard(loop)
            self._gathering.pop(loop, None)

    def _give_up(self, turn: _Turn[Item, Result]) -> None:
        """Tell those of the turn whose patience has ended; look again for the next."""
        assert self._patience is not None, "otherwise there is no timer"
        ended = turn.loop.time() - self._patience + TIMER_SECONDS
        late = [waiting for waiting in turn.waiting if waiting.since <= ended]
        left = turn.waiting[len(late) :]
        with self._door:
            if self._gathering.get(turn.loop) is turn:
                turn.waiting = left  # nothing of the late ones is written any more
                if not left:
                    del self._gathering[turn.loop]
        for waiting in late:
            if not waiting.future.done():
                waiting.future.set_exception(TimeoutError())
        if left:
            turn.timer = turn.loop.call_at(left[0].since + self._patience, self._give_up, turn)

    def _run(self) -> None:
        while (turn := self._ready.get()) is not None:
            for batch in turn.batches():
                turn.wake(batch, self._results(batch))
            if not turn.end(self._written):
                self._forget(turn.loop)

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
    __slots__ = ("future", "item", "since")

    def __init__(self, item: Item, future: asyncio.Future[Result], since: float) -> None:
        self.item = item
        self.future = future
        self.since = since


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

    def end(self, then: Callable[[asyncio.AbstractEventLoop], None]) -> bool:
        """Let the loop know that all is written; whether it still runs."""
        if self.timer is not None:
            self._call(self.timer.cancel)
        return self._call(then, self.loop)

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
