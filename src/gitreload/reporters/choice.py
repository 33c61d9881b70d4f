"""Who is to be told, by the configuration."""

from __future__ import annotations

import threading

from gitreload.audience import notified, posted
from gitreload.config import Settings
from gitreload.reporters import Teller
from gitreload.reporters.people import Notifier
from gitreload.reporters.programs import Poster


def tellers(settings: Settings, stopping: threading.Event) -> tuple[Teller, ...]:
    """Those that tell events: of each NOTIFY, until `stopping` is set, and OUTGOING_WEBHOOKS."""
    return (
        *(Notifier(listener, stopping) for listener in notified(settings)),
        *(Poster(listener) for listener in posted(settings)),
    )
