"""Sends one message through Apprise, in a process of its own: it takes as long as it takes.

Called with the number of a descriptor that holds the message as JSON (url, title, body, kind, which
is one of Apprise's types: https://appriseit.com/library/usage/). What it writes last is why the
message was not sent. It needs nothing of ours.
"""

from __future__ import annotations

import json
import logging
import os
import sys

# How it exits besides 0.
NOT_SENT, NO_SUCH_SERVICE, NO_APPRISE = 3, 4, 5

# Where most of its services tell what the network said; they do so at the level DEBUG.
_NETWORK = "Socket Exception: "


class Reasons(logging.Handler):
    """Keeps what Apprise logs about a failure: it tells nobody in another way."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._told: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING or text.startswith(_NETWORK):
            self._told[text.removeprefix(_NETWORK).strip().rstrip(".")] = None

    def __str__(self) -> str:
        return " ".join("; ".join(self._told).split()) or "it does not say why"


def main(descriptor: int) -> int:
    with open(descriptor, encoding="utf-8") as given:
        message = json.load(given)
    try:
        import apprise
    except ImportError as error:
        _tell(error)
        return NO_APPRISE
    reasons = Reasons()
    log = logging.getLogger("apprise")
    log.setLevel(logging.DEBUG)
    log.addHandler(reasons)
    asset = apprise.AppriseAsset(
        app_id="gitreload", app_desc="gitreload", app_url="", async_mode=False
    )
    service = apprise.Apprise.instantiate(message["url"], asset=asset)
    if service is None:
        _tell(reasons)
        return NO_SUCH_SERVICE
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    sent = sender.notify(
        body=message["body"],
        title=message["title"],
        notify_type=message["kind"],
        body_format=apprise.NotifyFormat.TEXT,
    )
    if sent:
        return 0
    _tell(reasons)
    return NOT_SENT


def _tell(why: object) -> None:
    sys.stdout.write(f"{why}\n")


if __name__ == "__main__":
    # What a service leaves running must not keep the message waiting for its end.
    status = main(int(sys.argv[1]))
    sys.stdout.flush()
    os._exit(status)
