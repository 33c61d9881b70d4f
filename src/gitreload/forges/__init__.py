"""Who sent a request, is it genuine, and which pushes does it tell of: functions without I/O.

A forge is a module that has what `Forge` lists, and a place in `FORGES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gitreload.forges import github
from gitreload.forges.request import Headers, Malformed, Refusal, Unauthentic, kept
from gitreload.model import Delivery

__all__ = ["FORGES", "Forge", "Headers", "Refusal", "kept", "read"]


class Forge(Protocol):
    """What a forge's module offers."""

    @property
    def name(self) -> str: ...

    def recognises(self, headers: Headers) -> bool:
        """Whether the headers are this forge's. The first forge that says so reads the request."""

    def authenticate(self, headers: Headers, body: bytes, secrets: Sequence[bytes]) -> None:
        """Raise Unauthentic unless one of `secrets` proves that the forge sent this."""

    def read(self, headers: Headers, body: bytes) -> Delivery:
        """Understand an authentic request; raise Malformed where that cannot be done."""

    def hook(self, headers: Headers) -> str | None:
        """The webhook's id, as claimed."""

    def claimed(self, headers: Headers) -> str | None:
        """What the webhook belongs to, as claimed."""


FORGES: tuple[Forge, ...] = (github,)


def read(headers: Headers, body: bytes, secrets: Sequence[bytes], *, unsigned: bool) -> Delivery:
    """The delivery in a request, authenticated before a byte of its body is parsed.

    Raises Refusal: 401 where it is not genuine, 400 where it cannot be understood. Without
    `secrets` nothing can be genuine, and only `unsigned` lets a request pass; signatures are then
    not looked at. Requests without any forge's header count as GitHub's.
    """
    forge = next((forge for forge in FORGES if forge.recognises(headers)), github)
    try:
        _authenticate(forge, headers, body, secrets, unsigned)
        return forge.read(headers, body)
    except Unauthentic as error:
        raise _refusal(forge, headers, 401, error.why, error) from None
    except Malformed as error:
        raise _refusal(forge, headers, 400, "malformed", error) from None


def _authenticate(
    forge: Forge, headers: Headers, body: bytes, secrets: Sequence[bytes], unsigned: bool
) -> None:
    if secrets:
        forge.authenticate(headers, body, secrets)
    elif not unsigned:
        raise Unauthentic(
            "no secret configured",
            "only senders on this machine are served until WEBHOOK_SECRETS is set: set it, and"
            " give the hook one of them as its secret",
        )


def _refusal(forge: Forge, headers: Headers, status: int, why: str, error: Exception) -> Refusal:
    return Refusal(
        str(error),
        status=status,
        why=why,
        forge=forge.name,
        hook=forge.hook(headers),
        claimed=forge.claimed(headers),
    )
