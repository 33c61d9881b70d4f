"""What a forge's module is given of a request, and how it says that it will not do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from gitreload.model import GitreloadError
from gitreload.webhook_keys import PUBLIC, SYMMETRIC

MAX_SHORT = 128  # characters; the longest id of a known forge is a GUID with a prefix

LOOK_BYTES = 1024 * 1024  # of a body that is looked at before it is known to be genuine


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

    def has(self, name: str) -> bool:
        """Whether the field was sent, be it empty. `name` in lower case."""
        return name.encode() in self._values

    def any_of(self, names: frozenset[bytes]) -> bool:
        """Whether one of the fields was sent and is not empty. `names` in lower case."""
        sent = self._values
        return not names.isdisjoint(sent) and any(
            sent[name].strip() for name in sent.keys() & names
        )

    def short(self, name: str) -> str | None:
        """The field's value where it is fit to be stored and shown, None otherwise.

        Fit is printable ASCII of 1 to 128 characters.
        """
        value = self._values.get(name.encode())
        return None if value is None else _fit(value)

    def fit(self, names: tuple[bytes, ...]) -> tuple[tuple[str, str], ...]:
        """Those of the named fields that `short` gives, as (name, value)."""
        sent = [value and value[: MAX_SHORT + 1] for value in map(self._values.get, names)]
        return _fit_together(names, tuple(sent))


def _fit(value: bytes) -> str | None:
    if 0 < len(value) <= MAX_SHORT and value.isascii():
        text = value.decode()
        return text if text.isprintable() else None
    return None


@lru_cache(maxsize=256)  # a forge sends nearly the same with each delivery
def _fit_together(
    names: tuple[bytes, ...], values: tuple[bytes | None, ...]
) -> tuple[tuple[str, str], ...]:
    told = [
        (name.decode(), value and _fit(value)) for name, value in zip(names, values, strict=True)
    ]
    return tuple([(name, text) for name, text in told if isinstance(text, str)])


def _joined(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    values: dict[bytes, bytes] = {}
    for name, value in pairs:
        values[name] = values[name] + b", " + value if name in values else value
    return values


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a generic sender's JSON says what: keys and list indices, joined by dots.

    `each` leads to a list with an entry for every ref that moved; then `ref`, `branch`, `before`,
    `after` and `deleted` start at the entry. `ref` is a full ref, `branch` a branch's name; one of
    the two has to be found. What `event` leads to decides: `pushes` are events that are pushes,
    `pings` those that test the hook; where it leads to nothing, the event is a push.
    """

    event: str = "type"
    pushes: tuple[str, ...] = ("push",)
    pings: tuple[str, ...] = ("ping",)
    each: str | None = None
    ref: str | None = "data.ref"
    branch: str | None = None
    before: str | None = "data.before"
    after: str | None = "data.after"
    deleted: str | None = "data.deleted"
    urls: tuple[str, ...] = (
        "data.repository.clone_url",
        "data.repository.ssh_url",
        "data.repository.html_url",
    )
    repository: str | None = "data.repository.full_name"
    pusher: str | None = "data.pusher.name"


DEFAULT_PATHS = Paths()


class Keys(msgspec.Struct, frozen=True):
    """What can prove a request genuine, and how a generic sender is read.

    `secrets` are as configured; those that begin with `whsec_` or `whpk_` are keys of the Standard
    Webhooks specification and serve as nothing else. `basic` says that a right Basic credential
    came along, `unsigned` that nothing needs proof while there are no keys. `public` are raw
    Ed25519 keys of forges that sign with one key of their own for all users.
    """

    secrets: tuple[bytes, ...] = ()
    basic: bool = False
    unsigned: bool = False
    public: tuple[bytes, ...] = ()
    paths: Paths = DEFAULT_PATHS

    def __repr__(self) -> str:
        return f"Keys({len(self.secrets)} secrets)"

    @property
    def plain(self) -> tuple[tuple[int, bytes], ...]:
        """The secrets that are HMAC keys or tokens, with their places; an empty one is none."""
        return _plain(self.secrets)


@lru_cache(maxsize=64)  # the same for nearly every request
def _plain(secrets: tuple[bytes, ...]) -> tuple[tuple[int, bytes], ...]:
    return tuple(
        (place, secret)
        for place, secret in enumerate(secrets)
        if secret and not secret.startswith((SYMMETRIC, PUBLIC))
    )


class Unauthentic(Exception):  # noqa: N818 - a finding, not a fault
    """The request is not proven to come from the forge. The text says what to mend."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why = why


class Unsigned(Unauthentic):
    """Nothing came along that would prove it: a right Basic credential may stand in."""


class Malformed(Exception):  # noqa: N818 - a finding, not a fault
    """The request is no delivery of that forge. The text says what is wrong, and where in it."""


class Refusal(GitreloadError):  # noqa: N818 - the word of the design
    """A request that is answered with an error: its text is the sentence for the sender.

    `status` is 401 or 400. `why` is a short constant for counters and log lines. As the sender
    claims, and None where it does not say: `hook` is the hook's id, `claimed` what it belongs to
    ("repository 123"), `repository` the name or URL in the payload, without credentials. Neither
    the text nor `why` holds a secret, a signature or a payload's value.
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
        repository: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.why = why
        self.forge = forge
        self.hook = hook
        self.claimed = claimed
        self.repository = repository
