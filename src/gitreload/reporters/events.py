"""What there is to tell people and programs: that a job ended or fails, an alarm came or went.

An event is made when it happens, and kept in the ledger as JSON: whenever it is told, and told
again, it is the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from gitreload.ledger import Alarm
from gitreload.model import Action, Job, State
from gitreload.remotes import mask
from gitreload.visible import visible

Type = Literal["job.succeeded", "job.failing", "job.failed", "alarm.raised", "alarm.over", "test"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened `at` (epoch seconds), on `host`; `message` is a sentence about it.

    `alarm` is the kind of an alarm ("webhook"), None for a job's events, whose facts are in the
    rest. `checkout` is the directory below REPODIR, None for an alarm that is about all. `branch`
    is what the checkout follows. `previous` is the revision before that. Of what there is not, it
    is None.
    """

    type: Type
    at: float
    host: str
    message: str
    alarm: str | None = None
    checkout: str | None = None
    branch: str | None = None
    action: str | None = None
    job: int | None = None
    state: str | None = None
    reason: str | None = None
    revision: str | None = None
    previous: str | None = None
    pusher: str | None = None
    url: str | None = None

    @property
    def bad(self) -> bool:
        return self.type in ("job.failing", "job.failed", "alarm.raised")

    def dump(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def load(cls, text: str) -> Event:
        return cls(**json.loads(text))

    def body(self) -> bytes:
        """The body of an outgoing webhook, in the form that the specification recommends."""
        facts = asdict(self)
        told: dict[str, Any] = {
            "type": facts.pop("type"),
            "timestamp": datetime.fromtimestamp(facts.pop("at"), UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "data": {name: fact for name, fact in facts.items() if fact is not None},
        }
        return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()

    def fields(self) -> Mapping[str, str]:
        """What the fields of a template are, but `summary` and `count`."""
        return {
            "action": self.action or "",
            "branch": self.branch or "",
            "checkout": self.checkout or "",
            "host": self.host,
            "job": "" if self.job is None else str(self.job),
            "message": self.message,
            "pusher": self.pusher or "",
            "revision": (self.revision or "")[:12],
            "state": self.state or self.type.rpartition(".")[2],
            "url": self.url or "",
        }


def is_event(job: Job) -> bool:
    """Whether there is something to tell of a job: that it ended, or fails again and again.

    One that had nothing to do, or was cancelled, is no news.
    """
    if job.state is State.SUCCEEDED:
        return job.skipped is None
    return job.state is State.FAILED or (not job.state.finished and job.failing)


def job_event(
    job: Job, at: float, origin: tuple[str | None, str | None], *, host: str, url: str | None
) -> Event:
    """The event of a job of which there is one; `origin` is what it follows, and who pushed."""
    branch, pusher = origin
    failing = not job.state.finished
    return Event(
        type=_TYPES.get(job.state, "job.failing"),
        at=at,
        host=host,
        message=_message(job),
        checkout=visible(job.directory),
        branch=branch and visible(branch),
        action=job.action.value,
        job=job.id,
        state="failing" if failing else job.state.value,
        reason=job.reason.value,
        revision=job.to_revision or job.wanted,
        previous=job.from_revision,
        pusher=pusher and visible(pusher),
        url=url,
    )


_TYPES: Mapping[State, Type] = {State.SUCCEEDED: "job.succeeded", State.FAILED: "job.failed"}


def _message(job: Job) -> str:
    if job.state is State.SUCCEEDED:
        return "imported" if job.action is Action.IMPORT else "updated"
    return visible(mask(job.error or "it failed"))


def alarm_event(alarm: Alarm, at: float, *, host: str, over: bool = False) -> Event:
    """What is to be told of an alarm that is new, or over."""
    return Event(
        type="alarm.over" if over else "alarm.raised",
        at=at,
        host=host,
        message=f"It is over: {alarm.sentence}" if over else alarm.sentence,
        alarm=alarm.kind,
        checkout=alarm.directory and visible(alarm.directory),
    )
