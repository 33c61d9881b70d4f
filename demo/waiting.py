"""Waiting for Ctrl-C while the server works on."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

from demo.server import Server
from demo.stage import DemoError
from demo.terminal import Terminal

CTRL_C = b"\x03"
POLL_SECONDS = 0.2


def wait_for_end(terminal: Terminal, server: Server) -> None:
    """Show what the server logs until Ctrl-C is pressed. Raises DemoError where the server ends."""
    with _ctrl_c_as_key():
        while not _pressed():
            ended = server.ended
            news = server.news()
            if news:
                terminal.say(news.rstrip())
            if ended:
                raise DemoError("gitreload has ended: its last lines above say why")


@contextmanager
def _ctrl_c_as_key() -> Iterator[None]:
    """Let Ctrl-C arrive as a key: as a signal it would also end make, which then reports failure.

    The signal still works, for those who send it.
    """
    if not _in_foreground():
        yield
        return
    saved = termios.tcgetattr(sys.stdin)
    changed = termios.tcgetattr(sys.stdin)
    changed[3] &= ~(termios.ICANON | termios.ECHO)
    changed[6][termios.VINTR] = b"\0"
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, changed)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, saved)


def _pressed() -> bool:
    if not _in_foreground():
        time.sleep(POLL_SECONDS)
        return False
    ready, _, _ = select.select([sys.stdin], [], [], POLL_SECONDS)
    return bool(ready) and CTRL_C in os.read(sys.stdin.fileno(), 1024)


def _in_foreground() -> bool:
    # Reading from the terminal stops a program in the background (`bg`).
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # it is not the terminal that we belong to
        return False
