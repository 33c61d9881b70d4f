"""Checkouts that a push reaches too, though that was not known when it was answered.

A push is matched against what is known, which costs next to nothing and keeps nobody waiting. So
once it is on disk, all of `REPODIR` is looked at once more, and whatever else it reaches (a second
clone, a checkout that was given this remote or branch a moment ago) gets a job as well.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Mapping

import msgspec

from gitreload.authority import Grant
from gitreload.checkouts import Checkouts
from gitreload.ledger import Ledger, Target
from gitreload.model import Action, GitreloadError, Push

logger = logging.getLogger(__name__)

# At most one look a second, and for no more than this share of the time.
PAUSE_SECONDS = 1.0
# The jobs that the push has just queued go first: both want the same cores and the same disk.
DELAY_SECONDS = 0.25
LOOK_SHARE = 0.01
# How soon a look is repeated that could not be taken, or whose jobs could not be recorded.
RETRY_SECONDS = 10.0


class Reached(msgspec.Struct, frozen=True, gc=False):
    """A recorded delivery, one push of it that reached something, and all that it reached.

    `grant` says which checkouts it may act on, None that it may on all.
    """

    delivery: int
    action: Action
    push: Push
    targets: tuple[Target, ...]
    grant: Grant | None


def kind(action: Action, push: Push, grant: Grant | None) -> Hashable:
    """The same for pushes that reach the same."""
    return push.urls, push.ref, action, grant and (grant.forge, grant.holders)


class SecondLook:
    """One per process."""

    def __init__(
        self, ledger: Ledger, checkouts: Callable[[], Checkouts], wake: Callable[[], None]
    ) -> None:
        self._ledger = ledger
        self._checkouts = checkouts
        self._wake = wake
        self._lock = threading.Lock()
        self._noted: dict[Hashable, Reached] = {}
        self._news = threading.Event()
        self._stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, name="second look", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """Have the thread look for what was noted, then end; does not wait for it."""
        self._stopped.set()
        self._news.set()

    def note(self, reached: Mapping[Hashable, Reached]) -> None:
        """Look, soon, for more that these deliveries reach: of each `kind` the newest."""
        if reached:
            with self._lock:
                self._noted.update(reached)
            self._news.set()

    def _run(self) -> None:
        last = False
        while not last:
            self._news.wait()
            self._stopped.wait(DELAY_SECONDS)
            self._news.clear()
            last = self._stopped.is_set()
            self._stopped.wait(self._look())

    def _look(self) -> float:
        """Look for more that what was noted reaches; how long to wait before the next look."""
        with self._lock:
            noted, self._noted = self._noted, {}
        began = time.monotonic()
        try:
            if noted:
                self._reach_more(noted)
        except GitreloadError as error:
            logger.warning("a second look for further checkouts has to wait: %s", error)
            with self._lock:
                self._noted = noted | self._noted
            self._news.set()
            return RETRY_SECONDS
        except Exception:
            logger.exception("a second look met an error that should not be, and is left out")
        return max(PAUSE_SECONDS, (time.monotonic() - began) / LOOK_SHARE)

    def _reach_more(self, noted: dict[Hashable, Reached]) -> None:
        """Takes out of `noted` what is done: what is left when this raises is to be repeated."""
        checkouts = self._checkouts()
        checkouts.look()
        matches = checkouts.match_many([(each.push.urls, each.push.ref) for each in noted.values()])
        reached: dict[int, set[str]] = {}
        for (alike, each), match in zip(list(noted.items()), matches, strict=True):
            allowed = match if each.grant is None else match.only(each.grant.allows)
            known = reached.setdefault(each.delivery, set())
            known.update(target.checkout.path for target in each.targets)
            more = [Target(found, each.push) for found in allowed.found if found.path not in known]
            known.update(target.checkout.path for target in more)
            if more:
                self._reach(each, more)
            del noted[alike]

    def _reach(self, each: Reached, more: list[Target]) -> None:
        try:
            self._ledger.reach(each.delivery, each.action, more)
            self._wake()
        except GitreloadError:
            raise
        except Exception:
            # Such as a delivery that was pruned meanwhile: nothing that repeating would mend.
            logger.exception("delivery %d cannot be linked to what else it reaches", each.delivery)
            return
        names = ", ".join(target.checkout.directory for target in more)
        logger.info("delivery %d reaches %s too", each.delivery, names)
