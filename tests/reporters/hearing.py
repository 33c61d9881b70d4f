"""What somebody hears who is told of every result: for tests of what jobs do."""

from __future__ import annotations

import threading

from gitreload.audience import Listener
from gitreload.credentials import AppriseUrl
from gitreload.ledger import Ledger
from gitreload.model import Job, State
from gitreload.remotes import mask
from gitreload.reporters.apprise import Message
from gitreload.reporters.people import Notifier, Story
from gitreload.reporting import LONGEST_SECONDS, Reporting
from gitreload.setting_reporters import NotifySettings
from gitreload.visible import visible

_EVERY = NotifySettings(url=AppriseUrl("json://127.0.0.1:1/"), on=("every",))


def heard(ledger: Ledger) -> list[Message]:
    """What is to be told now, and counts as told from then on."""
    notifier = Notifier(Listener(_EVERY, "NOTIFY[0]"), threading.Event())
    Reporting(ledger, tuple, lambda: None, threading.Event(), lambda: (notifier,))._decide()
    messages = []
    while due := ledger.due_reports(LONGEST_SECONDS):
        for owed in due:
            messages.append(Story.load(owed.report.event or "").message(_EVERY))
            ledger.end_report(owed.report, "delivered")
    return messages


def check_heard(ledger: Ledger, job: Job) -> None:
    """Who is told of every result has now heard how the job ended, and why, and nothing else."""
    messages = heard(ledger)
    if job.skipped is not None or not (job.state.finished or job.failing):
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
