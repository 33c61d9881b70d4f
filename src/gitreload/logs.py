"""Logging: where it goes, in which form, and what no line of it may contain.

Messages carry text from outside (branch names, git's output, delivery ids). Every record is made
visible, so that none can forge a line or drive a terminal, and credentials in URLs are masked.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path

from gitreload.config import ConfigError, Settings
from gitreload.remotes import mask
from gitreload.visible import visible

# Says what the server follows and how it authenticates: shown whatever LOG_LEVEL is.
start = logging.getLogger("gitreload.start")

_SERVERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")


def configure(settings: Settings) -> None:
    """Make the root logger write as `settings` say; may be called again when they change.

    Raises `ConfigError` when LOG_FILE_PATH cannot be opened; then everything stays as it was.
    """
    handler = _handler(settings.log_file_path)
    handler.setFormatter(JsonLines() if settings.log_format == "json" else Lines())
    root = logging.getLogger()
    for old in [known for known in root.handlers if isinstance(known.formatter, _Clean)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(settings.log_level or "WARNING")
    start.setLevel("INFO")
    for name in _SERVERS:
        logger = logging.getLogger(name)
        if not (logger.handlers or logger.propagate):
            continue  # so uvicorn turns its access log off
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    logging.getLogger("uvicorn.error").addFilter(_seldom)


class Seldom(logging.Filter):
    """Lets each warning through once a minute: who sends uvicorn no HTTP can cause any number."""

    QUIET_SECONDS = 60.0

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        quiet = record.created < self._told.get(record.msg, 0) + self.QUIET_SECONDS
        if not quiet:
            self._told[record.msg] = record.created
        return not quiet


_seldom = Seldom()


class _Clean(logging.Formatter):
    """A formatter whose parts are clean."""

    def message(self, record: logging.LogRecord) -> str:
        return _clean(record.getMessage())

    def traceback(self, record: logging.LogRecord) -> list[str]:
        """The traceback and stack of a record, a clean line each."""
        text = self.formatException(record.exc_info) if record.exc_info else ""
        lines = f"{text}\n{record.stack_info or ''}".strip().split("\n")
        return [_clean(line) for line in lines if line]


class Lines(_Clean):
    """`time LEVEL logger: message`, then its traceback, indented: no line of it looks like ours."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).astimezone()
        line = (
            f"{when.isoformat(timespec='milliseconds')} {record.levelname} {record.name}: "
            f"{self.message(record)}"
        )
        return "\n    ".join([line, *self.traceback(record)])


class JsonLines(_Clean):
    """An object a line: `time` (UTC), `level`, `logger`, `message`, and `traceback` if any."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC)
        fields = {
            "time": when.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self.message(record),
        }
        if traceback := self.traceback(record):
            fields["traceback"] = "\n".join(traceback)
        return json.dumps(fields, ensure_ascii=False)


class _RotatedFile(WatchedFileHandler):
    """Follows the file when it is rotated from outside.

    While the file takes nothing (its directory is gone, the disk is full) lines go to stderr: an
    accepted push must not fail for its log, and an error about it must not be shown unmasked.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:  # from opening the file again
            self.handleError(record)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # on a full disk, of what the file did not take
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        if isinstance(sys.exception(), OSError):
            with contextlib.suppress(OSError):  # nowhere is left to say it
                sys.stderr.write(f"{self.format(record)}\n")
        else:  # a mistake in the call, such as too few arguments
            super().handleError(record)


def _handler(path: Path | None) -> logging.Handler:
    if path is None:
        return logging.StreamHandler()
    try:
        return _RotatedFile(path, encoding="utf-8")
    except OSError as error:
        problem = f"LOG_FILE_PATH is {path}, which cannot be written: {error.strerror}"
    raise ConfigError(f"{problem}; name a file in a directory that the server may write to")


def _clean(text: str) -> str:
    return mask(visible(text))
