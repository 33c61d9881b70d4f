"""The failures of git that callers tell apart."""

from __future__ import annotations

from gitreload.model import PermanentError


class BranchGoneError(PermanentError):
    """The remote has no such branch or tag: deleted, not pushed, or not yet known to a replica."""

    lagging = True


class UntrustedError(PermanentError):
    """The tip is not signed by anybody whose signature counts; nothing of it was checked out.

    `lagging`: the remote does not know the revision that was announced, which may be signed.
    """

    def __init__(self, message: str, *, lagging: bool) -> None:
        super().__init__(message)
        self.lagging = lagging


class AccessError(PermanentError):
    """The remote does not let us in with the key or token that we have, or its host is unknown."""


class DamagedError(PermanentError):
    """What git keeps in `.git` cannot be read; all of it can be had from the remote again."""

    @property
    def found(self) -> str:
        """What is damaged, without how somebody could clone it again."""
        return str(self).partition(". Clone it again")[0]
