"""Events to people: of failures and recoveries, of every result, of alarms."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from gitreload import templates
from gitreload.audience import Listener
from gitreload.ledger import Draft, Heard, Report
from gitreload.model import Mark, PermanentError, TransientError
from gitreload.reporters import apprise
from gitreload.reporters.events import Event
from gitreload.setting_reporters import NotifySettings

# What cannot be told for so long is no news any more.
GIVE_UP_SECONDS = 86_400.0

# What is told last of a checkout's jobs stands for what was not told before.
_JOBS = "jobs"

# What calls everybody in a room, or somebody: who pushes decides on some of what is told, but not
# on that. https://docs.slack.dev/messaging/formatting-message-text#special-mentions and
# https://discord.com/developers/docs/reference#message-formatting
_CALL = re.compile(
    r"(<[!@#])(?=[\w&!])|(?<![\w.])(@)(?=(?:all|channel|everyone|here|room)\b)", re.IGNORECASE
)
_SPACED = r"\g<1>\g<2> "

Why = Literal["failure", "recovery", "every", "alarm"]


@dataclass(frozen=True, slots=True)
class Story:
    """An event, why it is told, and how many before it were not."""

    event: Event
    why: Why
    untold: int

    def dump(self) -> str:
        return json.dumps([self.event.dump(), self.why, self.untold])

    @classmethod
    def load(cls, text: str) -> Story:
        event, why, untold = json.loads(text)
        return cls(Event.load(event), why, untold)

    def message(self, entry: NotifySettings) -> apprise.Message:
        told = {**self.event.fields(), "summary": self._summary(), "count": self._count()}
        fields = {name: _CALL.sub(_SPACED, value) for name, value in told.items()}
        title = templates.fill(entry.title, fields)
        return apprise.Message(
            " ".join(title.split()), templates.fill(entry.body, fields).strip(), self._kind()
        )

    def _summary(self) -> str:
        event = self.event
        match event.type:
            case "alarm.raised":
                return f"Alarm on {event.host}: {_ALARMS[event.alarm or '']}"
            case "test":
                return f"A test of gitreload on {event.host}"
            case "alarm.over":
                return f"Over on {event.host}: {_ALARMS[event.alarm or '']}"
        what = f"{event.action} of {event.checkout}"
        match event.type:
            case "job.failing":
                return f"Failing again and again: {what}"
            case "job.failed":
                return f"Failed: {what}"
        return f"Works again: {what}" if self.why == "recovery" else f"Succeeded: {what}"

    def _count(self) -> str:
        if not self.untold:
            return ""
        before = "1 message" if self.untold == 1 else f"{self.untold} messages"
        return f"This stands for {before} before, held back or not delivered."

    def _kind(self) -> Literal["info", "success", "warning", "failure"]:
        if self.event.bad:
            return "warning" if self.event.alarm else "failure"
        return "success"


_ALARMS = {
    "webhook": "a webhook seems broken",
    "refused": "deliveries are refused",
    "remote": "a remote cannot be read",
    "job": "a job does not end",
    "disk": "a disk is all but full",
    "ledger": "pushes cannot be recorded",
}


class Notifier:
    """Tells people through one service of Apprise. Of a checkout they hear the newest state."""

    def __init__(
        self,
        listener: Listener[NotifySettings],
        stopping: threading.Event,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._listener = listener
        self._entry = listener.entry
        self._stopping = stopping
        self._clock = clock
        self.place = listener.place
        url = self._entry.url
        self.name = listener.name(f"{url.scheme} notification", url.identity)

    def of_job(self, event: Event, heard: Heard) -> Iterator[Draft]:
        if event.checkout is None or not self._listener.hears_of(event.checkout):
            return
        last = heard.last(self.name, _JOBS)
        failed = last is not None and last.mark is Mark.FAILURE
        # It goes on failing, which is told once, unless it ends for another reason.
        if event.bad and failed and last is not None and last.job_id == event.job:
            if event.type == "job.failing" or last.sentence == event.message:
                return
        elif last is not None and last.job_id == event.job and not failed:
            return
        why: Why = "failure" if event.bad else "recovery" if failed else "every"
        if why in self._entry.on or "every" in self._entry.on:
            yield self._draft(event, why, _JOBS, heard)

    def of_alarm(self, event: Event, subject: str, heard: Heard) -> Iterator[Draft]:
        if self.hears(event):
            yield self._draft(event, "alarm", subject, heard)

    def _draft(self, event: Event, why: Why, subject: str, heard: Heard) -> Draft:
        told_at = heard.told_at(self.name, subject)
        rest = self._entry.throttle_minutes * 60
        return Draft(
            reporter=self.name,
            place=self.place,
            revision=event.revision,
            mark=Mark.FAILURE if event.bad else Mark.SUCCESS,
            sentence=event.message,
            subject=subject,
            event=Story(event, why, heard.untold(self.name, subject)).dump(),
            due_at=0.0 if told_at is None else told_at + rest,
        )

    def deliver(self, report: Report, *, again: bool) -> None:  # noqa: ARG002 - people can tell
        """Send it. Raises as `apprise.send`; after a day of trying, always PermanentError."""
        try:
            self._send(Story.load(report.event or ""))
        except TransientError as error:
            if self._clock() - report.made_at > GIVE_UP_SECONDS:
                raise PermanentError(f"{error}. It was tried for a day") from error
            raise

    def hears(self, event: Event) -> bool:
        return "alarm" in self._entry.on and self._listener.hears_alarms_of(event.checkout)

    def send(self, event: Event) -> None:
        """See `Teller`. Raises as `apprise.send`."""
        self._send(Story(event, "alarm", 0))

    def _send(self, story: Story) -> None:
        apprise.send(self._entry.url, story.message(self._entry), self._stopping)
