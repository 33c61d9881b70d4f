"""What a child writes, as lines that may be shown and as a bounded copy."""

from __future__ import annotations

import codecs
import re
import time
from collections import deque
from collections.abc import Callable

# How much of a child's output is kept, in bytes: the head is shown as it comes.
HEAD_BYTES = 768 * 1024
TAIL_BYTES = 256 * 1024
# A line is cut here, in characters; without a newline it is shown after so many seconds.
LONGEST_LINE = 8 * 1024
PARTIAL_SECONDS = 0.5
# What stays back of a line that is cut: a secret may begin in it.
_HELD = 1024

_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC and other strings: titles, links
    r"|\x1b[ -/]*[0-~]?"
)
# Controls but the tab, bidirectional marks and overrides, line separators, surrogates.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def plain(line: str) -> str:
    r"""`line` without escape sequences and controls; of what `\r` overwrites, the last state."""
    states = [state for state in line.split("\r") if state]
    text = states[-1] if states else ""
    return _CONTROL.sub("", _ESCAPE.sub("", text))


class Lines:
    """Cuts bytes into clean lines and hands each to `show`, without its newline.

    Bytes that are not UTF-8 become U+FFFD. `clean` is applied to each line, and to the whole of a
    long line before it is cut. `progress` gets the states that an unfinished line overwrites.
    """

    def __init__(
        self,
        show: Callable[[str], None],
        clean: Callable[[str], str],
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.show = show
        self._clean = clean
        self._progress = progress
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""
        self._since = 0.0

    def feed(self, data: bytes) -> None:
        *whole, last = (self._pending + self._decoder.decode(data)).split("\n")
        if whole or not self._pending:
            self._since = time.monotonic()
        for line in whole:
            self._show_in_parts(self._clean(line), 0)
        self._pending = last
        if self._progress is not None and "\r" in last:
            self._progress(self._clean(last))
        if len(last) > LONGEST_LINE + _HELD:
            overwritten = "\r" if last.endswith("\r") else ""
            self._pending = self._show_in_parts(self._clean(last), _HELD) + overwritten

    def tick(self) -> None:
        """Show the start of a line that has been waiting for its end; progress waits longer."""
        waited = time.monotonic() - self._since
        if self._pending and waited >= PARTIAL_SECONDS and "\r" not in self._pending:
            self.flush()

    def flush(self) -> None:
        """Show what there is of an unfinished line."""
        pending, self._pending = self._pending, ""
        if pending:
            self._show_in_parts(self._clean(pending), 0)

    def drop(self) -> None:
        """Forget what there is of an unfinished line."""
        self._decoder.reset()
        self._pending = ""

    def _show_in_parts(self, text: str, hold: int) -> str:
        """Show `text`, cut where it is too long; returns what is left once `hold` would be hit."""
        while len(text) > LONGEST_LINE + hold:
            self.show(text[:LONGEST_LINE])
            text = text[LONGEST_LINE:]
        if hold:
            return text
        self.show(text)
        return ""


class Output:
    """Bounds what a child writes: the head is shown at once, the tail at the end.

    Where something is left out between the two, they end and begin with a whole line (of a very
    long one, a part is left out), so that no half of a secret escapes the mask.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._total = 0

    def feed(self, data: bytes) -> None:
        self._total += len(data)
        room = HEAD_BYTES - len(self._head)
        if room > 0:
            self._head += data[:room]
            self._lines.feed(data[:room])
            data = data[room:]
        if data:
            self._keep(data)

    def tick(self) -> None:
        """To be called a few times a second."""
        self._lines.tick()

    def finish(self) -> bytes:
        """Show the rest, and return head and tail."""
        head, tail = bytes(self._head), b"".join(self._tail)[-TAIL_BYTES:]
        if self._total > len(head) + len(tail):
            head = head[: head.rfind(b"\n", -LONGEST_LINE) + 1 or -_HELD]
            tail = tail[tail.find(b"\n", 0, LONGEST_LINE) + 1 or _HELD :]
            left_out = self._total - len(head) - len(tail)
            note = f"[{left_out:,} bytes of output are left out here]"
            self._lines.drop()
            self._lines.show(note)
            head += note.encode() + b"\n"
        self._lines.feed(tail)
        self._lines.flush()
        return head + tail

    def _keep(self, data: bytes) -> None:
        if not self._tail:
            self._lines.show(
                f"[more than {HEAD_BYTES // 1024:,} KiB of output: what follows is shown at the "
                f"end, its last {TAIL_BYTES // 1024} KiB at most]"
            )
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail_size - len(self._tail[0]) >= TAIL_BYTES:
            self._tail_size -= len(self._tail.popleft())


class Records:
    """Hands on one record a line; a line that is too long is no record and is passed over."""

    def __init__(self, take: Callable[[str], None], longest: int = 64 * 1024) -> None:
        self._take = take
        self._longest = longest
        self._pending = b""
        self._skipping = False

    def feed(self, data: bytes) -> None:
        *whole, self._pending = (self._pending + data).split(b"\n")
        for line in whole:
            if not self._skipping and len(line) <= self._longest:
                self._take(line.decode("utf-8", "replace"))
            self._skipping = False
        if len(self._pending) > self._longest:
            self._pending = b""
            self._skipping = True

    def tick(self) -> None:
        """Nothing waits: a record without its newline is none yet."""
