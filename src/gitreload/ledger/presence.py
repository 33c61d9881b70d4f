"""Which workers there are, on which host and in which process.

All take a connection inside a transaction; `Ledger` opens those.
"""

from __future__ import annotations

import os
import socket

from sqlalchemy import Connection, insert, update

from gitreload.ledger.tables import workers


def enter(connection: Connection, worker: str, pool: str, now: float) -> None:
    """A worker of this process begins."""
    connection.execute(
        insert(workers).values(
            id=worker,
            pool=pool,
            host=socket.gethostname(),
            pid=os.getpid(),
            started_at=now,
            seen_at=now,
        )
    )


def see(connection: Connection, worker: str, now: float) -> None:
    """It is there still."""
    connection.execute(update(workers).where(workers.c.id == worker).values(seen_at=now))


def leave(connection: Connection, worker: str) -> None:
    """It has ended."""
    connection.execute(workers.delete().where(workers.c.id == worker))
