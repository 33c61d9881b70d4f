"""Connections to the ledger's database, and what SQLite needs to keep its promises.

Two ways to write: *durable* (a commit is on disk when it returns; what was promised to somebody)
and *relaxed* (safe against a crash of ours, not against a power cut; claims, logs: after a power
cut the job is simply still queued).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from gitreload.locks import ForkGate
from gitreload.model import GitreloadError, PermanentError

# Partial indexes, upserts and RETURNING, all used by the ledger, came with this version.
SQLITE_MINIMUM = (3, 35, 0)
# How long a writer waits for another process's transaction. All of ours take milliseconds.
BUSY_SECONDS = 15.0
FILE_NAME = "ledger.sqlite3"


class LedgerUnavailable(GitreloadError):  # noqa: N818 - a state of the world, like its sentence
    """The ledger cannot be written or read now (disk full, file system read-only, locked)."""


class Database:
    """The SQLite file in `STATE_DIR`, opened on first use, one writer at a time."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE_NAME
        self.gate = ForkGate()
        # SQLite's own wait for the write lock sleeps and polls; within a process we queue fairly.
        self._writer = threading.Lock()
        self._durable = self._engine("FULL", "BEGIN IMMEDIATE", pooled=True)
        self._relaxed = self._engine("NORMAL", "BEGIN IMMEDIATE", pooled=True)
        self._reader = self._engine("NORMAL", "BEGIN", pooled=True)

    def _engine(self, synchronous: str, begin: str, *, pooled: bool) -> Engine:
        engine = create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=QueuePool if pooled else NullPool,
            paramstyle="named",
            **({"pool_size": 4, "max_overflow": 64} if pooled else {}),
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute(f"PRAGMA synchronous={synchronous}")
            connection.execute("PRAGMA foreign_keys=ON")

        @event.listens_for(engine, "begin")
        def start(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine

    def _connect(self) -> sqlite3.Connection:
        # isolation_level=None: transactions begin where we say, not where the driver guesses.
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode=WAL")
        return connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """One transaction, committed at the end. Raises LedgerUnavailable."""
        engine = self._durable if durable else self._relaxed
        with self.gate.passing(), self._writer, _explained(self.path), engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view. Raises LedgerUnavailable."""
        with self.gate.passing(), _explained(self.path), self._reader.begin() as connection:
            yield connection

    def backup(self, target: Path) -> None:
        """Write a consistent copy to `target`, while others go on writing."""
        with self.gate.passing(), _explained(self.path):
            source = self._connect()
            copy = sqlite3.connect(target)
            try:
                source.backup(copy)
            finally:
                copy.close()
                source.close()

    def close(self) -> None:
        for engine in (self._durable, self._relaxed, self._reader):
            engine.dispose()


def check_sqlite() -> None:
    """Refuse an SQLite that is too old. Raises PermanentError."""
    if sqlite3.sqlite_version_info < SQLITE_MINIMUM:
        needed = ".".join(map(str, SQLITE_MINIMUM[:2]))
        raise PermanentError(
            f"this Python uses SQLite {sqlite3.sqlite_version}, and the ledger needs {needed} or "
            "newer: run gitreload with a newer Python, or update the system's SQLite library"
        )


def raw_cursor(connection: Connection) -> Any:
    """The driver's own cursor inside this transaction: the hot path has no time for more."""
    return connection.connection.cursor()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(cause, (sqlite3.OperationalError, sqlite3.DatabaseError)) or isinstance(
            cause, (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)
        ):
            raise
        raise LedgerUnavailable(_sentence(path, cause)) from error


def _sentence(path: Path, cause: sqlite3.Error) -> str:
    name = getattr(cause, "sqlite_errorname", "")
    cures = {
        "SQLITE_FULL": "the disk is full: free some space there",
        "SQLITE_READONLY": "it is read-only: make the file and its directory writable",
        "SQLITE_CANTOPEN": "it cannot be opened: check that the directory exists and is writable",
        "SQLITE_BUSY": "another process holds it for too long: look which one has it open",
        "SQLITE_IOERR": "the disk does not answer as it should: look at the system's log",
        "SQLITE_CORRUPT": "it is damaged: stop gitreload and put back a `gitreload backup` copy",
        "SQLITE_NOTADB": "it is no SQLite database: move it away, or correct STATE_DIR",
    }
    cure = next((text for prefix, text in cures.items() if name.startswith(prefix)), None)
    return f"the ledger {path} cannot be used ({cause}); {cure or 'see the cause named'}"
