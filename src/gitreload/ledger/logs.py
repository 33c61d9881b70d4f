"""Attempts' logs: written in batches, the head and the tail of what is too long kept."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select

from gitreload.ledger.database import Database, LedgerUnavailable
from gitreload.ledger.tables import log_chunks

logger = logging.getLogger(__name__)

# Together 1 MiB: the start tells what was run, the end why it failed.
HEAD_CHARACTERS = 512 * 1024
TAIL_CHARACTERS = 512 * 1024
CHUNK_CHARACTERS = 16 * 1024
FLUSH_SECONDS = 0.2
RETRY_SECONDS = 2.0
# The place of the line that says how much is missing: behind every chunk of the head.
GAP_SEQ = 1_000_000


@dataclass(slots=True)
class _Changes:
    """What a flush writes: new chunks, the last chunk that fell out of the tail, the gap's size."""

    chunks: dict[int, str] = field(default_factory=dict)
    dropped: int = 0
    gap: int = 0


class AttemptLog:
    """The log of one attempt: `write` whole lines from any thread."""

    def __init__(self, attempt_id: int, changed: Callable[[], None]) -> None:
        self.attempt_id = attempt_id
        self._notify = changed
        self._lock = threading.Lock()
        self._pending: list[str] = []
        self._pending_size = 0
        self._head_left = HEAD_CHARACTERS
        self._head_seq = 0
        self._tail_seq = GAP_SEQ
        self._tail: deque[tuple[int, int]] = deque()
        self._tail_size = 0
        self._gap = 0
        self._gap_taken = 0
        self._changes = _Changes()

    def write(self, line: str) -> None:
        """Add one line; the newline is added here."""
        text = line + "\n"
        with self._lock:
            self._pending.append(text)
            self._pending_size += len(text)
            # Cut here already: a flood between two flushes must not fill the memory.
            if self._pending_size >= CHUNK_CHARACTERS:
                self._place_pending()
        self._notify()

    def take(self) -> _Changes:
        """What is new since the last call, with the cuts that keep the log within bounds."""
        with self._lock:
            self._place_pending()
            changes, self._changes = self._changes, _Changes()
            if self._gap != self._gap_taken:
                self._gap_taken = changes.gap = self._gap
            return changes

    def give_back(self, changes: _Changes) -> None:
        """`changes` could not be written: the next `take` brings them again."""
        with self._lock:
            newer = self._changes
            kept = {
                seq: text
                for seq, text in changes.chunks.items()
                if not GAP_SEQ < seq <= newer.dropped
            }
            self._changes = _Changes(kept | newer.chunks, max(changes.dropped, newer.dropped))
            self._gap_taken = 0

    def _place_pending(self) -> None:
        text = "".join(self._pending)
        self._pending.clear()
        self._pending_size = 0
        for start in range(0, len(text), CHUNK_CHARACTERS):
            self._place(text[start : start + CHUNK_CHARACTERS])

    def _place(self, text: str) -> None:
        chunks = self._changes.chunks
        if self._head_left > 0:
            self._head_left -= len(text)
            self._head_seq += 1
            chunks[self._head_seq] = text
            return
        self._tail_seq += 1
        self._tail.append((self._tail_seq, len(text)))
        self._tail_size += len(text)
        chunks[self._tail_seq] = text
        while self._tail_size > TAIL_CHARACTERS:
            seq, size = self._tail.popleft()
            self._tail_size -= size
            self._gap += size
            self._changes.dropped = seq
            chunks.pop(seq, None)


class LogWriter:
    """Writes all attempts' logs of this process, a few times a second, in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._logs: dict[int, AttemptLog] = {}
        self._condition = threading.Condition()
        # A log is written by one thread at a time: ours, or the one that closes it.
        self._writing = threading.Lock()
        self._dirty = False
        self._stopping = False
        self._thread: threading.Thread | None = None

    def open(self, attempt_id: int) -> AttemptLog:
        log = AttemptLog(attempt_id, self._mark)
        with self._condition:
            self._logs[attempt_id] = log
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
                self._thread.start()
        return log

    def close(self, log: AttemptLog) -> None:
        """Write what is left of this log. Raises LedgerUnavailable; then call it again."""
        with self._condition:
            self._logs.pop(log.attempt_id, None)
        self._write([log])

    def stop(self) -> None:
        with self._condition:
            self._stopping = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _mark(self) -> None:
        if not self._dirty:
            with self._condition:
                self._dirty = True
                self._condition.notify()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._dirty and not self._stopping:
                    self._condition.wait()
                if self._stopping:
                    return
                self._dirty = False
                logs = list(self._logs.values())
            try:
                self._write(logs)
            except LedgerUnavailable as error:
                logger.warning("the logs of %d attempts wait to be written: %s", len(logs), error)
                self._dirty = True
                time.sleep(RETRY_SECONDS)
            except Exception:
                logger.exception("logs met an error that should not be; now one by one")
                self._write_each(logs)
            time.sleep(FLUSH_SECONDS)

    def _write_each(self, logs: list[AttemptLog]) -> None:
        """Leave the guilty one for its `close`, so that the others are written."""
        for log in logs:
            try:
                self._write([log])
            except Exception:
                logger.exception("the log of attempt %d cannot be written now", log.attempt_id)
                with self._condition:
                    self._logs.pop(log.attempt_id, None)

    def _write(self, logs: list[AttemptLog]) -> None:
        with self._writing:
            taken = [(log, log.take()) for log in logs]
            changed = [(log, changes) for log, changes in taken if changes != _Changes()]
            if not changed:
                return
            try:
                with self._database.write(durable=False) as connection:
                    for log, changes in changed:
                        _apply(connection, log.attempt_id, changes)
            except Exception:
                for log, changes in changed:
                    log.give_back(changes)
                raise


def _apply(connection: Connection, attempt_id: int, changes: _Changes) -> None:
    chunks = changes.chunks
    if changes.gap:
        chunks = chunks | {GAP_SEQ: f"[… {changes.gap} characters left out …]\n"}
        connection.execute(
            delete(log_chunks).where(
                log_chunks.c.attempt_id == attempt_id,
                log_chunks.c.seq >= GAP_SEQ,
                log_chunks.c.seq <= max(GAP_SEQ, changes.dropped),
            )
        )
    if chunks:
        now = time.time()
        connection.execute(
            insert(log_chunks),
            [
                {"attempt_id": attempt_id, "seq": seq, "written_at": now, "text": text}
                for seq, text in chunks.items()
            ],
        )


def read(connection: Connection, attempt_id: int, after: int = 0) -> list[tuple[int, str]]:
    """The chunks of an attempt's log behind `after`, in order: (seq, text)."""
    rows = connection.execute(
        select(log_chunks.c.seq, log_chunks.c.text)
        .where(log_chunks.c.attempt_id == attempt_id, log_chunks.c.seq > after)
        .order_by(log_chunks.c.seq)
    )
    return [(row.seq, row.text) for row in rows]
