"""What cannot be done again and again, told in the log once for each cause."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from gitreload.model import GitreloadError


class Complaints:
    """What was told last of each thing that could not be done."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._told: dict[str, str] = {}

    def new(self, what: str, why: str) -> bool:
        """Whether it is news that `what` cannot be done, and `why`; from now on it is none."""
        known, self._told[what] = self._told.get(what), why
        return known != why

    def over(self, what: str) -> bool:
        """Whether something was told of `what`, which can be done now: the next will be news."""
        return self._told.pop(what, None) is not None

    @contextmanager
    def duty(self, what: str) -> Iterator[None]:
        """Try to do `what` ("take worker slots"), and end well whatever becomes of it."""
        try:
            yield
        except (GitreloadError, OSError) as error:
            if self.new(what, str(error)):
                self._logger.error("cannot %s now: %s", what, error)
        except Exception:
            self._logger.exception("cannot %s now: an error that should not be", what)
