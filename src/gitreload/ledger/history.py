"""Pruning: finished jobs, logs and deliveries leave after a while; nothing unfinished does.

Works in small transactions, with a rest after each, so that a push never waits long behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    exists,
    or_,
    select,
    text,
    tuple_,
)

from gitreload.ledger import heard
from gitreload.ledger.bodies import KEPT
from gitreload.ledger.database import Database
from gitreload.ledger.tables import (
    attempts,
    bodies,
    deliveries,
    job_deliveries,
    jobs,
    log_chunks,
    nonces,
)

# In one transaction: so many small rows, chunks of logs of up to 16 KiB, and bytes of bodies.
BATCH = 100
CHUNKS = 64
BODY_BYTES = 1024 * 1024
# After each transaction those who wait to write get their turn: a lock that is free for no time at
# all is taken again by who has just let it go.
REST_SECONDS = 0.01
DAY_SECONDS = 86_400
MEBIBYTE = 1024 * 1024

# Deletes a few rows; how many.
_Step = Callable[[Connection], int]


def prune(database: Database, now: float, days: int, mebibytes: int) -> int:
    """Delete what is older than `days`, then the oldest until `mebibytes` hold.

    Returns how many nonces, reports of alarms, jobs and deliveries were deleted.
    """
    cutoff = now - days * DAY_SECONDS
    deleted = 0
    while batch := _step(database, lambda connection: _prune_nonces(connection, now, cutoff)):
        deleted += batch
    deleted += _step(database, lambda connection: heard.forget(connection, cutoff))
    while batch := _prune_batch(database, cutoff):
        deleted += batch
    while _size(database) > mebibytes * MEBIBYTE:
        batch = _prune_batch(database, now)
        if not batch:
            break
        deleted += batch
    return deleted


def _step(database: Database, step: _Step) -> int:
    with database.write(durable=False) as connection:
        deleted = step(connection)
    time.sleep(REST_SECONDS)
    return deleted


def _prune_batch(database: Database, cutoff: float) -> int:
    return _prune_jobs(database, cutoff) + _step(
        database, lambda connection: _prune_deliveries(connection, cutoff)
    )


def _prune_nonces(connection: Connection, now: float, cutoff: float) -> int:
    # Whatever room they take: to forget one earlier would let a copy in.
    stale = or_(
        nonces.c.fresh_until < now,
        and_(nonces.c.fresh_until.is_(None), nonces.c.seen_at < cutoff),
    )
    oldest = select(nonces.c.id).where(stale).limit(BATCH)
    return connection.execute(delete(nonces).where(nonces.c.id.in_(oldest))).rowcount


def _prune_jobs(database: Database, cutoff: float) -> int:
    """Delete the oldest finished jobs, but first, piece by piece, what may be much of each."""
    # Only finished jobs have `finished_at`.
    oldest = (
        select(jobs.c.id)
        .where(jobs.c.finished_at < cutoff)
        .order_by(jobs.c.finished_at)
        .limit(BATCH)
    )
    with database.read() as connection:
        leaving = connection.execute(oldest).scalars().all()
    if not leaving:
        return 0
    tried = select(attempts.c.id).where(attempts.c.job_id.in_(leaving))
    for step in (
        _some_of(log_chunks, log_chunks.c.attempt_id.in_(tried), CHUNKS),
        _some_of(attempts, attempts.c.job_id.in_(leaving), BATCH),
        _some_of(job_deliveries, job_deliveries.c.job_id.in_(leaving), BATCH),
    ):
        while _step(database, step):
            pass
    gone = delete(jobs).where(jobs.c.id.in_(leaving))
    return _step(database, lambda connection: connection.execute(gone).rowcount)


def _some_of(table: Table, condition: ColumnElement[bool], limit: int) -> _Step:
    key = table.primary_key.columns
    some = select(*key).where(condition).limit(limit)
    query = delete(table).where(tuple_(*key).in_(some))
    return lambda connection: connection.execute(query).rowcount


def _prune_deliveries(connection: Connection, cutoff: float) -> int:
    oldest = (
        select(deliveries.c.id, deliveries.c.body_id, deliveries.c.body_size)
        .where(deliveries.c.received_at < cutoff, ~_linked())
        .order_by(deliveries.c.received_at)
        .limit(BATCH)
    )
    rows = connection.execute(oldest).all()
    leaving = rows[: _fitting(row.body_size for row in rows)]
    connection.execute(delete(deliveries).where(deliveries.c.id.in_([row.id for row in leaving])))
    _prune_bodies(connection, {row.body_id for row in leaving})
    return len(leaving)


def _fitting(sizes: Iterable[int]) -> int:
    """How many of bodies of these sizes are enough for one transaction: one at least."""
    count = total = 0
    for size in sizes:
        total += min(size, KEPT)
        if count and total > BODY_BYTES:
            break
        count += 1
    return count


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
