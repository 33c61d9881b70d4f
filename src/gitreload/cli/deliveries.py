"""What came in: the deliveries as they were recorded, and what became of each."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitreload.cli import output
from gitreload.cli.arguments import LIMIT, one_of, row_number
from gitreload.cli.errors import UsageError
from gitreload.cli.output import Brief, Json, moved, say, when_in_table, zoned
from gitreload.cli.state import existing_ledger, ledger_exists, load_settings, open_ledger
from gitreload.model import GitreloadError, Outcome
from gitreload.telling import when

if TYPE_CHECKING:
    from gitreload.config import Settings
    from gitreload.ledger import AskedFor, Kept, Ledger, Received

_NUMBER = typer.Argument(
    metavar="DELIVERY",
    parser=row_number("a delivery's number, as `gitreload deliveries` lists them"),
    help="The delivery's number.",
)
DeliveryNumber = Annotated[int, _NUMBER]
_AGO = re.compile(r"([0-9]{1,6})([mhd])")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
# Levels of a body's JSON that are laid out; forges need eight.
DEEPEST = 64


class _TooDeep(Exception):  # noqa: N818 - a finding about a body
    """The JSON nests deeper than `DEEPEST`."""


def deliveries(
    number: Annotated[int | None, _NUMBER] = None,
    forge: Annotated[
        list[str] | None,
        typer.Option(metavar="FORGE", help="Only deliveries of this forge; may be repeated."),
    ] = None,
    repository: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only for this repository; may be repeated."),
    ] = None,
    outcome: Annotated[
        list[Outcome] | None,
        typer.Option(
            metavar="OUTCOME",
            parser=one_of(Outcome),
            help=f"Only with this outcome ({', '.join(Outcome)}); may be repeated.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only since then: 90m, 12h, 7d, or a date and time."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", parser=LIMIT, help="How many, at most.  [default: 20]"),
    ] = None,
    as_json: Json = False,
) -> None:
    """List what forges delivered, or show one delivery."""
    settings = load_settings()
    if number is not None:
        if forge or repository or outcome or since or limit:
            raise UsageError("a delivery's number shows that one: leave the filters away")
        _show(settings, number, as_json=as_json)
        return
    found: list[Received] = []
    started = None if since is None else _moment(since)
    for name in forge or ():
        known_forge(name)
    if ledger_exists(settings):
        with open_ledger(settings) as ledger:
            found = ledger.find_deliveries(
                forges=forge or (),
                repositories=repository or (),
                outcomes=outcome or (),
                since=started,
                limit=limit or 20,
            )
    found = [_masked(each) for each in found]
    if as_json:
        output.print_json(found)
    elif found:
        _list(found)
    else:
        output.note(f"no such deliveries in the ledger of {settings.state_dir}")


def known_forge(name: str) -> None:
    """Raises UsageError where no forge is called so."""
    from gitreload.forges import BY_NAME

    if name not in BY_NAME:
        raise UsageError(f"there is no forge {name}: expected one of {', '.join(BY_NAME)}")


def find_delivery(ledger: Ledger, number: int) -> Received:
    """Raises GitreloadError."""
    found = ledger.delivery(number)
    if found is None:
        raise GitreloadError(
            f"there is no delivery {number}: `gitreload deliveries` shows the newest, and those "
            "whose jobs are finished are removed after HISTORY_DAYS"
        )
    return found


def _moment(text: str) -> float:
    """The time that `--since` names, in epoch seconds; raises UsageError."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return time.time() - int(ago[1]) * _SECONDS[ago[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"--since {text} is no time: expected 90m, 12h or 7d (ago), or 2030-12-31T23:59"
        ) from None


def _list(found: Iterable[Received]) -> None:
    output.table(
        (
            *(Brief("delivery", "no"), zoned("received"), "forge", Brief("event", "")),
            *("repository", Brief("action", ""), "outcome", "reason"),
        ),
        [_row(each) for each in found],
    )


def _row(each: Received) -> tuple[str, ...]:
    return (
        str(each.id),
        when_in_table(each.received_at),
        each.forge,
        each.event,
        each.repository or "",
        each.action,
        each.outcome,
        Brief.cut(each.detail),
    )


def _show(settings: Settings, number: int, *, as_json: bool) -> None:
    with existing_ledger(settings) as ledger:
        delivery = _masked(find_delivery(ledger, number))
        kept = ledger.kept(delivery)
        jobs = ledger.asked_for(delivery)
    body = _body(kept, _secrets(settings))
    if as_json:
        output.print_json(
            {"delivery": delivery, "jobs": jobs, "headers": dict(kept.headers), "body": body}
        )
        return
    _show_facts(delivery)
    if jobs:
        say("\njobs that it asked for")
        _show_jobs(jobs)
    if kept.headers:
        say("\nheaders")
        output.facts(kept.headers)
    if body is not None:
        say("\nbody" if _whole(delivery, kept) else _cut(delivery, kept))
        say(body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False))


def _show_facts(delivery: Received) -> None:
    output.facts(
        [
            ("delivery", str(delivery.id)),
            ("received", when(delivery.received_at)),
            ("from", delivery.peer),
            ("forge", delivery.forge),
            ("event", delivery.event),
            ("id", delivery.delivery_id),
            ("hook", delivery.hook),
            ("repository", delivery.repository),
            ("action", delivery.action),
            ("outcome", delivery.outcome),
            ("reason", delivery.detail),
        ]
    )


def _show_jobs(jobs: Iterable[AskedFor]) -> None:
    output.table(
        ("job", "state", "action", "checkout", "ref", "revision", "pusher"),
        [
            (
                str(each.job),
                each.state,
                each.action,
                each.directory,
                each.ref,
                moved(each.before, each.after),
                each.pusher or "",
            )
            for each in jobs
        ],
    )


def _whole(delivery: Received, kept: Kept) -> bool:
    return kept.body is None or len(kept.body) == delivery.body_size


def _cut(delivery: Received, kept: Kept) -> str:
    return f"\nbody (the first {len(kept.body or b'')} bytes of {delivery.body_size})"


def _body(kept: Kept, secrets: Sequence[str]) -> Any:
    """The body without its secrets: its JSON, or the text where it is none; None without one."""
    from gitreload.forges import SECRET_FIELDS, Headers, Malformed, payload
    from gitreload.forges.body import without

    if kept.body is None:
        return None
    headers = Headers((name.encode(), value.encode()) for name, value in kept.headers)
    body = without(kept.body, SECRET_FIELDS)
    try:
        return _cleaned(payload(headers, body), secrets)
    except (Malformed, _TooDeep):  # it was cut, or nobody could read it in lines
        return _cleaned(body.decode(errors="backslashreplace"), secrets)


def _cleaned(value: Any, secrets: Sequence[str], depth: int = 0) -> Any:
    """The value with nothing secret in any of its texts; raises _TooDeep."""
    from gitreload.remotes import mask

    if depth > DEEPEST:
        raise _TooDeep
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "********")
        return mask(value)
    if isinstance(value, dict):
        return {
            _cleaned(key, secrets): _cleaned(each, secrets, depth + 1)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_cleaned(each, secrets, depth + 1) for each in value]
    return value


def _secrets(settings: Settings) -> list[str]:
    """The configured ones: nobody should see it where one came along."""
    return [secret.read().decode(errors="replace") for _, secret in settings.secrets()]


def _masked(delivery: Received) -> Received:
    from gitreload.remotes import mask

    return replace(delivery, detail=mask(delivery.detail))
