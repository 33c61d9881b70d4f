"""Alembic's entry: runs the migrations on the connection, and in the transaction, of the caller."""

from __future__ import annotations

from alembic import context

from gitreload.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller's transaction holds all of it
    render_as_batch=True,  # SQLite alters a table by copying it
)
context.run_migrations()
