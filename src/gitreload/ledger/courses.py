"""The courses that were imported from checkouts. All take a connection inside a transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from gitreload.ledger.tables import checkouts, courses, jobs
from gitreload.model import Job


@dataclass(frozen=True, slots=True)
class KnownCourse:
    """A course as it was imported last: `key` is "org/course/run".

    `settings` digests what besides the revision decided its import. `identifiers` names its blocks
    as "category/url_name".
    """

    key: str
    revision: str
    settings: str
    identifiers: frozenset[str]


def known(connection: Connection, checkout_id: int) -> dict[str, KnownCourse]:
    """Those that were imported from a checkout, by their keys."""
    rows = connection.execute(select(courses).where(courses.c.checkout_id == checkout_id))
    return {
        row.course_key: KnownCourse(
            row.course_key,
            row.revision,
            row.settings,
            frozenset(row.identifiers.splitlines()),
        )
        for row in rows
    }


def keep(connection: Connection, checkout_id: int, course: KnownCourse) -> None:
    """Note that it was imported."""
    connection.execute(
        delete(courses).where(
            courses.c.checkout_id == checkout_id, courses.c.course_key == course.key
        )
    )
    connection.execute(
        insert(courses).values(
            checkout_id=checkout_id,
            course_key=course.key,
            revision=course.revision,
            settings=course.settings,
            identifiers="\n".join(sorted(course.identifiers)),
        )
    )


def keep_only(connection: Connection, checkout_id: int, keys: Collection[str]) -> None:
    """Forget what was imported from a checkout under other keys, and what was approved."""
    connection.execute(update(checkouts).where(checkouts.c.id == checkout_id).values(approved=None))
    connection.execute(
        delete(courses).where(
            courses.c.checkout_id == checkout_id, courses.c.course_key.not_in(keys)
        )
    )


def keys(connection: Connection, pool: str) -> dict[int, tuple[str, ...]]:
    """Those of all that was imported, by the checkouts' ids."""
    found = select(courses.c.checkout_id, courses.c.course_key).order_by(courses.c.course_key)
    of_pool = found.join(checkouts, checkouts.c.id == courses.c.checkout_id)
    told: dict[int, tuple[str, ...]] = {}
    for row in connection.execute(of_pool.where(checkouts.c.pool == pool)):
        told[row.checkout_id] = (*told.get(row.checkout_id, ()), row.course_key)
    return told


def approved(connection: Connection, checkout_id: int) -> frozenset[str]:
    """Digests of the losses that were approved for the next import of a checkout."""
    found = select(checkouts.c.approved).where(checkouts.c.id == checkout_id)
    return frozenset((connection.execute(found).scalar_one() or "").split())


def approve(connection: Connection, job: Job) -> None:
    """Let the next import lose what the job was refused for."""
    refused = select(jobs.c.guarded).where(jobs.c.id == job.id).scalar_subquery()
    connection.execute(
        update(checkouts).where(checkouts.c.id == job.checkout_id).values(approved=refused)
    )
