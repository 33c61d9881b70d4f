"""A delivery from request to committed jobs: which checkouts it reaches, then into the ledger.

Matching looks at files, so it never runs on the event loop: the thread of the group commit does
it, once for all deliveries that it drained, just before it writes them.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec

from gitreload.authority import Grant
from gitreload.checkouts import Checkouts, Match, RepodirError
from gitreload.checkouts.match import ref_shown
from gitreload.ledger import Arrival, Entry, Ledger, LedgerUnavailable, Recorded, Target
from gitreload.ledger.group import GroupCommit, Stopped
from gitreload.model import Outcome, Push
from gitreload.refs import TAGS
from gitreload.remotes import mask
from gitreload.second_look import Reached, SecondLook, kind
from gitreload.visible import shown

logger = logging.getLogger(__name__)

# GitHub gives up after 10 s. A file system that hangs must be answered before.
DEADLINE_SECONDS = 8.0
# How often, at most, pushes that no checkout here follows make us look at all of REPODIR.
LOOK_SECONDS = 1.0
# How many checkouts, or reasons why none was reached, an answer and the ledger tell.
MOST_TOLD = 10
# How many near misses are kept with a delivery.
MOST_KEPT = 3


# What the sender is told: the action, and the checkouts that were reached or why none was.
SENTENCES = {
    Outcome.QUEUED: "queued {0} of {1}",
    Outcome.COALESCED: "{0} of {1} was queued already and covers this push",
    Outcome.DUPLICATE: "this delivery's {0} of {1} was done before",
    Outcome.IGNORED: "ignored: {1}",
    Outcome.PONG: "pong",
    Outcome.REFUSED: "refused: {1}",
}
COPY = "this very request came before, so nothing is done again"
STOPPING = "gitreload is stopping; deliver again in a moment"


class ReceiverBusy(Exception):  # noqa: N818 - a state of the world
    """Nothing was promised: the sender should try again later. The text says why."""


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What the sender is told. `cloned` is False where the repository is not here at all."""

    outcome: Outcome
    message: str
    delivery: int
    jobs: tuple[int, ...]
    cloned: bool = True


class Asked(msgspec.Struct, frozen=True, gc=False):
    """An arrival on its way. `looked`: it missed once, and a full look was taken since.

    `grant` says which checkouts it may act on, None that it may on all.
    """

    arrival: Arrival
    grant: Grant | None = None
    looked: bool = False


class Receiver:
    """One per process. `receive` may be awaited in any event loop, by many at once."""

    def __init__(
        self, ledger: Ledger, checkouts: Callable[[], Checkouts], wake: Callable[[], None]
    ) -> None:
        self._ledger = ledger
        self._checkouts = checkouts
        self._wake = wake
        self._record: GroupCommit[Asked, Receipt | None] = GroupCommit(
            self._write, "ledger", DEADLINE_SECONDS
        )
        # Misses wait for a look at all of REPODIR, in a thread of their own; hits for none. What
        # waits there is nothing but the waiting: a look that hangs must not hold bodies.
        self._look: GroupCommit[None, None] = GroupCommit(
            self._look_again, "looks", DEADLINE_SECONDS
        )
        self._looked_at = 0.0
        self._named: GroupCommit[Sequence[Push], frozenset[str]] = GroupCommit(
            self._names, "names", DEADLINE_SECONDS
        )
        self._second_look = SecondLook(ledger, checkouts, wake)

    def start(self) -> None:
        for group in self._groups:
            group.start()
        self._second_look.start()

    @property
    def threads(self) -> list[threading.Thread]:
        """Those without which nothing is received."""
        return [*(group.thread for group in self._groups), self._second_look.thread]

    def stop(self, seconds: float) -> None:
        """Write what has arrived, look for what else that reaches, then end.

        Whatever hangs is left behind after so many `seconds`, and told in the log.
        """
        deadline = time.monotonic() + seconds
        for group in self._groups:
            group.stop()
        for group in self._groups:
            group.thread.join(max(0.0, deadline - time.monotonic()))
        self._second_look.stop()
        self._second_look.thread.join(max(0.0, deadline - time.monotonic()))
        left = [thread.name for thread in self.threads if thread.is_alive()]
        if left:
            logger.warning(
                "ends without waiting for what hangs (%s): look whether REPODIR or the ledger's "
                "disk answers",
                ", ".join(left),
            )

    @property
    def _groups(self) -> tuple[GroupCommit[Any, Any], ...]:
        return self._record, self._look, self._named

    async def receive(self, arrival: Arrival, grant: Grant | None = None) -> Receipt:
        """Commit the delivery and its jobs; raises ReceiverBusy where that cannot be done now.

        `grant` says which checkouts the delivery may act on, None that it may on all.
        """
        deadline = time.monotonic() + DEADLINE_SECONDS
        try:
            receipt = await self._record.submit(Asked(arrival, grant))
            if receipt is None:
                async with asyncio.timeout(deadline - time.monotonic()):
                    receipt = await self._after_a_look(Asked(arrival, grant, looked=True))
        except (LedgerUnavailable, RepodirError) as error:
            logger.error("a delivery could not be recorded: %s", error)
            raise ReceiverBusy(str(error)) from error
        except TimeoutError:
            message = "REPODIR or the ledger's disk does not answer; look whether it hangs"
            logger.error("a delivery could not be recorded in %g s: %s", DEADLINE_SECONDS, message)
            raise ReceiverBusy(message) from None
        except Stopped:
            raise ReceiverBusy(STOPPING) from None
        return receipt

    async def names(self, pushes: Sequence[Push]) -> frozenset[str]:
        """The names below REPODIR of all checkouts of the pushed repositories, on any branch.

        Raises ReceiverBusy where they cannot be looked up now.
        """
        try:
            return await self._named.submit(pushes)
        except RepodirError as error:
            raise ReceiverBusy(str(error)) from error
        except TimeoutError:
            raise ReceiverBusy("REPODIR does not answer; look whether it hangs") from None
        except Stopped:
            raise ReceiverBusy(STOPPING) from None

    def _names(self, asked: Sequence[Sequence[Push]]) -> list[frozenset[str]]:
        wanted = [[(push.urls, "") for push in pushes] for pushes in asked]
        queries = list(dict.fromkeys(chain.from_iterable(wanted)))
        matches = dict(zip(queries, self._checkouts().match_many(queries), strict=True))
        return [frozenset(_every_name(matches[query] for query in each)) for each in wanted]

    async def _after_a_look(self, asked: Asked) -> Receipt:
        await self._look.submit(None)
        receipt = await self._record.submit(asked)
        assert receipt is not None, "after a look every arrival is recorded"
        return receipt

    def _look_again(self, waiting: Sequence[None]) -> list[None]:
        # At most one a second: a flood of foreign pushes must not become a flood of file access.
        time.sleep(max(0.0, self._looked_at + LOOK_SECONDS - time.monotonic()))
        try:
            self._checkouts().look()
        finally:
            self._looked_at = time.monotonic()
        return [None] * len(waiting)

    def _write(self, asked: Sequence[Asked]) -> list[Receipt | None]:
        """One transaction for all that need no look; None for those that do."""
        resolved = resolve(asked, self._checkouts())
        ready = [one.looked or not found.missed for one, found in zip(asked, resolved, strict=True)]
        recorded = iter(
            self._ledger.record(
                [found.entry for found, now in zip(resolved, ready, strict=True) if now]
            )
        )
        receipts: list[Receipt | None] = []
        reached: dict[Hashable, Reached] = {}
        wake = False
        for one, found, now in zip(asked, resolved, ready, strict=True):
            record = next(recorded) if now else None
            receipts.append(None if record is None else _receipt(found, record))
            wake = wake or (record is not None and record.wake)
            # Of a copy of an earlier request nothing comes, nor of what was done before.
            if record is not None and record.jobs and not one.looked:
                arrival, targets = one.arrival, found.entry.targets
                for target in targets:
                    # In a storm most are alike, and the newest of them is enough.
                    reached[kind(arrival.action, target.push, one.grant)] = Reached(
                        record.delivery, arrival.action, target.push, targets, one.grant
                    )
        self._second_look.note(reached)
        if wake:
            self._wake_workers()
        if logger.isEnabledFor(logging.INFO):
            _tell(asked, receipts)
        return receipts

    def _wake_workers(self) -> None:
        # All is on disk: an error here would have it written again, and answered with a 503.
        try:
            self._wake()
        except Exception:
            logger.exception("workers could not be woken, and see by themselves what is queued")


class Resolved(msgspec.Struct, frozen=True, gc=False):
    """What to record for an arrival, whether its repository is cloned here, and what is near.

    `missed`: no checkout follows what was pushed, as far as is known without a look.
    `answer` is what the sender is told, where the record says more: of the other checkouts here.
    """

    entry: Entry
    missed: bool = False
    cloned: bool = True
    near: tuple[str, ...] = ()
    answer: str | None = None


def resolve(asked: Sequence[Asked], checkouts: Checkouts) -> list[Resolved]:
    """What each arrival reaches, with one glance for all; raises RepodirError."""
    tags = checkouts.follow_tags
    wanted = [
        (index, push, (push.urls, push.ref))
        for index, one in enumerate(asked)
        for push in one.arrival.delivery.pushes
        if _not_followed(push, tags=tags) is None
    ]
    # In a storm most pushes ask for the same.
    queries = list(dict.fromkeys(query for _, _, query in wanted))
    answers = checkouts.match_many(queries) if queries else []
    matches = dict(zip(queries, answers, strict=True))
    found: dict[int, list[tuple[Push, Match]]] = {}
    for index, push, query in wanted:
        found.setdefault(index, []).append((push, matches[query]))
    return [_resolved(one, found.get(index, ()), tags=tags) for index, one in enumerate(asked)]


def _every_name(matches: Iterable[Match]) -> Iterator[str]:
    for match in matches:
        for checkout in (*match.found, *match.others):
            yield checkout.directory
            yield from checkout.aliases


def _not_followed(push: Push, *, tags: bool) -> str | None:
    """Why no checkout can follow this push; None where one may. `tags`: some follow tags.

    Of a tag that is gone the newest that is left takes the place, so its deletion is not ignored.
    """
    if tags and push.ref.startswith(TAGS):
        return None
    if push.branch is None:
        return f"{shown(push.ref)} is not a branch"
    if push.deleted:
        return f"the branch {shown(push.branch)} was deleted"
    return None


def _resolved(asked: Asked, told: Sequence[tuple[Push, Match]], *, tags: bool) -> Resolved:
    arrival, grant = asked.arrival, asked.grant
    delivery = arrival.delivery
    if delivery.ping:
        return Resolved(Entry(arrival, outcome=Outcome.PONG, detail="pong"))
    if delivery.ignored is not None:
        return Resolved(Entry(arrival, detail=delivery.ignored))
    found = told if grant is None else [(push, match.only(grant.allows)) for push, match in told]
    # One job per checkout, however many refs of one delivery lead to it: the last word counts.
    targets = {
        checkout.path: Target(checkout, push) for push, match in found for checkout in match.found
    }
    missed = not all(match.found for _, match in found)
    if targets:
        reached = _reached(targets.values())
        return Resolved(Entry(arrival, tuple(targets.values()), detail=reached), missed)
    cloned = not found or any(match.known for _, match in found)
    if grant is not None and not cloned and (why := _refused(grant, told)) is not None:
        return Resolved(Entry(arrival, outcome=Outcome.REFUSED, detail=why), missed)
    reasons = [why for push in delivery.pushes if (why := _not_followed(push, tags=tags))]
    reasons += [reason for _, match in found for reason in match.reasons]
    if not cloned:
        reasons.append("this repository is not cloned here")
    near = tuple(near for _, match in found for near in match.near)[:MOST_TOLD]
    detail = _told(reasons, "; ") or "nothing was pushed"
    if cloned:
        return Resolved(Entry(arrival, detail=detail), missed)
    more = near or [f"pushed to {shown(mask(url))}" for push, _ in found for url in push.urls[:1]]
    kept = "; ".join([detail, *more[:MOST_KEPT]])
    return Resolved(Entry(arrival, detail=kept), missed, cloned, near, detail)


def _refused(grant: Grant, told: Sequence[tuple[Push, Match]]) -> str | None:
    """Why the first checkout that must not be touched must not; None where there is none."""
    checkouts = (each for _, match in told for each in (*match.found, *match.others))
    return next(filter(None, map(grant.refuses, checkouts)), None)


def _reached(targets: Iterable[Target]) -> str:
    return _told(
        [f"{each.checkout.directory} at {ref_shown(each.push.ref)}" for each in targets], ", "
    )


def _told(facts: Sequence[str], between: str) -> str:
    """The first and the last of them: a delivery may tell of thousands of refs."""
    distinct = list(dict.fromkeys(facts))
    if len(distinct) > MOST_TOLD:
        more = f"… ({len(distinct) - MOST_TOLD} more)"
        distinct = [*distinct[: MOST_TOLD - 1], more, distinct[-1]]
    return between.join(distinct)


def _tell(asked: Sequence[Asked], receipts: Sequence[Receipt | None]) -> None:
    for one, receipt in zip(asked, receipts, strict=True):
        if receipt is not None:
            forge = one.arrival.delivery.forge
            logger.info("delivery %d of %s: %s", receipt.delivery, forge, receipt.message)


def _receipt(resolved: Resolved, recorded: Recorded) -> Receipt:
    if recorded.copied:
        return Receipt(recorded.outcome, COPY, recorded.delivery, recorded.jobs)
    entry = resolved.entry
    for near in resolved.near:
        logger.warning("delivery %d: %s", recorded.delivery, near)
    told = resolved.answer or entry.detail
    message = SENTENCES[recorded.outcome].format(entry.arrival.action, told)
    return Receipt(recorded.outcome, message, recorded.delivery, recorded.jobs, resolved.cloned)
