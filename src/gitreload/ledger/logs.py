"""Attempts' logs: written in batches, the head and the tail of what is too long kept."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update

from gitreload.ledger.database import Database, LedgerUnavailable
from gitreload.ledger.tables import log_chunks

logger = logging.getLogger(__name__)

# Together 1 MiB: the start tells what was run, the end why it failed.
HEAD_CHARACTERS = 512 * 1024
TAIL_CHARACTERS = 512 * 1024
CHUNK_CHARACTERS = 16 * 1024
FLUSH_SECONDS = 0.2
# The place of the line that says how much is missing: behind every chunk of the head.
GAP_SEQ = 1_000_000


@dataclass(slots=True)
class _Changes:
    """What a flush writes: new chunks, chunks that fell out of the tail, the gap's new size."""

    chunks: list[tuple[int, str]] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    gap: int | None = None


class AttemptLog:
    """The log of one attempt: `write` whole lines from any thread."""

    def __init__(self, attempt_id: int, changed: Callable[[], None]) -> None:
        self.attempt_id = attempt_id
        self._changed = changed
        self._lock = threading.Lock()
        self._pending: deque[str] = deque()
        self._pending_size = 0
        self._head_left = HEAD_CHARACTERS
        self._head_seq = 0
        self._tail_seq = GAP_SEQ
        self._tail: deque[tuple[int, int]] = deque()
        self._tail_size = 0
        self._gap = 0
        self._gap_written = False

    def write(self, line: str) -> None:
        """Add one line; the newline is added here."""
        text = line + "\n"
        with self._lock:
            self._pending.append(text)
            self._pending_size += len(text)
            # A child that floods us between two flushes must not fill the memory.
            while self._pending_size > self._head_left + 2 * TAIL_CHARACTERS:
                lost = self._drop_pending()
                self._pending_size -= lost
                self._gap += lost
        self._changed()

    def take(self) -> _Changes:
        """What is new since the last call, with the cuts that keep the log within bounds."""
        changes = _Changes()
        with self._lock:
            text = "".join(self._pending)
            self._pending.clear()
            self._pending_size = 0
            gap_before = self._gap if self._gap_written else 0
            for start in range(0, len(text), CHUNK_CHARACTERS):
                self._place(text[start : start + CHUNK_CHARACTERS], changes)
            if self._gap != gap_before:
                changes.gap = self._gap
        return changes

    def _drop_pending(self) -> int:
        # What still belongs to the head stays; the oldest behind it goes.
        size = 0
        for index, text in enumerate(self._pending):
            size += len(text)
            if size > self._head_left:
                del self._pending[index]
                return len(text)
        return len(self._pending.popleft())

    def _place(self, text: str, changes: _Changes) -> None:
        if self._head_left > 0:
            self._head_left -= len(text)
            self._head_seq += 1
            changes.chunks.append((self._head_seq, text))
            return
        self._tail_seq += 1
        self._tail.append((self._tail_seq, len(text)))
        self._tail_size += len(text)
        changes.chunks.append((self._tail_seq, text))
        while self._tail_size > TAIL_CHARACTERS:
            seq, size = self._tail.popleft()
            self._tail_size -= size
            self._gap += size
            changes.dropped.append(seq)

    def gap_is_new(self) -> bool:
        """Whether the line that tells of the gap has to be inserted, not updated."""
        new = not self._gap_written
        self._gap_written = True
        return new


class LogWriter:
    """Writes all attempts' logs of this process, a few times a second, in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._logs: dict[int, AttemptLog] = {}
        self._condition = threading.Condition()
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
        """Write what is left of this log. Raises LedgerUnavailable."""
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
                logger.warning("lines of the logs of %d attempts are lost: %s", len(logs), error)
            time.sleep(FLUSH_SECONDS)

    def _write(self, logs: list[AttemptLog]) -> None:
        taken = [(log, log.take()) for log in logs]
        taken = [(log, changes) for log, changes in taken if changes.chunks]
        if not taken:
            return
        with self._database.write(durable=False) as connection:
            for log, changes in taken:
                _apply(connection, log, changes)


def _apply(connection: Connection, log: AttemptLog, changes: _Changes) -> None:
    dropped = set(changes.dropped)
    now = time.time()
    rows = [
        {"attempt_id": log.attempt_id, "seq": seq, "written_at": now, "text": text}
        for seq, text in changes.chunks
        if seq not in dropped
    ]
    if rows:
        connection.execute(insert(log_chunks), rows)
    if dropped:
        connection.execute(
            delete(log_chunks).where(
                log_chunks.c.attempt_id == log.attempt_id,
                log_chunks.c.seq > GAP_SEQ,
                log_chunks.c.seq <= max(dropped),
            )
        )
    if changes.gap is not None:
        text = f"[… {changes.gap} characters left out …]\n"
        if log.gap_is_new():
            gap = {"attempt_id": log.attempt_id, "seq": GAP_SEQ, "written_at": now, "text": text}
            connection.execute(insert(log_chunks), [gap])
        else:
            connection.execute(
                update(log_chunks)
                .where(log_chunks.c.attempt_id == log.attempt_id, log_chunks.c.seq == GAP_SEQ)
                .values(text=text)
            )


def read(connection: Connection, attempt_id: int, after: int = 0) -> list[tuple[int, str]]:
    """The chunks of an attempt's log behind `after`, in order: (seq, text)."""
    rows = connection.execute(
        select(log_chunks.c.seq, log_chunks.c.text)
        .where(log_chunks.c.attempt_id == attempt_id, log_chunks.c.seq > after)
        .order_by(log_chunks.c.seq)
    )
    return [(row.seq, row.text) for row in rows]
