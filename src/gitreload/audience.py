"""Of which checkouts somebody hears: of one that has its own entries, or of all that have none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from gitreload.setting_reporters import NotifySettings, OutgoingWebhookSettings
from gitreload.settings import Settings

Entry = TypeVar("Entry", NotifySettings, OutgoingWebhookSettings)


@dataclass(frozen=True, slots=True)
class Listener(Generic[Entry]):
    """An entry of the configuration, where that is (`place`), and of which checkouts it hears.

    That is `directory`, or, where that is None, all that are not in `others`. Of alarms, who hears
    of all checkouts hears those of others as well, and alone those that are about none. `number`
    tells it from others of its URL.
    """

    entry: Entry
    place: str
    number: int = 0
    directory: str | None = None
    others: frozenset[str] = frozenset()

    def hears_of(self, directory: str) -> bool:
        if self.directory is None:
            return directory not in self.others
        return directory == self.directory

    def hears_alarms_of(self, directory: str | None) -> bool:
        return self.directory is None or directory == self.directory

    def name(self, what: str, target: str) -> str:
        """What it is called in the ledger: the same after a restart, wherever its entry stands."""
        facts = f"{self.directory}\0{target}\0{self.number}"
        digest = hashlib.sha256(facts.encode()).hexdigest()[:12]
        return f"{what} {digest}"


def notified(settings: Settings) -> Iterator[Listener[NotifySettings]]:
    """All entries of a NOTIFY."""
    own = {name: repo.notify for name, repo in settings.repos.items() if repo.notify is not None}
    yield from _listeners("NOTIFY", settings.notify, own)


def posted(settings: Settings) -> Iterator[Listener[OutgoingWebhookSettings]]:
    """All entries of an OUTGOING_WEBHOOKS."""
    own = {
        name: repo.outgoing_webhooks
        for name, repo in settings.repos.items()
        if repo.outgoing_webhooks is not None
    }
    yield from _listeners("OUTGOING_WEBHOOKS", settings.outgoing_webhooks, own)


def _listeners(
    key: str, entries: Sequence[Entry], own: dict[str, tuple[Entry, ...]]
) -> Iterator[Listener[Entry]]:
    for number, entry in enumerate(entries):
        same = _same(entry, entries[:number])
        yield Listener(entry, f"{key}[{number}]", same, None, frozenset(own))
    for directory, its in own.items():
        for number, entry in enumerate(its):
            place = f"REPOS.{directory}.{key}[{number}]"
            yield Listener(entry, place, _same(entry, its[:number]), directory)


def _same(entry: Entry, before: Sequence[Entry]) -> int:
    return sum(other.url == entry.url for other in before)
