"""What a fork must not divide. Servers fork while our threads work: gunicorn with `--preload`.

A descriptor that the other process takes along stays open there, though nobody knows of it: a lock
is kept for ever, or whoever waits for the end of a pipe waits for that process's end.
"""

from __future__ import annotations

import os
import threading

# Nobody forks this process while it is held.
whole = threading.Lock()


def _let_go() -> None:
    if whole.locked():  # not under uWSGI, which only tells Python of a fork when it is done
        whole.release()


os.register_at_fork(before=whole.acquire, after_in_parent=whole.release, after_in_child=_let_go)
