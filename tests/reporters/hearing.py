"""What people hear of a job: the mark at its commit, and who is told of every result."""

from __future__ import annotations

import threading
from dataclasses import replace

from fakes.status_api import TOKEN, Given, status_api
from gitreload.audience import Listener
from gitreload.credentials import AppriseUrl
from gitreload.ledger import Ledger, Owed
from gitreload.model import Job, Mark, State
from gitreload.remotes import mask
from gitreload.reporters import News, shorten
from gitreload.reporters.apprise import Message
from gitreload.reporters.people import Notifier, Story
from gitreload.reporters.statuses import Statuses
from gitreload.reporting import LONGEST_SECONDS, Reporting
from gitreload.setting_reporters import NotifySettings
from gitreload.settings import Settings
from gitreload.visible import visible

_EVERY = NotifySettings(url=AppriseUrl("json://127.0.0.1:1/"), on=("every",))
_GITHUBS_LIMIT = 140


class AtForge(Statuses):
    """Commit statuses of a checkout as if its origin were `origin`, at GitHub."""

    def __init__(self, origin: str, site: str) -> None:
        status = {"TOKEN": TOKEN, "FORGE": "github", "URL": site}
        super().__init__(Settings.model_validate({"STATUS": status}))
        self._origin = origin

    def wants(self, news: News) -> bool:
        return super().wants(self._there(news))

    def place(self, news: News) -> str:
        return super().place(self._there(news))

    def deliver(self, news: News, *, again: bool) -> None:
        super().deliver(self._there(news), again=again)

    def _there(self, news: News) -> News:
        return replace(news, job=replace(news.job, origin=self._origin))


def heard(ledger: Ledger) -> tuple[list[Given], list[Message]]:
    """The marks and messages that are to be given now, and count as given from then on."""
    with status_api("github") as forge:
        statuses = AtForge(forge.origin, forge.site)
        notifier = Notifier(Listener(_EVERY, "NOTIFY[0]"), threading.Event())
        stop = threading.Event()
        Reporting(ledger, lambda: (statuses,), lambda: None, stop, lambda: (notifier,))._decide()
        messages = []
        while due := ledger.due_reports(LONGEST_SECONDS):
            for owed in due:
                if owed.report.event is None:
                    statuses.deliver(_news(owed), again=False)
                else:
                    messages.append(Story.load(owed.report.event).message(_EVERY))
                ledger.end_report(owed.report, "delivered")
        return forge.given, messages


def _news(owed: Owed) -> News:
    report = owed.report
    assert owed.job is not None
    return News(owed.job, report.mark, report.revision, report.sentence)


def check_heard(ledger: Ledger, job: Job) -> None:
    """The commit is marked with how the job ended, and who hears every result is told of it.

    Nothing else is told: not of a job that is tried again, as nobody announced its revision here.
    """
    marks, messages = heard(ledger)
    if not (job.state.finished or job.failing):
        assert (marks, messages) == ([], [])
        return
    check_mark(marks, job)
    if job.skipped is not None:
        assert messages == []
        return
    [message] = messages
    what = f"{job.action} of {job.directory}"
    if job.state is State.SUCCEEDED:
        assert message.title in (f"Succeeded: {what}", f"Works again: {what}")
    else:
        assert message.title == f"Failed: {what}"
        assert job.error is not None
        assert message.body.splitlines()[0] == visible(mask(job.error))


def check_mark(marks: list[Given], job: Job) -> None:
    mark, why = (Mark.SUCCESS, job.skipped or "imported")
    if job.state is not State.SUCCEEDED:
        mark, why = Mark.FAILURE, job.error or ""
    [given] = marks
    assert (given.sha, given.context) == (job.to_revision, f"gitreload/{job.directory}")
    assert given.mark == mark.value
    assert given.description == shorten(visible(mask(why)), _GITHUBS_LIMIT)
