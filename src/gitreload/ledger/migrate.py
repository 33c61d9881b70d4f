"""Bring the ledger's tables to this program's version: under a lock, once, however many start.

Alembic is slow to load, so it is loaded only where the version differs.
"""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from gitreload import logs
from gitreload.ledger.database import Database, unavailable
from gitreload.locks import Lock
from gitreload.model import PermanentError

# The newest revision in migrations/versions; revisions are numbered, so they can be compared.
VERSION = "0001"


def migrate(database: Database, state_dir: Path) -> None:
    """Create or upgrade the tables. Raises PermanentError where the ledger is newer than we are."""
    if database.path.exists():
        with database.read() as connection:
            if _version(connection) == VERSION:
                return
    with _lock(state_dir):
        database.create()
        with database.write() as connection:
            version = _version(connection)
            if version is not None and version > VERSION:
                raise PermanentError(
                    f"the ledger {database.path} was written by a newer gitreload (ledger version "
                    f"{version}, this program knows {VERSION}): install that version again, or "
                    "put back a backup of the ledger from before the upgrade"
                )
            if version != VERSION:
                _upgrade(connection)
        # Once it is committed.
        if version is None:
            logs.start.info("made the ledger %s, version %s", database.path, VERSION)
        elif version != VERSION:
            logs.start.info(
                "brought the ledger %s from version %s to %s", database.path, version, VERSION
            )


def _lock(state_dir: Path) -> Lock:
    path = state_dir / "migrate.lock"
    try:
        lock = Lock.take(path, wait=True)
    except OSError as error:
        raise unavailable(str(path), error) from error
    assert lock is not None, "a waiting take returns a lock"
    return lock


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _upgrade(connection: Connection) -> None:
    # It tells of itself, step by step and from its import on; we say what came of it.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "gitreload.ledger:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
