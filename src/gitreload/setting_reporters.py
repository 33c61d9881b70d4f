"""The keys of what tells people and programs what became of jobs."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gitreload import remotes
from gitreload.setting_forms import Between, Form, Group, Plain, only, sentence
from gitreload.setting_secrets import AppriseUrlEntry, SigningSecretEntry
from gitreload.templates import fault

# What a TITLE or BODY may name.
FIELDS = (
    "action", "branch", "checkout", "count", "host", "job", "message", "pusher", "revision",
    "state", "summary", "url",
)  # fmt: skip


def _sound(template: str) -> str:
    wrong = fault(template, FIELDS)
    if wrong is not None:
        raise sentence(wrong)
    return template


def _is_endpoint(value: str) -> bool:
    site = remotes.http_site(value)
    return site is not None and site.user is None and not re.search(r"[\s#]", value)


Template = Annotated[
    Annotated[str, Field(strict=True, min_length=1)],
    AfterValidator(_sound),
    Form('a text with fields, such as "{checkout}: {summary}"'),
]
Tellings = Annotated[
    tuple[Literal["failure", "recovery", "every", "alarm"], ...],
    only(bool),
    Form('a list with some of "failure", "recovery", "every" and "alarm"'),
]
Events = Annotated[
    tuple[Literal["job.succeeded", "job.failing", "job.failed", "alarm.raised", "alarm.over"], ...],
    only(bool),
    Form(
        'a list with some of "job.succeeded", "job.failing", "job.failed", "alarm.raised" and '
        '"alarm.over"'
    ),
]
Endpoint = Annotated[
    Plain,
    only(_is_endpoint),
    Form('an address without a user, such as "https://bot.example.org/gitreload"'),
]


class NotifySettings(Group):
    """One service that people are notified through."""

    url: AppriseUrlEntry = Field(
        description="The service, and who is told there, as a URL of Apprise: a string, or "
        '`{"FILE": path}`, which is read again when it changes.',
    )
    on: Tellings = Field(
        default=("failure", "recovery", "alarm"),
        description="What is told: a `failure`, the `recovery` from it, `every` job that did "
        "something, and each `alarm`.",
    )
    title: Template = Field(
        default="{summary}", description="The title, or subject, as a template; see below."
    )
    body: Template = Field(
        default="{message}\n\n{count}\nCheckout: {checkout}\nBranch: {branch}\n"
        "Revision: {revision}\nPushed by: {pusher}\nJob: {job}\nHost: {host}\n{url}",
        description="The text, as a template.",
    )
    throttle_minutes: Annotated[float, Between(0, 360)] = Field(
        default=0,
        description="After a message about a checkout, the next ones wait so long, and become one.",
    )


class OutgoingWebhookSettings(Group):
    """One program that is told."""

    url: Endpoint = Field(description="Where to send to, by POST.")
    secret: SigningSecretEntry = Field(
        description='What proves it: `whsec_` and Base64, or `{"FILE": path}`.'
    )
    on: Events = Field(
        default=("job.succeeded", "job.failing", "job.failed", "alarm.raised", "alarm.over"),
        description="The types of events that are sent.",
    )
