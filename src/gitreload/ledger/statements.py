"""The statements that record deliveries, each compiled once and run on the driver's own cursor.

They run thousands of times a second beside the event loop. `sqlite3` lets go of the interpreter
at each of its calls, and at each row of `executemany`; having to get it back costs more than the
statement. So what a batch of deliveries needs goes to the database in few statements.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Dialect, Table, bindparam, func, insert, or_, select, text, update
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.sql import ClauseElement

from gitreload.ledger.tables import bodies, checkouts, deliveries, in_state, job_deliveries, jobs
from gitreload.model import State

# How many rows or keys one statement takes at most; more are dealt out to several.
ROWS = 32


class Prepared:
    """A statement compiled once for a dialect."""

    def __init__(self, statement: ClauseElement, dialect: Dialect, columns: Sequence[str] = ()):
        compiled = statement.compile(dialect=dialect, column_keys=list(columns) or None)
        self.sql = str(compiled)
        self.constants: dict[str, Any] = {
            name: value for name, value in compiled.params.items() if value is not None
        }

    def run(self, cursor: Any, values: dict[str, Any]) -> Any:
        return cursor.execute(self.sql, {**self.constants, **values})

    def run_many(self, cursor: Any, rows: Sequence[dict[str, Any]]) -> None:
        cursor.executemany(self.sql, [{**self.constants, **row} for row in rows])


class Insert:
    """An insert of any number of rows, of all columns but a numbered `id`."""

    def __init__(self, table: Table, dialect: Dialect) -> None:
        self._columns = [column.name for column in table.columns if column.name != "id"]
        assert isinstance(dialect, DefaultDialect), "all of SQLAlchemy's are"
        positional = type(dialect)(paramstyle="qmark")
        compiled = insert(table).compile(dialect=positional, column_keys=self._columns)
        self._head, self._values, self._row = str(compiled).partition(" VALUES ")
        self._by_size: dict[int, str] = {}

    def run(self, cursor: Any, rows: Sequence[dict[str, Any]]) -> list[int]:
        """Insert the rows; their ids, in order."""
        ids: list[int] = []
        for some in _portions(rows):
            sql = self._by_size.get(len(some)) or self._sized(len(some))
            cursor.execute(sql, [row[name] for row in some for name in self._columns])
            # The rows of one statement are numbered one after the other, in their order.
            ids += range(cursor.lastrowid - len(some) + 1, cursor.lastrowid + 1)
        return ids

    def _sized(self, rows: int) -> str:
        sql = self._head + self._values + ", ".join([self._row] * rows)
        return self._by_size.setdefault(rows, sql)


class Done:
    """Which (checkout, action) pairs a delivery has already brought to success."""

    def __init__(self, dialect: Dialect) -> None:
        self._names = [f"delivery{number}" for number in range(ROWS)]
        self._prepared = Prepared(
            select(deliveries.c.delivery_id, jobs.c.checkout_id, jobs.c.action)
            .join(job_deliveries, job_deliveries.c.delivery_id == deliveries.c.id)
            .join(jobs, jobs.c.id == job_deliveries.c.job_id)
            .where(
                deliveries.c.forge == bindparam("forge"),
                deliveries.c.delivery_id.in_([bindparam(name) for name in self._names]),
                in_state(State.SUCCEEDED),
            ),
            dialect,
        )

    def run(
        self, cursor: Any, forge: str, delivery_ids: Sequence[str]
    ) -> Iterator[tuple[str, int, str]]:
        """Rows of (delivery id, checkout, action) for each of these deliveries of the forge."""
        for some in _portions(delivery_ids):
            # Every place must be filled; one key more than once does no harm.
            keys = [*some, *[some[0]] * (ROWS - len(some))]
            values = dict(zip(self._names, keys, strict=True))
            yield from self._prepared.run(cursor, {"forge": forge, **values}).fetchall()


class Statements:
    """All that recording needs, for one database."""

    def __init__(self, dialect: Dialect) -> None:
        self.checkout = Prepared(
            select(
                checkouts.c.id, checkouts.c.directory, checkouts.c.origin, checkouts.c.follows
            ).where(
                checkouts.c.pool == bindparam("pool"),
                checkouts.c.path == bindparam("path"),
            ),
            dialect,
        )
        self.new_checkout = Prepared(
            insert(checkouts).returning(checkouts.c.id),
            dialect,
            ("pool", "path", "directory", "origin", "follows"),
        )
        self.change_checkout = Prepared(
            update(checkouts).where(checkouts.c.id == bindparam("checkout_id")),
            dialect,
            ("directory", "origin", "follows"),
        )
        self.queued = Prepared(
            select(jobs.c.id, jobs.c.action, jobs.c.due_at).where(
                jobs.c.checkout_id == bindparam("checkout_id"),
                in_state(State.QUEUED),
                ~jobs.c.only_after,
            ),
            dialect,
        )
        self.new_job = Prepared(
            insert(jobs).returning(jobs.c.id),
            dialect,
            ["checkout_id", "action", "state", "reason", "queued_at", "due_at", "force", "wanted"],
        )
        self.join_job = Prepared(
            update(jobs)
            .where(jobs.c.id == bindparam("job_id"))
            .values(
                action=bindparam("new_action"),
                due_at=bindparam("new_due"),
                wanted=func.coalesce(bindparam("new_wanted"), jobs.c.wanted),
                force=or_(jobs.c.force, bindparam("new_force")),
                tries=0,
                lags=0,
                failing=False,
            ),
            dialect,
        )
        self.new_bodies = Insert(bodies, dialect)
        self.new_deliveries = Insert(deliveries, dialect)
        self.links = Insert(job_deliveries, dialect)
        # Both databases have this clause, SQLAlchemy has it for each by another name.
        self.new_nonce = Prepared(
            text(
                "INSERT INTO nonces (action, nonce, seen_at, fresh_until)"
                " VALUES (:action, :nonce, :seen_at, :fresh_until) ON CONFLICT DO NOTHING"
            ),
            dialect,
        )
        self.done = Done(dialect)


def _portions(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (rows[start : start + ROWS] for start in range(0, len(rows), ROWS))
