"""Pushes whose delivery failed while we were away are asked for again.

GitHub repeats none by itself:
https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from gitreload.complaints import Complaints
from gitreload.config import Settings
from gitreload.github_api import GitHubApi, RateLimitError
from gitreload.github_hooks import (
    KEPT_SECONDS,
    GitHubHook,
    HookDelivery,
    Hooks,
    deliver_again,
    deliveries,
    explained,
    repository_of,
)
from gitreload.ledger import CheckoutRecord
from gitreload.model import (
    Action,
    Checkout,
    GitreloadError,
    PermanentError,
    State,
    TransientError,
)
from gitreload.visible import visible

logger = logging.getLogger(__name__)

# So many of one hook are asked for in one round, the newest ones.
MOST = 20
# GitHub's clock may differ from ours by so much, and what is younger may still be under way.
MARGIN_SECONDS = 60.0
# https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
PAUSE_SECONDS = 1.0

Followed = Mapping[str, Sequence[CheckoutRecord | None]]
"""What is known of the checkouts of each repository."""


class Sweep:
    """One for all rounds: it keeps in mind what it has looked at, and asked for."""

    def __init__(
        self, stopping: threading.Event, clock: Callable[[], float], pause: float = PAUSE_SECONDS
    ) -> None:
        self._stopping = stopping
        self._clock = clock
        self._pause = pause
        self._not_before = 0.0
        # By hook: its list of deliveries once all of them were dealt with.
        self._etags: dict[str, str | None] = {}
        # What was asked for, by guid, and when that leaves GitHub's list.
        self._asked: dict[str, float] = {}
        self._complaints = Complaints(logger)

    def round(
        self, settings: Settings, checkouts: Iterable[Checkout], known: Mapping[str, CheckoutRecord]
    ) -> None:
        """Look at the webhooks of all repositories of `checkouts`; `known` are by path.

        What cannot be done is logged, once for each cause.
        """
        now = self._clock()
        if settings.github_token is None or now < self._not_before:
            return
        self._asked = {guid: end for guid, end in self._asked.items() if end > now}
        with Hooks(settings) as hooks:
            followed: defaultdict[str, list[CheckoutRecord | None]] = defaultdict(list)
            for checkout in checkouts:
                repository = hooks.repository(checkout)
                if repository is not None:
                    followed[repository].append(known.get(checkout.path))
            try:
                with self._complaining("the webhook of the GitHub App"):
                    self._look_at_app(hooks, followed)
                for repository in followed:
                    if self._stopping.is_set():
                        return
                    with self._complaining(f"the webhooks of {visible(repository)}"):
                        self._look_at(hooks, repository, followed)
            except TransientError as error:
                # The others would wait for the same in vain.
                self._not_before = now + (error.seconds if isinstance(error, RateLimitError) else 0)
                self._complain("the webhooks at GitHub", error)
            else:
                self._complaints.over("the webhooks at GitHub")

    def _look_at(self, hooks: Hooks, repository: str, followed: Followed) -> None:
        api = hooks.api(repository)
        for hook in hooks.of_repository(repository):
            lost = [
                each for each in self._failed(api, hook) if _lost(each, hook, followed[repository])
            ]
            self._ask_for(api, hook, lost, repository)

    def _look_at_app(self, hooks: Hooks, followed: Followed) -> None:
        api, hook = hooks.app_api(), hooks.of_app()
        if api is None or hook is None:
            return
        lost: defaultdict[str, list[HookDelivery]] = defaultdict(list)
        for each in self._failed(api, hook):
            repository = repository_of(api, hook, each)
            same = (known for known in followed if known.lower() == (repository or "").lower())
            for known in same:
                if _lost(each, hook, followed[known]):
                    lost[known].append(each)
        for repository, several in lost.items():
            self._ask_for(api, hook, several, repository)

    def _failed(self, api: GitHubApi, hook: GitHubHook) -> list[HookDelivery]:
        """What failed and was not asked for again, the newest ones of it."""
        now = self._clock()
        listed = deliveries(api, hook, now - KEPT_SECONDS, self._etags.get(hook.place))
        if listed is None:
            return []
        failed = [each for each in failures(listed.deliveries) if each.guid not in self._asked]
        settled = [each for each in failed if each.at < now - MARGIN_SECONDS]
        done = len(failed) == len(settled) <= MOST
        self._etags[hook.place] = listed.etag if done else None
        return settled[:MOST]

    def _ask_for(
        self, api: GitHubApi, hook: GitHubHook, lost: Sequence[HookDelivery], repository: str
    ) -> None:
        asked = 0
        for each in reversed(lost):  # in their order
            if self._stopping.is_set():
                break
            deliver_again(api, hook, each)
            self._asked[each.guid] = each.at + KEPT_SECONDS
            asked += 1
            self._stopping.wait(self._pause)
        if asked:
            logger.warning(
                "asked GitHub to deliver %s of %s again, which failed from %s on: %s",
                *("a push" if asked == 1 else f"{asked} pushes", visible(repository)),
                datetime.fromtimestamp(lost[-1].at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
                ", ".join(dict.fromkeys(f"{each.answer} {each.status}" for each in lost)),
            )

    @contextmanager
    def _complaining(self, what: str) -> Iterator[None]:
        """Log what keeps from looking at one of them, and go on with the next."""
        try:
            yield
        except PermanentError as error:
            self._complain(what, error)
        else:
            self._complaints.over(what)

    def _complain(self, what: str, error: GitreloadError) -> None:
        why = explained(error)
        if self._complaints.new(what, why):
            logger.warning("%s cannot be looked at: %s", what, why)


def failures(tries: Iterable[HookDelivery]) -> list[HookDelivery]:
    """The pushes that no try delivered, in the order of `tries`.

    Left out is what was asked for again by anybody, which would fail again, and what was refused
    (4xx): the same request is again.
    """
    tries = list(tries)
    settled = {each.guid for each in tries if each.ok or each.redelivery or each.refused}
    return [each for each in tries if each.event == "push" and each.guid not in settled]


def _lost(push: HookDelivery, hook: GitHubHook, records: Iterable[CheckoutRecord | None]) -> bool:
    """Whether some checkout has not done since then what the push asks for.

    What began after it went to the tip that it made, or to a later one.
    """
    return hook.action is not None and not all(_covers(each, push, hook.action) for each in records)


def _covers(record: CheckoutRecord | None, push: HookDelivery, action: Action) -> bool:
    job = record.last_job if record is not None else None
    return (
        job is not None
        and job.state is State.SUCCEEDED
        and job.started_at is not None
        and job.started_at > push.at + MARGIN_SECONDS
        and (job.action is Action.IMPORT or action is Action.UPDATE)
    )
