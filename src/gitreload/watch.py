"""Alarms: what is wrong beside single jobs, or keeps them from being done, is told to people.

A webhook that seems broken, genuine deliveries that are refused, a remote that does not let us in,
a job that nobody ends, a disk that is all but full, a ledger that cannot be written.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from gitreload.complaints import Complaints
from gitreload.config import Settings
from gitreload.git.space import check_space
from gitreload.late import LATE_SECONDS, late
from gitreload.ledger import Alarm, CheckoutRecord, Draft, Heard, Ledger, LedgerUnavailable
from gitreload.locks import Lock
from gitreload.model import GitreloadError, TransientError
from gitreload.reporters import Teller
from gitreload.reporters.events import alarm_event
from gitreload.visible import visible

logger = logging.getLogger(__name__)

# How often it is looked, and how soon another process takes over from one that died.
LOOK_SECONDS = 30.0
# For so long after a delivery was refused, unless one of its repository is taken before.
REFUSED_SECONDS = 86_400.0

_LEDGER = "ledger"

_DUTY = "look for what is wrong"


def of_checkout(record: CheckoutRecord, now: float) -> Iterator[Alarm]:
    """What is wrong with one checkout, as far as the ledger knows."""

    def alarm(kind: str, sentence: str) -> Alarm:
        return Alarm(kind, f"{kind} {record.path}", sentence, record.directory)

    if record.missed is not None:
        yield alarm("webhook", record.missed.alarm(now))
    trouble = record.trouble
    # What passes by itself is an alarm once it should have.
    if trouble is not None and (trouble.lasts or now - trouble.since > LATE_SECONDS):
        name = visible(record.directory)
        yield alarm("remote", f"{name} cannot be compared with its remote: {trouble}")
    if (waits := late(record, now)) is not None:
        yield alarm("job", waits)


def of_deliveries(refused: Sequence[tuple[str, str]]) -> Iterator[Alarm]:
    """What is wrong with deliveries that prove to be from somebody whom we know."""
    for repository, why in refused:
        yield Alarm(
            "refused",
            f"refused {repository}",
            f"deliveries for {visible(repository)} are genuine, and yet refused: {visible(why)}. "
            "See: gitreload deliveries --outcome refused",
        )


def of_disks(settings: Settings) -> Iterator[Alarm]:
    """Whether there is room where checkouts and the ledger are."""
    for key, path in (("REPODIR", settings.repodir), ("STATE_DIR", settings.state_dir)):
        try:
            # One that cannot be looked at stops jobs and deliveries, which tell it.
            with suppress(OSError):
                check_space(key, str(path))
        except TransientError as error:
            yield Alarm("disk", f"disk {key}", str(error))


class Watch:
    """`run` it in a thread, until `stopping` is set. Of all processes with this ledger one acts."""

    def __init__(
        self,
        ledger: Ledger,
        settings: Callable[[], Settings],
        tellers: Callable[[], Sequence[Teller]],
        stopping: threading.Event,
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._tellers = tellers
        self._stopping = stopping
        self._lock: Lock | None = None
        self._complaints = Complaints(logger)

    def run(self) -> None:
        """Look again and again."""
        while not self._stopping.is_set():
            with self._complaints.duty(_DUTY):
                if self._tellers() and self._leads():
                    self.attend()
            self._stopping.wait(LOOK_SECONDS)
        if self._lock is not None:
            self._lock.release()

    def _leads(self) -> bool:
        if self._lock is None:
            self._lock = Lock.take(self._ledger.state_dir / "watch.lock")
        return self._lock is not None

    def attend(self) -> None:
        """Look once. Raises OSError."""
        try:
            self._ledger.note_alarms(self._standing(), self._drafts)
            self._complaints.over(_LEDGER)
        except LedgerUnavailable as error:
            if self._complaints.new(_LEDGER, str(error)):
                self._cry(Alarm(_LEDGER, _LEDGER, f"no push can be taken now: {error}"))

    def _drafts(self, alarm: Alarm, over: bool, heard: Heard) -> Iterator[Draft]:
        event = alarm_event(alarm, self._ledger.clock(), host=socket.gethostname(), over=over)
        logger.warning("%s", event.message)
        for teller in self._tellers():
            yield from teller.of_alarm(event, alarm.subject, heard)

    def _cry(self, alarm: Alarm) -> None:
        event = alarm_event(alarm, self._ledger.clock(), host=socket.gethostname())
        for teller in filter(lambda each: each.hears(event), self._tellers()):
            try:
                teller.send(event)
            except GitreloadError as error:
                logger.error("%s cannot be told that %s: %s", teller.place, event.message, error)

    def _standing(self) -> dict[str, Alarm]:
        now = self._ledger.clock()
        records = self._ledger.last_results().values()
        found = [alarm for record in records for alarm in of_checkout(record, now)]
        found += of_deliveries(self._ledger.refused(now - REFUSED_SECONDS))
        found += of_disks(self._settings())
        return {alarm.subject: alarm for alarm in found}
