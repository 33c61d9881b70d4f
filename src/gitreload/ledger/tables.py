"""The ledger's tables, the same on every database. Times are epoch seconds (UTC)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    Float,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    literal_column,
    text,
)

from gitreload.model import State

metadata = MetaData()


class Prose(TypeDecorator[str]):
    """Text that may quote anything, such as file names that are not UTF-8: it must not fail us."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        if value is None:
            return None
        return value.encode("utf-8", "backslashreplace").decode()


checkouts = Table(
    "checkouts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("pool", String(255), nullable=False),
    Column("path", Text, nullable=False),
    Column("directory", Text, nullable=False),
    Column("origin", Text),
    Column("follows", Text),
    # What the last finished action left in the checkout, and what was last imported from it with
    # which importer settings: an import is skipped only where both are unchanged.
    Column("revision", String(64)),
    Column("imported_revision", String(64)),
    Column("imported_settings", String(64)),
    Column("course_key", Text),
    # The revision of the last import that came to its end, or was left out as of an exporter.
    Column("settled", String(64)),
    # What `GUARD` refused and somebody approved: digests of those losses, until they are imported.
    Column("approved", Text),
    # Its jobs wait until somebody releases it.
    Column("held", Boolean, nullable=False, server_default=text("false")),
    # What was served (or checked out) when AFTER succeeded last, and whether it is owed whatever
    # that was, as it began or something else was done since.
    Column("after_served", String(80)),
    Column("after_owed", Boolean, nullable=False, server_default=text("false")),
    # The last finished action, also once its job is pruned.
    Column("action", String(16)),
    # What reconciling saw of the remote since then: the tip, or why that cannot be told.
    Column("tip", String(64)),
    Column("trouble", Prose),
    # Since when there is trouble, and whether it takes a person to mend it.
    Column("trouble_since", Float),
    Column("trouble_lasts", Boolean, nullable=False, server_default=text("false")),
    # How many pushes it found, one after the other, that no delivery announced; and when the last.
    Column("missed", Integer, nullable=False, server_default=text("0")),
    Column("missed_at", Float),
    UniqueConstraint("pool", "path"),
    sqlite_autoincrement=True,
)

# The courses that were imported from each checkout, of which revision and with which importer
# settings. What the next is compared with are the identifiers of their blocks, one a line.
courses = Table(
    "courses",
    metadata,
    Column("checkout_id", ForeignKey("checkouts.id"), primary_key=True),
    Column("course_key", String(255), primary_key=True),
    Column("revision", String(64), nullable=False),
    Column("settings", String(64), nullable=False),
    Column("identifiers", Text, nullable=False),
)

# The bodies of deliveries that were recorded together, one after the other, compressed as one.
bodies = Table(
    "bodies",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("data", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("received_at", Float, nullable=False),
    Column("forge", String(32), nullable=False),
    Column("delivery_id", String(128)),
    Column("event", String(128), nullable=False),
    Column("hook", String(128)),
    Column("action", String(16), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("repository", Text),
    Column("peer", String(128)),
    Column("headers", Text, nullable=False),
    # Where the body begins in the unpacked `data`; up to 1 MiB of its `body_size` is there.
    Column("body_id", ForeignKey("bodies.id")),
    Column("body_start", Integer),
    Column("body_size", Integer, nullable=False),
    sqlite_autoincrement=True,
)
Index("deliveries_by_id", deliveries.c.forge, deliveries.c.delivery_id)
Index("deliveries_by_time", deliveries.c.received_at)
Index("deliveries_by_body", deliveries.c.body_id)

# What forges sign once only, so that a copy of a request is known, by whatever forge's name.
nonces = Table(
    "nonces",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("action", String(16), nullable=False),
    Column("nonce", String(64), nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("fresh_until", Float),
    UniqueConstraint("action", "nonce"),
    sqlite_autoincrement=True,
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("checkout_id", ForeignKey("checkouts.id"), nullable=False),
    Column("action", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("queued_at", Float, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("failing", Boolean, nullable=False, server_default=text("false")),
    Column("lags", Integer, nullable=False, server_default=text("0")),
    Column("force", Boolean, nullable=False, server_default=text("false")),
    Column("wanted", String(64)),
    Column("only_after", Boolean, nullable=False, server_default=text("false")),
    Column("exclusion", Text),
    Column("cancel", Boolean, nullable=False, server_default=text("false")),
    Column("error", Prose),
    Column("skipped", Prose),
    # Digests of what `GUARD` refused.
    Column("guarded", Text),
    Column("superseded_by", ForeignKey("jobs.id", ondelete="SET NULL")),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("from_revision", String(64)),
    Column("to_revision", String(64)),
    # It ended, or began to fail again and again, and reporters were not asked about that yet.
    Column("news", Boolean, nullable=False, server_default=text("false")),
    sqlite_autoincrement=True,
)
# The rules that make coalescing and "one at a time" hold, whatever the code does. What PostgreSQL
# has to know of them stands in the migration only: named here, it would load that dialect into
# every command, a tenth of the time that a short one takes.
QUEUED = text("state = 'queued'")
RUNNING = text("state = 'running'")
Index(
    "jobs_one_queued",
    jobs.c.checkout_id,
    jobs.c.action,
    jobs.c.only_after,
    unique=True,
    sqlite_where=QUEUED,
)
Index(
    "jobs_one_running",
    jobs.c.checkout_id,
    unique=True,
    sqlite_where=RUNNING,
)
Index("jobs_due", jobs.c.due_at, jobs.c.id, sqlite_where=QUEUED)
Index("jobs_of_checkout", jobs.c.checkout_id, jobs.c.id)
Index("jobs_superseded", jobs.c.superseded_by)
Index("jobs_finished", jobs.c.finished_at)
NEWS = text("news")
Index("jobs_news", jobs.c.id, sqlite_where=NEWS)


def in_state(state: State, table: FromClause = jobs) -> ColumnElement[bool]:
    """Jobs in `state`, spelled out and not bound: so the partial indexes are used.

    SQLite would also plan anew for each value bound to a column of theirs: 20 µs a time.
    """
    return table.c.state == literal_column(f"'{state.value}'")


def in_pool(pool: str | BindParameter[str]) -> ColumnElement[bool]:
    """Checkouts of `pool`, told to the planner as no use for an index.

    There are thousands of checkouts and few unfinished jobs: it must start from the jobs.
    """
    return checkouts.c.pool.concat(literal_column("''")) == pool


job_deliveries = Table(
    "job_deliveries",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("delivery_id", ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("ref", Text, nullable=False),
    Column("before", String(64)),
    Column("after", String(64)),
    Column("pusher", Text),
)
Index("job_deliveries_by_delivery", job_deliveries.c.delivery_id)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("worker", String(64), nullable=False),
    Column("marker", String(64), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("result", String(16), nullable=False),
    Column("error", Prose),
    # The process group that runs now, and its leader's start time in clock ticks since boot.
    Column("pgid", Integer),
    Column("pgid_started", BigInteger),
    Column("from_revision", String(64)),
    Column("to_revision", String(64)),
    sqlite_autoincrement=True,
)
Index("attempts_of_job", attempts.c.job_id)
ATTEMPT_RUNNING = text("result = 'running'")
Index(
    "attempts_running",
    attempts.c.worker,
    sqlite_where=ATTEMPT_RUNNING,
)

log_chunks = Table(
    "log_chunks",
    metadata,
    Column("attempt_id", ForeignKey("attempts.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("written_at", Float, nullable=False),
    Column("text", Prose, nullable=False),
)

# What reporters were to tell of jobs, or of alarms, which have none. Of what one of them owes of
# one commit, or of one subject where it tells events, only the newest is told.
reports = Table(
    "reports",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE")),
    Column("checkout_id", ForeignKey("checkouts.id")),
    Column("reporter", String(128), nullable=False),
    Column("place", String(255), nullable=False),
    Column("revision", String(64)),
    Column("subject", Text),
    Column("event", Prose),
    Column("mark", String(16), nullable=False),
    Column("sentence", Prose, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("result", String(16), nullable=False),
    Column("error", Prose),
    Column("told_at", Float),
    sqlite_autoincrement=True,
)
OWED = text("result = 'owed'")
Index("reports_of_job", reports.c.job_id)
Index("reports_of_commit", reports.c.checkout_id, reports.c.revision, reports.c.reporter)
Index("reports_owed", reports.c.due_at, sqlite_where=OWED)

# What is wrong now beside single jobs, as people and programs were told.
alarms = Table(
    "alarms",
    metadata,
    Column("pool", String(255), primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("directory", Text),
    Column("sentence", Prose, nullable=False),
    Column("raised_at", Float, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("pool", String(255), nullable=False),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
)
