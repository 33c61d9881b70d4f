"""What became of jobs is told, by reporters: noted in the ledger first, so that nothing is lost.

What is owed is made from the states of jobs, so receiving a push costs nothing for it. Each place
is told by a thread of its own, one report after the other; one that does not answer makes no other
wait.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from queue import SimpleQueue
from typing import cast

from gitreload.complaints import Complaints
from gitreload.ledger import Draft, Ledger, Owed, Report, Told
from gitreload.locks import Lock
from gitreload.model import (
    GitreloadError,
    Interrupted,
    Job,
    Mark,
    PermanentError,
    TransientError,
)
from gitreload.reporters import News, Reporter, Teller
from gitreload.reporters.events import is_event, job_event
from gitreload.reporters.wording import stories
from gitreload.visible import visible

logger = logging.getLogger(__name__)

# How often it is looked whether there is something to tell, and while something is being told.
TICK_SECONDS = 1.0
BUSY_SECONDS = 0.05
# While there are no reporters, how often what they would have told is forgotten.
FORGET_SECONDS = 60.0
# Jobs looked at in one transaction.
BATCH = 20
# Places told at the same time.
MOST_PLACES = 8
# A place that cannot be told is tried again after so long, and at most; or when it says so.
FIRST_RETRY_SECONDS = 5.0
MOST_RETRY_SECONDS = 300.0
LONGEST_SECONDS = 6 * 3600.0
# At a stop, what is being told may take so long. Without its end, it is asked for at the start.
STOP_SECONDS = 5.0

_DUTY = "tell reporters of jobs"

# What was told, and what went wrong with that.
_End = tuple[Owed, GitreloadError | None]
# Both are told one report at a time.
_Told = Reporter | Teller


class Reporting:
    """`run` it in a thread, until `stopping` is set. Of all processes with this ledger one acts."""

    def __init__(
        self,
        ledger: Ledger,
        reporters: Callable[[], Sequence[Reporter]],
        public_url: Callable[[], str | None],
        stopping: threading.Event,
        tellers: Callable[[], Sequence[Teller]] = tuple,
    ) -> None:
        self._ledger = ledger
        self._reporters = reporters
        self._tellers = tellers
        self._public_url = public_url
        self._stopping = stopping
        self._lock: Lock | None = None
        self._complaints = Complaints(logger)
        # The revisions announced to unfinished jobs, which these reporters were asked about.
        self._asked: dict[int, str] = {}
        self._asked_of: list[str] = []
        self._forgot_at: float | None = None
        # What was made before we led may have been told by the process before us.
        self._inherited = 0
        self._busy: set[tuple[str, str]] = set()
        self._told: SimpleQueue[_End] = SimpleQueue()
        self._unnoted: list[_End] = []

    def run(self) -> None:
        """Look for what is to be told, again and again."""
        while not self._stopping.is_set():
            with self._complaints.duty(_DUTY):
                if self._leads():
                    self.attend()
                    self._complaints.over(_DUTY)
            self._rest(TICK_SECONDS, self._stopping.wait)
        self._rest(STOP_SECONDS, self._leave)
        if self._lock is not None:
            self._lock.release()

    def _rest(self, seconds: float, wait: Callable[[float], bool]) -> None:
        """Wait for that long, or until `wait` is true; what is told meanwhile is noted at once."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if wait(min(left, BUSY_SECONDS if self._busy else left)):
                return
            if self._busy:
                with self._complaints.duty(_DUTY):
                    self.note()

    def _leave(self, seconds: float) -> bool:
        if self._busy:
            time.sleep(seconds)
        return not self._busy

    def _leads(self) -> bool:
        if self._lock is None:
            lock = Lock.take(self._ledger.state_dir / "reporting.lock")
            if lock is None:
                return False
            try:
                self._inherited = self._ledger.newest_report()
            except BaseException:
                lock.release()
                raise
            self._lock = lock
        return True

    def attend(self) -> None:
        """Note what is to be told by now, and begin to tell it. Raises LedgerUnavailable."""
        told = self._listening()
        if not told:
            self._forget()
        else:
            self._forgot_at = None
            self._decide()
        self._send(told)

    def _listening(self) -> dict[str, _Told]:
        everybody: list[_Told] = [*self._reporters(), *self._tellers()]
        return {each.name: each for each in everybody}

    def _forget(self) -> None:
        """Reporters that are configured later tell nothing of what was before."""
        now = time.monotonic()
        if self._forgot_at is None or now >= self._forgot_at + FORGET_SECONDS:
            if self._ledger.untold():
                self._ledger.forget_news()
            self._forgot_at = now

    def _decide(self) -> None:
        reporters, tellers = self._reporters(), self._tellers()
        names = [reporter.name for reporter in reporters]
        if self._asked_of != names:
            self._asked, self._asked_of = {}, names
        announced = self._ledger.announced()
        news = {job for job, wanted in announced.items() if self._asked.get(job) != wanted}
        # A job that was superseded comes before the one that stands for it.
        jobs = sorted(news.union(self._ledger.untold()))
        for start in range(0, len(jobs), BATCH):
            self._ledger.report(
                jobs[start : start + BATCH],
                lambda job, told: chain(
                    self._drafts(reporters, job, told), self._events(tellers, job, told)
                ),
            )
        self._asked = announced

    def _events(self, tellers: Sequence[Teller], job: Job, told: Told) -> Iterator[Draft]:
        if not tellers or not is_event(job):
            return
        event = job_event(
            job, self._ledger.clock(), told.origin(), host=socket.gethostname(), url=self._url(job)
        )
        for teller in tellers:
            yield from teller.of_job(event, told.heard)

    def _drafts(self, reporters: Sequence[Reporter], job: Job, told: Told) -> Iterator[Draft]:
        for reporter in reporters:
            name = reporter.name
            for revision, mark, sentence in stories(job, told.revisions(name)):
                if not job.state.finished and told.failed(name, revision):
                    continue  # it fails again and again, which is told once
                news = self._news(job, mark, revision, sentence, told.forge)
                known = _stands(told.last(name, revision), mark, sentence)
                if not known and reporter.wants(news):
                    yield Draft(name, reporter.place(news), revision, mark, sentence)

    def _news(
        self, job: Job, mark: Mark, revision: str | None, sentence: str, forge: str | None
    ) -> News:
        return News(job, mark, revision, sentence, self._url(job), forge)

    def _url(self, job: Job) -> str | None:
        site = self._public_url()
        return None if site is None else f"{site.rstrip('/')}/jobs/{job.id}"

    def _send(self, listening: Mapping[str, _Told]) -> None:
        for owed in self._ledger.due_reports(LONGEST_SECONDS):
            report = owed.report
            reporter = listening.get(report.reporter)
            if reporter is None:
                self._ledger.end_report(report, "outdated")
            elif len(self._busy) < MOST_PLACES and _lane(report) not in self._busy:
                self._begin(reporter, owed)

    def _begin(self, reporter: _Told, owed: Owed) -> None:
        self._busy.add(_lane(owed.report))
        # A daemon: one that hangs must not keep the process from ending.
        threading.Thread(
            target=self._deliver, args=(reporter, owed), daemon=True, name=f"tell {reporter.name}"
        ).start()

    def _deliver(self, reporter: _Told, owed: Owed) -> None:
        report, job = owed.report, owed.job
        trouble: GitreloadError | None = None
        again = report.tries > 0 or report.id <= self._inherited
        try:
            if report.event is not None or job is None:
                cast("Teller", reporter).deliver(report, again=again)
            else:
                news = self._news(job, report.mark, report.revision, report.sentence, owed.forge)
                cast("Reporter", reporter).deliver(news, again=again)
        except GitreloadError as error:
            trouble = error
        except Exception as error:
            logger.exception("%s met an error that should not be", reporter.name)
            trouble = PermanentError(f"internal error, please report it: {error!r}")
        self._told.put((owed, trouble))

    def note(self) -> None:
        """Note what was told since, and go on with the places that wait for it."""
        while not self._told.empty():
            self._unnoted.append(self._told.get())
        noted = bool(self._unnoted)
        while self._unnoted:
            owed, trouble = self._unnoted[0]
            self._note(owed, trouble)
            del self._unnoted[0]
            self._busy.discard(_lane(owed.report))
        if noted and not self._stopping.is_set():
            self._send(self._listening())

    def _note(self, owed: Owed, trouble: GitreloadError | None) -> None:
        report = owed.report
        place = f"{report.reporter} at {visible(report.place)}"
        if trouble is None:
            self._ledger.end_report(report, "delivered")
            if self._complaints.over(place):
                logger.warning("%s can be told again", place)
        elif isinstance(trouble, TransientError):
            delay = _delay(report.tries, trouble.seconds)
            self._ledger.try_report_again(report, delay, str(trouble))
            if self._complaints.new(place, type(trouble).__name__):
                logger.warning("%s cannot be told now, and is tried again: %s", place, trouble)
        elif not isinstance(trouble, Interrupted):  # else it stays owed
            self._ledger.end_report(report, "refused", str(trouble))
            name = "alarms" if owed.job is None else visible(owed.job.directory)
            if self._complaints.new(f"{place}: {name}", str(trouble)):
                logger.error("%s takes no word of %s: %s", place, name, trouble)


def _lane(report: Report) -> tuple[str, str]:
    return report.reporter, report.place


def _stands(last: Report | None, mark: Mark, sentence: str) -> bool:
    """Whether that is what was told last of the commit, or is going to be."""
    if last is None or last.mark is not mark or last.result not in ("owed", "delivered"):
        return False
    return mark is not Mark.FAILURE or last.sentence == sentence


def _delay(tries: int, seconds: float | None) -> float:
    if seconds is not None:
        return min(max(seconds, 1.0), LONGEST_SECONDS)
    return min(FIRST_RETRY_SECONDS * 2.0 ** min(tries, 10), MOST_RETRY_SECONDS)
