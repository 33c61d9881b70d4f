"""Events to programs, by the outgoing webhook of the Standard Webhooks specification.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator

from gitreload.audience import Listener
from gitreload.forges.standard_webhooks import ID, SIGNATURE, TIMESTAMP, sign_with
from gitreload.http_client import Answer, HttpClient
from gitreload.ledger import Draft, Heard, Report
from gitreload.model import Mark, PermanentError, TransientError
from gitreload.reporters.events import Event
from gitreload.setting_reporters import OutgoingWebhookSettings

# The waits before each further try, for about three days, as the specification advises.
RETRIES_SECONDS = (5.0, 300.0, 1800.0, 7200.0, 18000.0, *[21600.0] * 11)
# What its receiver is given to answer: between 15 and 30, says the specification.
ANSWER_SECONDS = 20.0
_GONE = 410


class GoneError(PermanentError):
    """The receiver wants no more of these, whatever they tell."""


class Poster:
    """Tells one program of every event, each on its own, for days if need be."""

    def __init__(self, listener: Listener[OutgoingWebhookSettings]) -> None:
        self._listener = listener
        self._entry = listener.entry
        self.place = listener.place
        self.name = listener.name("outgoing webhook", self._entry.url)
        self._gone: GoneError | None = None

    def of_job(self, event: Event, heard: Heard) -> Iterator[Draft]:
        if event.checkout is not None and self._listener.hears_of(event.checkout):
            yield from self._drafts(event, f"job {event.job} {event.type}", heard)

    def of_alarm(self, event: Event, subject: str, heard: Heard) -> Iterator[Draft]:
        if self.hears(event):
            yield from self._drafts(event, f"{subject} {event.type} {event.at}", heard)

    def _drafts(self, event: Event, subject: str, heard: Heard) -> Iterator[Draft]:
        if event.type not in self._entry.on or heard.last(self.name, subject) is not None:
            return
        yield Draft(
            reporter=self.name,
            place=self.place,
            revision=event.revision,
            mark=Mark.FAILURE if event.bad else Mark.SUCCESS,
            sentence=event.message,
            subject=subject,
            event=event.dump(),
        )

    def deliver(self, report: Report, *, again: bool) -> None:  # noqa: ARG002 - it has an id
        """Send it. Raises as `post`."""
        if self._gone is not None:
            raise self._gone
        event = Event.load(report.event or "")
        try:
            self._post(event, report.tries)
        except GoneError as error:
            self._gone = error
            raise

    def hears(self, event: Event) -> bool:
        return event.type in self._entry.on and self._listener.hears_alarms_of(event.checkout)

    def send(self, event: Event) -> None:
        """See `Teller`. Raises as `post`."""
        self._post(event, 0)

    def _post(self, event: Event, tries: int) -> None:
        # The same for each try, and never that of another event: a ledger may be made anew.
        digest = hashlib.sha256(f"{self.name}\0{event.dump()}".encode()).hexdigest()
        post(self._entry, f"msg_{digest[:32]}", event.body(), tries=tries)


def post(
    entry: OutgoingWebhookSettings,
    identifier: str,
    body: bytes,
    *,
    tries: int = 0,
    now: Callable[[], float] = time.time,
) -> None:
    """Send `body` under an `identifier` that stays the same however often it is tried.

    `tries` is how often it has failed. Raises `TransientError`, with the seconds to wait, where it
    is to be tried again, `PermanentError` where that was often enough, and `GoneError`.
    """
    seconds = int(now())
    signature = sign_with(entry.secret.read(), identifier, seconds, body)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "gitreload",
        ID: identifier,
        TIMESTAMP: str(seconds),
        SIGNATURE: signature or "",
    }
    try:
        with HttpClient("the receiver of an outgoing webhook") as client:
            answer = client.ask(
                "POST", entry.url, headers=headers, content=body, seconds=ANSWER_SECONDS
            )
    except TransientError as error:
        raise _again(str(error), tries) from None
    if not answer.ok:
        raise _refusal(entry.url, answer, tries)


def _refusal(url: str, answer: Answer, tries: int) -> PermanentError | TransientError:
    told = f"{url} answers {answer.status}: {answer.said()}"
    if answer.status == _GONE:
        return GoneError(
            f"{told}. It wants no more, so it gets none until gitreload is started again or the "
            "configuration is read again: take it out of OUTGOING_WEBHOOKS"
        )
    if 300 <= answer.status < 400:
        told = f"{told}. Redirects are not followed: use the address that it names"
    return _again(told, tries, _wanted_pause(answer))


def _again(told: str, tries: int, pause: float = 0.0) -> PermanentError | TransientError:
    if tries >= len(RETRIES_SECONDS):
        return PermanentError(f"{told}. That was the last of {tries + 1} tries")
    error = TransientError(told)
    error.seconds = max(RETRIES_SECONDS[tries], pause)
    return error


def _wanted_pause(answer: Answer) -> float:
    """https://www.rfc-editor.org/rfc/rfc9110#field.retry-after, where it is in seconds."""
    after = answer.headers.get("Retry-After", "")
    return min(float(after), RETRIES_SECONDS[-1]) if after.isdecimal() else 0.0
