"""Signals as bytes of a pipe, for a main thread that has nothing else to do than wait for them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Signals:
    """Made by `signals`. No signal is lost, however it falls between two waits."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = reading
        self._writing = writing

    def wait(self) -> int:
        """The number of the next signal, or 0 after `end`."""
        return os.read(self._reading, 1)[0]

    def end(self) -> None:
        """End a wait from another thread."""
        os.write(self._writing, b"\0")


@contextmanager
def signals() -> Iterator[Signals]:
    """Take SIGTERM, SIGINT and SIGHUP: within the block they only end a wait."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    handlers = {
        number: signal.signal(number, lambda _number, _frame: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    }
    try:
        yield Signals(reading, writing)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)
