"""Connections to the ledger's database, and what SQLite needs to keep its promises.

Two ways to write: *durable* (a commit is on disk when it returns; what was promised to somebody)
and *relaxed* (safe against a crash of ours, not against a power cut; claims, logs: after a power
cut the job is simply still queued).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from gitreload.locks import ForkGate
from gitreload.model import GitreloadError, PermanentError

# Partial indexes, upserts and RETURNING, all used by the ledger, came with this version.
SQLITE_MINIMUM = (3, 35, 0)
# How long a writer waits for another process's transaction. All of ours take milliseconds.
BUSY_SECONDS = 15.0
# How often it looks whether that has ended. SQLite itself would sleep for up to 100 ms, while
# others take their turn again and again.
TURN_SECONDS = 0.0005
FILE_NAME = "ledger.sqlite3"
# Errors of what we asked for, not of the world: they are for the one who asked.
OURS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)


class LedgerUnavailable(GitreloadError):  # noqa: N818 - a state of the world, like its sentence
    """The ledger cannot be written or read now (disk full, file system read-only, locked)."""


class Database:
    """The SQLite file in `STATE_DIR`, opened on first use, one writer at a time."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE_NAME
        self.gate = ForkGate()
        # SQLite's own wait for the write lock sleeps and polls; within a process we queue fairly.
        self._writer = threading.Lock()
        self._durable = self._engine("FULL", _begin_writing)
        self._relaxed = self._engine("NORMAL", _begin_writing)
        self._reader = self._engine("NORMAL", _begin_reading)

    def _engine(self, synchronous: str, begin: Callable[[Connection], None]) -> Engine:
        engine = create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=QueuePool,
            pool_size=4,
            max_overflow=64,
            paramstyle="named",
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute(f"PRAGMA synchronous={synchronous}")
            connection.execute("PRAGMA foreign_keys=ON")

        event.listen(engine, "begin", begin)
        return engine

    def _connect(self) -> sqlite3.Connection:
        # isolation_level=None: transactions begin where we say, not where the driver guesses.
        return sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )

    def create(self) -> None:
        """Make the file, for nobody else to read, and turn on the write-ahead log: it stays on.

        Only one process may do this at a time: two that switch at once get in each other's way,
        whatever their patience. Raises LedgerUnavailable.
        """
        with self.gate.passing(), _explained(self.path):
            self.path.touch(mode=0o600)
            with closing(self._connect()) as connection:
                connection.execute("PRAGMA journal_mode=WAL")

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
        """Write a consistent copy to `target`, while others go on writing; whole or not at all.

        Raises PermanentError where `target` is the ledger itself, LedgerUnavailable where the
        copy cannot be made.
        """
        if target.resolve() == self.path.resolve():
            raise PermanentError(f"{target} is the ledger itself: name another file for its backup")
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        with self.gate.passing(), _explained(target, "the backup"):
            try:
                draft.touch(mode=0o600)
                with closing(self._connect()) as source, closing(sqlite3.connect(draft)) as copy:
                    source.backup(copy)
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)

    def close(self) -> None:
        for engine in (self._durable, self._relaxed, self._reader):
            engine.dispose()


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_writing(connection: Connection) -> None:
    """Wait for the turn to write, also between processes. Raises what SQLite says at last."""
    cursor = raw_cursor(connection)
    cursor.execute("PRAGMA busy_timeout=0")
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(TURN_SECONDS)
        else:
            break
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")


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
def _explained(path: Path, what: str = "the ledger") -> Iterator[None]:
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(cause, sqlite3.DatabaseError) or isinstance(cause, OURS):
            raise
        raise LedgerUnavailable(
            f"{what} {path} cannot be used ({cause}): {_cure(cause)}"
        ) from error
    except OSError as error:
        raise unavailable(f"{what} {path}", error) from error


def unavailable(what: str, error: OSError) -> LedgerUnavailable:
    """What to raise where a file that the ledger needs cannot be used."""
    return LedgerUnavailable(
        f"{what} cannot be used ({error.strerror}): look whether its directory exists, has room, "
        "and is writable for the user that runs gitreload"
    )


def _cure(cause: sqlite3.Error) -> str:
    name = getattr(cause, "sqlite_errorname", "")
    cures = {
        "SQLITE_FULL": "free some space on that disk",
        "SQLITE_READONLY": "make the file and its directory writable",
        "SQLITE_CANTOPEN": "check that its directory exists and is writable",
        "SQLITE_BUSY": "look which other process holds it for so long",
        "SQLITE_IOERR": "look at the system's log for errors of that disk",
        "SQLITE_CORRUPT": "stop gitreload and put back a copy made by `gitreload backup`",
        "SQLITE_NOTADB": "move it away, or correct STATE_DIR",
    }
    unknown = "look at the system's log; if that tells nothing, please report it"
    return next((cure for prefix, cure in cures.items() if name.startswith(prefix)), unknown)
