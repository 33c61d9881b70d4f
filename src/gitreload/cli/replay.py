"""`gitreload replay`: take up again what a forge delivered before."""

from __future__ import annotations

from gitreload.cli import output
from gitreload.cli.deliveries import DeliveryNumber, find_delivery
from gitreload.cli.output import Json
from gitreload.cli.state import existing_ledger, load_settings
from gitreload.cli.sync import tell


def replay(number: DeliveryNumber, as_json: Json = False) -> None:
    """Take a delivery up again, as if it had arrived now."""
    from gitreload.authority import Authority
    from gitreload.checkouts import Checkouts
    from gitreload.cli.workers import note_if_none, wake
    from gitreload.replay import replay

    settings = load_settings()
    with existing_ledger(settings) as ledger:
        delivery = find_delivery(ledger, number)
        paths = Authority(settings).paths
        queued = replay(ledger, Checkouts.of(settings), delivery, paths)
        wake(settings)
        jobs = [ledger.follow(job) for _, job, _ in queued]
    if as_json:
        output.print_json(jobs)
    else:
        tell(delivery.action, queued)
    note_if_none(settings)
