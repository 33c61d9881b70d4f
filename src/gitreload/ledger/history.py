"""Pruning: finished jobs, logs and deliveries leave after a while; nothing unfinished does.

Works in small transactions, so that a push never waits long behind it.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, or_, select, text

from gitreload.ledger.database import Database
from gitreload.ledger.tables import bodies, deliveries, job_deliveries, jobs, nonces

# Rows in one transaction; each may take megabytes of logs along.
BATCH = 100
DAY_SECONDS = 86_400
MEBIBYTE = 1024 * 1024


def prune(database: Database, now: float, days: int, mebibytes: int) -> int:
    """Delete what is older than `days`, then the oldest until `mebibytes` hold; rows deleted."""
    cutoff = now - days * DAY_SECONDS
    deleted = 0
    while batch := _prune_nonces(database, now, cutoff):
        deleted += batch
    while batch := _prune_batch(database, cutoff):
        deleted += batch
    while _size(database) > mebibytes * MEBIBYTE:
        batch = _prune_batch(database, now)
        if not batch:
            break
        deleted += batch
    return deleted


def _prune_batch(database: Database, cutoff: float) -> int:
    with database.write(durable=False) as connection:
        return _prune_jobs(connection, cutoff) + _prune_deliveries(connection, cutoff)


def _prune_nonces(database: Database, now: float, cutoff: float) -> int:
    # Whatever room they take: to forget one earlier would let a copy in.
    stale = or_(
        nonces.c.fresh_until < now,
        and_(nonces.c.fresh_until.is_(None), nonces.c.seen_at < cutoff),
    )
    oldest = select(nonces.c.id).where(stale).limit(BATCH)
    with database.write(durable=False) as connection:
        return connection.execute(delete(nonces).where(nonces.c.id.in_(oldest))).rowcount


def _prune_jobs(connection: Connection, cutoff: float) -> int:
    # Only finished jobs have `finished_at`; their attempts, logs and links go with them.
    oldest = (
        select(jobs.c.id)
        .where(jobs.c.finished_at < cutoff)
        .order_by(jobs.c.finished_at)
        .limit(BATCH)
    )
    return connection.execute(delete(jobs).where(jobs.c.id.in_(oldest))).rowcount


def _prune_deliveries(connection: Connection, cutoff: float) -> int:
    oldest = (
        select(deliveries.c.id, deliveries.c.body_id)
        .where(deliveries.c.received_at < cutoff, ~_linked())
        .order_by(deliveries.c.received_at)
        .limit(BATCH)
    )
    leaving = connection.execute(oldest).all()
    connection.execute(delete(deliveries).where(deliveries.c.id.in_([row.id for row in leaving])))
    _prune_bodies(connection, {row.body_id for row in leaving})
    return len(leaving)


def _prune_bodies(connection: Connection, candidates: Collection[int | None]) -> None:
    """Bodies lie together, so they leave with the last delivery that has one of them."""
    needed = exists().where(deliveries.c.body_id == bodies.c.id)
    connection.execute(delete(bodies).where(bodies.c.id.in_(candidates), ~needed))


def _linked() -> ColumnElement[bool]:
    return exists().where(job_deliveries.c.delivery_id == deliveries.c.id)


def _size(database: Database) -> int:
    """Bytes in use, without the pages that earlier deletions left free for what comes."""
    with database.read() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        free = connection.execute(text("PRAGMA freelist_count")).scalar_one()
        size = connection.execute(text("PRAGMA page_size")).scalar_one()
    return int((pages - free) * size)
