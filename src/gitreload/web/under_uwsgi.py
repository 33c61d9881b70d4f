"""What uWSGI needs besides a callable.

Its module: https://uwsgi-docs.readthedocs.io/en/latest/PythonModule.html
"""

from __future__ import annotations

from typing import Any

from gitreload.current import BOOT_FAILED
from gitreload.model import GitreloadError, PermanentError
from gitreload.runtime import end_process
from gitreload.web import wsgi


def prepare(uwsgi: Any) -> Any:
    """The callable, in a process that works without waiting for a request; or the process's end."""
    if not uwsgi.has_threads:
        error = "uWSGI keeps Python's threads from running: start it with --enable-threads"
        end_process(PermanentError(error), BOOT_FAILED)
    if uwsgi.worker_id():  # --lazy-apps
        _start()
    else:
        # In the only process too. A master, which is none of the workers, never calls it.
        uwsgi.post_fork_hook = _start
    return wsgi.application


def _start() -> None:
    try:
        wsgi.start()
    except GitreloadError as error:
        end_process(error, BOOT_FAILED)
