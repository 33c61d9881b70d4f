"""What was refused and why: counted, and told in the log without filling it."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

logger = logging.getLogger(__name__)

# A refusal that comes again within this time is only counted.
QUIET_SECONDS = 60.0
# Senders and hooks that are told apart at a time: anybody can make up more of them.
MOST_TOLD_APART = 100


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused delivery. `why` is a short constant, `message` the sentence that the sender got.

    `peer` is the client's address, None for a unix socket. As the sender claims: `hook` is the
    hook's id, `claimed` what that belongs to, `repository` its name or URL.
    """

    why: str
    message: str
    peer: str | None
    forge: str | None = None
    hook: str | None = None
    claimed: str | None = None
    repository: str | None = None

    def __str__(self) -> str:
        facts = {
            "forge": self.forge,
            "hook": self.hook,
            "of": self.claimed,
            "repository": self.repository,
        }
        told = ", ".join(f"{name} {fact}" for name, fact in facts.items() if fact)
        return f"{self.peer or 'a local peer'}{f' ({told})' if told else ''}"


@dataclass(slots=True)
class _Quiet:
    """Since when a kind of refusal is only counted, and what came since."""

    since: float
    level: int
    last: Refused
    more: int = 0


class Refusals:
    """Those of one process, for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._quiet: dict[tuple[str | None, ...], _Quiet] = {}

    @property
    def counts(self) -> Mapping[str, int]:
        """How many there were since the start, by reason."""
        with self._lock:
            return dict(self._counts)

    def tell(self, refused: Refused, level: int = logging.WARNING) -> None:
        """Count one, and log it unless the same sender and hook was told for that lately."""
        self.tell_more()
        hook = refused.hook or refused.repository  # not every forge tells the hook's id
        key: tuple[str | None, ...] = (refused.why, refused.peer, refused.forge, hook)
        with self._lock:
            self._counts[refused.why] += 1
            if key not in self._quiet and len(self._quiet) >= MOST_TOLD_APART:
                key = (refused.why,)
            quiet = self._quiet.get(key)
            if quiet is not None:
                quiet.more += 1
                quiet.last = refused
                return
            self._quiet[key] = _Quiet(time.monotonic(), level, refused)
        logger.log(level, "refused a delivery from %s: %s", refused, refused.message)

    def tell_all(self) -> None:
        """Log what was not told yet, and how many there were since the start, by reason."""
        self._tell_since(time.monotonic())
        if counts := self.counts:
            told = ", ".join(f"{count} {why}" for why, count in sorted(counts.items()))
            logger.warning("refused since the start: %s", told)

    def tell_more(self) -> None:
        """Log how many more there were of those that have been only counted for long enough."""
        self._tell_since(time.monotonic() - QUIET_SECONDS)

    def _tell_since(self, until: float) -> None:
        with self._lock:
            # In the order in which they began.
            over = []
            for key, quiet in self._quiet.items():
                if quiet.since > until:
                    break
                over.append(key)
            ended = [self._quiet.pop(key) for key in over]
        for quiet in ended:
            if quiet.more:
                logger.log(
                    quiet.level,
                    "refused %d more deliveries (%s) in %.0f s, the last from %s",
                    quiet.more, quiet.last.why, time.monotonic() - quiet.since, quiet.last,
                )  # fmt: skip
