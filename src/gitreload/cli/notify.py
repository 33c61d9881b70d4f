"""`gitreload notify`: whether those who are to be told can be told."""

from __future__ import annotations

import socket
import threading
import time
from typing import Annotated

import typer

from gitreload.cli import output
from gitreload.cli.errors import FAILED, UsageError
from gitreload.cli.output import Json, say
from gitreload.cli.state import load_settings
from gitreload.model import GitreloadError
from gitreload.visible import visible


def notify(
    text: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="What the message says.")
    ] = "This is a test: messages of gitreload arrive here.",
    as_json: Json = False,
) -> None:
    """Send a test message to each service and program that is told.

    They are those of NOTIFY and OUTGOING_WEBHOOKS. It exits with 1 where one does not take it.
    """
    from gitreload.reporters.choice import tellers
    from gitreload.reporters.events import Event

    told = tellers(load_settings(), threading.Event())
    if not told:
        raise UsageError(
            "there is nobody to tell: add NOTIFY or OUTGOING_WEBHOOKS to the configuration, as "
            "docs/notifications.md has it"
        )
    event = Event("test", time.time(), socket.gethostname(), visible(text))
    ends: dict[str, str | None] = {}
    for teller in told:
        ends[teller.place] = None
        try:
            teller.send(event)
        except GitreloadError as error:
            ends[teller.place] = str(error)
        if not as_json:
            say(f"{teller.place}: {visible(ends[teller.place] or 'sent')}")
    if as_json:
        output.print_json(
            [{"place": place, "sent": why is None, "error": why} for place, why in ends.items()]
        )
    if any(ends.values()):
        raise typer.Exit(FAILED)
