"""Who is to be told, by the configuration."""

from __future__ import annotations

import threading

from gitreload.audience import notified, posted
from gitreload.config import Settings
from gitreload.reporters import Reporter, Teller
from gitreload.reporters.people import Notifier
from gitreload.reporters.programs import Poster
from gitreload.reporters.statuses import Statuses


def tellers(settings: Settings, stopping: threading.Event) -> tuple[Teller, ...]:
    """Those that tell events: of each NOTIFY, until `stopping` is set, and OUTGOING_WEBHOOKS."""
    return (
        *(Notifier(listener, stopping) for listener in notified(settings)),
        *(Poster(listener) for listener in posted(settings)),
    )


def reporters(settings: Settings) -> tuple[Reporter, ...]:
    """Those that tell news: of STATUS, where there is one."""
    own = (repo.status for repo in settings.repos.values())
    marked = any(status is not None and status.on for status in (settings.status, *own))
    return (Statuses(settings),) if marked else ()
