"""A recorded delivery, taken up again as if it had arrived now.

It was genuine when it came, so it is not asked for proof again, and it acts though it was done
before. It may act on all that it reaches: whoever can replay it can sync any checkout as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from gitreload import forges
from gitreload.checkouts import Checkouts
from gitreload.ledger import Arrival, Ledger, Received, Target
from gitreload.model import Checkout, Delivery, GitreloadError, Outcome, Push
from gitreload.receiver import Asked, resolve

CURE = "deliver it again from the forge, or queue its checkout with `gitreload sync`"


def replay(
    ledger: Ledger, checkouts: Checkouts, delivery: Received, paths: forges.Paths
) -> list[tuple[Checkout, int, Outcome]]:
    """Queue its action for the checkouts that its pushes reach now: each with its job.

    `QUEUED` tells a new job, `COALESCED` one that waits already. `paths` are those of generic
    senders. Raises GitreloadError where its pushes are not known any more, or reach nothing.
    """
    if delivery.outcome is Outcome.PONG:
        raise GitreloadError(f"delivery {delivery.id} was a test call: it asked for nothing")
    targets = _targets(delivery, _pushes(ledger, delivery, paths), checkouts, ledger.clock())
    queued = ledger.replay(delivery, targets)
    return [
        (target.checkout, job, outcome)
        for target, (job, outcome) in zip(targets, queued, strict=True)
    ]


def _pushes(ledger: Ledger, delivery: Received, paths: forges.Paths) -> Sequence[Push]:
    """What it told of, from its body, or from the jobs that it asked for; raises GitreloadError."""
    kept = ledger.kept(delivery)
    if kept.body is None:
        raise GitreloadError(
            f"of delivery {delivery.id} no body is kept, as it was {delivery.outcome} "
            f"({delivery.detail}): {CURE}"
        )
    try:
        told = forges.pushes(delivery.forge, kept.headers, kept.body, paths)
        return forges.addressed(told, delivery.repository)
    except forges.Malformed as error:
        reached = _reached_before(ledger, delivery)
        if reached:
            return reached
        raise GitreloadError(
            f"what is kept of delivery {delivery.id} cannot be read again ({error}): {CURE}"
        ) from error


def _reached_before(ledger: Ledger, delivery: Received) -> list[Push]:
    """Of a body that was cut: its pushes that reached checkouts when it came."""
    return [
        Push(
            ref=each.ref,
            urls=(each.origin,),
            repository=delivery.repository,
            before=each.before,
            after=each.after,
            pusher=each.pusher,
        )
        for each in ledger.asked_for(delivery)
        if each.origin is not None
    ]


def _targets(
    delivery: Received, pushes: Sequence[Push], checkouts: Checkouts, now: float
) -> tuple[Target, ...]:
    """The checkouts that follow what was pushed; raises GitreloadError where none does."""
    told = Delivery(delivery.forge, delivery.event, pushes=tuple(pushes))
    arrival = Arrival(told, delivery.action, now, delivery.peer, (), b"")
    checkouts.look()
    [found] = resolve([Asked(arrival)], checkouts)
    if not found.entry.targets:
        why = found.entry.detail
        raise GitreloadError(f"delivery {delivery.id} reaches no checkout now: {why}")
    return found.entry.targets
