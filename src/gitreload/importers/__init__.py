"""What an `import` job runs after the update of its checkout. One module an importer."""

from __future__ import annotations

from typing import Protocol

from gitreload.model import Checkout, Imported
from gitreload.process import Runner


class Importer(Protocol):
    """Brings a checkout into a platform, and proves that it did."""

    @property
    def name(self) -> str:
        """As in the configuration, and in messages."""
        ...

    def check(self) -> None:
        """Whether the platform is there; raises TransientError."""
        ...

    def settings_digest(self, checkout: Checkout) -> str:
        """Everything besides the revision that decides an import's result, as short hex."""
        ...

    def course_key(self, checkout: Checkout) -> str | None:
        """The course ("org/course/run") that an import of this checkout would write now.

        None where none can be read; `run` then says why. No two imports of one course may run at
        once, whatever their checkouts.
        """
        ...

    def run(self, checkout: Checkout, revision: str, runner: Runner) -> Imported:
        """Import `revision`, which is checked out; the caller holds the checkout's lock.

        Raises `TransientError` and `PermanentError` with the cause and the cure, and what
        `runner` raises.
        """
        ...
