"""`gitreload serve` and `gitreload worker`: what runs until it is told to stop."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from gitreload.cli.arguments import whole_number
from gitreload.cli.errors import USAGE
from gitreload.cli.signals import signals

if TYPE_CHECKING:
    from gitreload.config import Config
    from gitreload.runtime import Runtime


def serve(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Listen here instead of on HOST.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER", parser=whole_number(0, 65535), help="Listen here instead of on PORT."
        ),
    ] = None,
) -> None:
    """Receive pushes and work on them, until SIGTERM. SIGHUP reads the configuration again."""
    given = {"GITRELOAD_HOST": host, "GITRELOAD_PORT": None if port is None else str(port)}
    environ = os.environ | {name: value for name, value in given.items() if value is not None}

    def load() -> Config:
        return _load(environ, serving=True)

    loaded = load()
    from gitreload import logs
    from gitreload.cli.reload import Reload
    from gitreload.cli.running import listed
    from gitreload.runtime import Runtime
    from gitreload.web.listen import bind
    from gitreload.web.server import Server

    logs.configure(loaded.settings)
    with ExitStack() as bound:
        sockets = bind(loaded.settings.host, loaded.settings.port)
        for each in sockets:
            bound.enter_context(each)
        runtime = Runtime(loaded)

        def listening(address: str) -> None:
            bound.enter_context(listed(loaded.settings.state_dir))
            runtime.tell(f"serves {address}")

        server = Server(runtime, Reload(runtime, load), listening)
        _run(runtime, lambda: server.run(sockets))


def worker() -> None:
    """Work on the queue beside the server, until SIGTERM.

    On the same host and STATE_DIR; NUM_THREADS counts for both together.
    """

    def load() -> Config:
        return _load(os.environ, serving=False)

    loaded = load()
    from gitreload import logs
    from gitreload.cli.reload import Reload
    from gitreload.cli.running import listed
    from gitreload.runtime import Runtime

    logs.configure(loaded.settings)
    runtime = Runtime(loaded, serving=False)
    reload = Reload(runtime, load)

    def wait() -> None:
        with signals() as received, listed(loaded.settings.state_dir):
            runtime.tell("works on the queue")
            while received.wait() == signal.SIGHUP:
                reload()

    _run(runtime, wait)


def _load(environ: Mapping[str, str], *, serving: bool) -> Config:
    from gitreload import config

    loaded = config.load(environ)
    why = config.refuse_open_host(loaded.settings) if serving else None
    if why is not None:
        raise config.ConfigError(why)
    return loaded


def _run(runtime: Runtime, work: Callable[[], None]) -> None:
    """Start, work until a signal comes, stop."""
    # As Ctrl-C does, until `work` has handlers of its own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        runtime.start_patiently(USAGE)
        work()
    _stop(runtime)


def _stop(runtime: Runtime) -> None:
    """Stop with patience; when a second signal comes, at once."""
    from gitreload import logs

    grace = runtime.config.settings.shutdown_grace_seconds
    logs.start.info("stopping; running attempts may go on for %g s", grace)
    with signals() as received:

        def stop() -> None:
            try:
                runtime.stop(grace)
            finally:
                received.end()

        # A signal's handler that raised into a join would have it take the thread for ended.
        stopping = threading.Thread(target=stop, name="stop")
        stopping.start()
        while (number := received.wait()) == signal.SIGHUP:
            pass  # too late to read the configuration again
        if number:
            logs.start.info("stopping at once; what was running stays queued")
            runtime.hurry()
        stopping.join()
    logs.start.info("stopped")
