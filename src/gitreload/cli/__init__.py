"""The command line: one module for each group of commands.

A command imports what it needs when it runs: `gitreload --help` must not wait for the web server.
"""

from __future__ import annotations

import gc
import io
import sys
from typing import Annotated

import typer

from gitreload import __version__
from gitreload.cli import (
    add,
    backup,
    check,
    checkouts,
    deliveries,
    holding,
    notify,
    queue,
    remove,
    replay,
    send,
    serve,
    settings,
    sync,
    trust,
    validate,
)
from gitreload.cli.errors import Command, Commands

app = typer.Typer(
    name="gitreload",
    cls=Commands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command(cls=Command)(serve.serve)
app.command(cls=Command)(serve.worker)
app.command(cls=Command)(add.add)
app.command(cls=Command)(remove.remove)
app.command("list", cls=Command)(checkouts.list_checkouts)
app.command(cls=Command)(check.check)
app.command(cls=Command)(validate.validate)
app.command(cls=Command)(queue.jobs)
app.command(cls=Command)(queue.show)
app.command(cls=Command)(queue.logs)
app.command(cls=Command)(sync.sync)
app.command(cls=Command)(queue.retry)
app.command(cls=Command)(queue.approve)
app.command(cls=Command)(queue.cancel)
app.command(cls=Command)(holding.rollback)
app.command(cls=Command)(holding.hold)
app.command(cls=Command)(holding.release)
app.command(cls=Command)(deliveries.deliveries)
app.command(cls=Command)(replay.replay)
app.command(cls=Command)(send.send)
app.command(cls=Command)(notify.notify)
app.command(cls=Command)(settings.config)
app.command(cls=Command)(trust.trust)
app.command(cls=Command)(backup.backup)


def main() -> None:
    """The installed command `gitreload`."""
    # Importing makes many objects and no garbage: collecting it as often as usual is a fifth of
    # the time that a short command takes.
    gc.set_threshold(50_000, 20, 20)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Whatever the locale cannot write is spelled out, as on stderr.
        sys.stdout.reconfigure(errors="backslashreplace")
    app()


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"gitreload {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def gitreload(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Keep git checkouts current: receive pushes, queue them durably, update and import.

    Without a command it serves, as `gitreload serve` does.
    """
    if context.invoked_subcommand is None:
        serve.serve()
