"""What a forge's module is given of a request, and how it says that it will not do."""

from __future__ import annotations

from collections.abc import Iterable

from gitreload.model import GitreloadError

MAX_SHORT = 128  # characters; the longest id of a known forge is a GUID with a prefix


class Headers:
    """Header fields by name; built from the raw pairs of an ASGI scope, names in lower case.

    A field that was sent twice reads as its values joined by ", " (RFC 9110, section 5.3), which
    no signature and no content type survives: nobody can smuggle in a second one.
    """

    __slots__ = ("_values",)

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        # Bytes as they came: most fields are never asked for.
        pairs = list(raw)
        self._values = dict(pairs)
        if len(self._values) < len(pairs):
            self._values = _joined(pairs)

    def get(self, name: str) -> str | None:
        """The field's value, as sent; None where it was not. `name` in lower case."""
        value = self._values.get(name.encode())
        return None if value is None else value.decode("latin-1")

    def short(self, name: str) -> str | None:
        """The field's value where it is fit to be stored and shown, None otherwise.

        Fit is printable ASCII of 1 to 128 characters.
        """
        value = self.get(name)
        if value and len(value) <= MAX_SHORT and value.isascii() and value.isprintable():
            return value
        return None


def _joined(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    values: dict[bytes, bytes] = {}
    for name, value in pairs:
        values[name] = values[name] + b", " + value if name in values else value
    return values


def kept(headers: Headers, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Those of the named fields that were sent and are fit to be stored, as (name, value)."""
    found = ((name, headers.short(name)) for name in names)
    return tuple((name, value) for name, value in found if value is not None)


class Unauthentic(Exception):  # noqa: N818 - a finding, not a fault
    """The request is not proven to come from the forge. The text says what to mend."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why = why


class Malformed(Exception):  # noqa: N818 - a finding, not a fault
    """The request is no delivery of that forge. The text says what is wrong, and where in it."""


class Refusal(GitreloadError):  # noqa: N818 - the word of the design
    """A request that is answered with an error: its text is the sentence for the sender.

    `status` is 401 or 400. `why` is a short constant for counters and log lines. `hook` is the
    hook's id and `claimed` what it belongs to ("repository 123"), as the sender claims; None where
    it does not say. Neither the text nor `why` holds a secret, a signature or a payload's value.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        why: str,
        forge: str,
        hook: str | None,
        claimed: str | None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.why = why
        self.forge = forge
        self.hook = hook
        self.claimed = claimed
