"""`gitreload list`, and finding the checkout that somebody names."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitreload.cli import output
from gitreload.cli.output import Brief, Json, held_because, short, url, when_in_table, zoned
from gitreload.cli.state import ledger_exists, load_settings, open_ledger
from gitreload.model import Checkout, GitreloadError
from gitreload.telling import state_of

if TYPE_CHECKING:
    from gitreload.checkouts import Checkouts
    from gitreload.config import Settings
    from gitreload.ledger import CheckoutRecord

    _Listed = tuple[Checkout, str | None, str | None, str | None, CheckoutRecord | None, str | None]
    """A checkout, the tag and the revisions checked out and served, what the ledger has, and why it
    is held."""


def list_checkouts(as_json: Json = False) -> None:
    """List the checkouts, and how their last jobs ended."""
    from gitreload.checkouts import Checkouts
    from gitreload.checkouts.revision import revision, tag
    from gitreload.remotes import mask

    settings = load_settings()
    found = Checkouts.of(settings).all()
    known = records(settings)
    rows = [
        (
            each,
            tag(each),
            revision(each.path),
            _served(settings, each),
            record,
            _held(settings, each, record),
        )
        for each in found
        for record in [known.get(each.path)]
    ]
    if as_json:
        output.print_json(
            [
                {
                    **output.data(each),
                    "origin": mask(each.origin) if each.origin else None,
                    "tag": at,
                    "revision": head,
                    "served": served,
                    "held": held is not None,
                    "course_keys": record.course_keys if record else (),
                    "last_job": record.last_job if record else None,
                    "tip": record.tip if record else None,
                    "trouble": str(record.trouble) if record and record.trouble else None,
                    "missed": record.missed if record else None,
                }
                for each, at, head, served, record, held in rows
            ]
        )
    elif rows:
        _print(rows)
    else:
        output.note(none_at_all(settings))


def none_at_all(settings: Settings) -> str:
    """That there is no checkout yet, and how one comes."""
    return f"there is no checkout below REPODIR, {settings.repodir}: `gitreload add URL` clones one"


def _print(rows: Sequence[_Listed]) -> None:
    output.table(
        (
            *("checkout", "remote", "follows", "revision", "behind", "served"),
            *(Brief("last result", "result"), zoned("when"), "job", "problem"),
        ),
        [_row(*row) for row in rows],
        remarks=True,
    )
    for key, names in _shared(rows).items():
        output.note(
            f"warning: {' and '.join(names)} import the same course, {key}, so each overwrites the "
            "other; give them courses of their own in course.xml, or remove one"
        )


def _shared(rows: Sequence[_Listed]) -> dict[str, list[str]]:
    """The courses that several checkouts have imported, with the names of those."""
    importing: dict[str, list[str]] = {}
    for checkout, *_, record, _ in rows:
        for key in () if record is None else record.course_keys:
            importing.setdefault(key, []).append(checkout.directory)
    return {key: names for key, names in importing.items() if len(names) > 1}


def _served(settings: Settings, checkout: Checkout) -> str | None:
    from gitreload.publish import Published

    published = Published.of(settings, checkout.directory)
    return None if published is None else published.served()


def _held(settings: Settings, checkout: Checkout, record: CheckoutRecord | None) -> str | None:
    configured = checkout.directory in settings.held
    if not configured and (record is None or not record.held):
        return None
    return held_because(checkout.directory, by_configuration=configured)


def _row(
    checkout: Checkout,
    tag: str | None,
    head: str | None,
    served: str | None,
    record: CheckoutRecord | None,
    held: str | None,
) -> tuple[str, ...]:
    job = record.last_job if record else None
    return (
        checkout.directory,
        url(checkout.origin),
        checkout.followed if tag is None else f"{checkout.followed} ({tag})",
        short(head),
        short(record.tip) if record and record.tip != head else "",
        short(served),
        state_of(job) if job else "",
        when_in_table(job.finished_at or job.started_at or job.queued_at) if job else "",
        str(job.id) if job else "",
        Brief.cut(checkout.problem or held or _trouble(record)),
    )


def _trouble(record: CheckoutRecord | None) -> str:
    """What is known to be wrong: with the remote, its job that does not end, or its webhook."""
    from gitreload.late import late

    if record is None:
        return ""
    now = time.time()
    missed = "" if record.missed is None else record.missed.alarm(now)
    return str(record.trouble or late(record, now) or missed)


def records(settings: Settings) -> dict[str, CheckoutRecord]:
    """What the ledger has of checkouts, by their paths; nothing where there is no ledger yet."""
    if not ledger_exists(settings):
        return {}
    with open_ledger(settings) as ledger:
        return ledger.last_results()


def find_checkout(checkouts: Checkouts, settings: Settings, name: str) -> Checkout:
    """As `named`; one that cannot be followed is an error too."""
    found = named(checkouts, settings, name)
    if found.problem is not None:
        raise GitreloadError(found.problem)
    return found


def named(checkouts: Checkouts, settings: Settings, name: str) -> Checkout:
    """The checkout called `name` below REPODIR, or at that path. Raises GitreloadError."""
    found = look_up(checkouts, settings, name)
    if found is None:
        raise no_checkout(name, checkouts, settings)
    return found


def look_up(checkouts: Checkouts, settings: Settings, name: str) -> Checkout | None:
    """The checkout called `name` below REPODIR, or at that path; None where there is none."""
    # `sync course/` and `sync /mnt/data/repos/course` come of completing names in a shell.
    directory = os.path.relpath(name, settings.repodir) if name.startswith("/") else name
    found = checkouts.get(os.path.normpath(directory))
    if found is not None and not name.startswith("."):
        return found
    here = os.path.realpath(name)
    return next((checkout for checkout in checkouts.all() if checkout.path == here), found)


def no_checkout(name: str, checkouts: Checkouts, settings: Settings) -> GitreloadError:
    """That there is none of this name, with those that may be meant."""
    return GitreloadError(
        f"there is no checkout {name} below REPODIR, {settings.repodir}; "
        + _advice(name, checkouts.all())
    )


def _advice(name: str, existing: tuple[Checkout, ...]) -> str:
    from difflib import get_close_matches

    names = [each for checkout in existing for each in (checkout.directory, *checkout.aliases)]
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else "`gitreload list` shows those that are there"
