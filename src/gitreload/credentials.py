"""Secrets that the configuration names: a value, or a file that is read again when it changes."""

from __future__ import annotations

import logging
import os
import re
import stat
from pathlib import Path

from gitreload.model import GitreloadError
from gitreload.webhook_keys import SYMMETRIC, fault

SHORTEST = 12
ADVISED = 20
CURE = "a good one comes from: openssl rand -hex 32"

log = logging.getLogger(__name__)

# One URL only: Apprise would take several, of which each is sent to again while one of them fails.
_APPRISE_URL = re.compile(rb"[A-Za-z][A-Za-z0-9]*://[!-~]*")


class UnfitSecretError(GitreloadError):
    """A secret cannot be used. The message says why and what to do; it never holds the secret."""


class Secret:
    """A value, or a file. Neither `repr` nor an error ever shows the secret itself."""

    def __init__(self, value: str | None = None, *, file: Path | None = None) -> None:
        """Takes exactly one of `value` and `file`.

        Raises `UnfitSecretError` where it is not `fit`, or if the file cannot be read.
        """
        if (value is None) == (file is None):
            raise ValueError("a secret is either a value or a file")
        self._file = file
        self._seen: tuple[int, ...] = ()
        self._complaint: str | None = None
        if file is not None:
            self._seen, self._value = self._read(file)
        else:
            self._value = self.fit(_encoded(value or ""), "the secret")

    @staticmethod
    def fit(value: bytes, what: str) -> bytes:
        """`value`, if a webhook can be proven with it; `what` names it in an error.

        Raises `UnfitSecretError` if it is empty, shorter than `SHORTEST` bytes, or begins as a key
        of the Standard Webhooks specification and is none.
        """
        if not value.strip():
            raise UnfitSecretError(f"{what} is empty; {CURE}")
        if len(value) < SHORTEST:
            raise UnfitSecretError(f"{what} is shorter than {SHORTEST} characters; {CURE}")
        wrong = fault(value)
        if wrong is not None:
            raise UnfitSecretError(f"{what} is no key of Standard Webhooks: {wrong}")
        return value

    @property
    def _source(self) -> Path | bytes:
        return self._file or self._value

    @property
    def short(self) -> bool:
        """Whether it works but is shorter than advised."""
        return len(self._value) < ADVISED

    @property
    def exposed(self) -> Path | None:
        """Its file, where every user of this machine may read it."""
        try:
            shared = self._file is not None and self._file.stat().st_mode & stat.S_IROTH
        except OSError:  # as `read` says when it is asked
            return None
        return self._file if shared else None

    def read(self) -> bytes:
        """The secret now; a file that changed is read again.

        While the file is away, unreadable or holds nothing fit, the last good value stays, so
        that a slow rotation refuses no push. The log says so, once per cause.
        """
        if self._file is None:
            return self._value
        try:
            if _signature(self._file.stat()) != self._seen:
                self._seen, self._value = self._read(self._file)
            self._complaint = None
        except (OSError, UnfitSecretError) as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                log.warning("%s; its last good value stays in use", error)
        return self._value

    def _read(self, file: Path) -> tuple[tuple[int, ...], bytes]:
        """The file's signature and its secret, without the line end that editors and `echo` add."""
        try:
            if not stat.S_ISREG(file.stat().st_mode):  # opening a pipe would wait for its writer
                raise UnfitSecretError(
                    f"{file} is not a file; name a file that holds the secret alone"
                )
            with file.open("rb") as opened:
                signature = _signature(os.fstat(opened.fileno()))
                value = opened.read(64 * 1024)
        except OSError as error:
            raise UnfitSecretError(
                f"the file {file} cannot be read: {error.strerror}; "
                "it must exist and be readable by the user that runs gitreload"
            ) from error
        return signature, self.fit(value.rstrip(b"\r\n"), f"the secret in {file}")

    def masked(self) -> str | dict[str, str]:
        """What may be shown of it: the file's name at most."""
        return "********" if self._file is None else {"FILE": str(self._file)}

    def __eq__(self, other: object) -> bool:
        """Whether both are the same value, or the same file, whatever that holds."""
        return isinstance(other, Secret) and self._source == other._source

    def __hash__(self) -> int:
        return hash(self._source)

    def __repr__(self) -> str:
        return f"Secret({self.masked()!r})"


class Token(Secret):
    """What a forge gave out, to fetch with over HTTPS."""

    @staticmethod
    def fit(value: bytes, what: str) -> bytes:
        """`value`, if it can be one; else raises `UnfitSecretError`."""
        text = value.decode("ascii", "replace")
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise UnfitSecretError(
                f"{what} is no token: one line of letters, digits and signs, as the forge showed it"
            )
        return value

    def place(self, key: str) -> str:
        """Where it comes from, for messages: its configuration's `key`, and the file if any."""
        return key if self._file is None else f"{key} in {self._file}"


class ClientSecret(Secret):
    """What an OAuth application proves itself with."""

    @staticmethod
    def fit(value: bytes, what: str) -> bytes:
        """`value`, if it can be one; else raises `UnfitSecretError`."""
        text = value.decode("utf-8", "replace")
        if not text or not text.isprintable() or "\ufffd" in text:
            raise UnfitSecretError(
                f"{what} is no client secret: one line, as the page of the application showed it"
            )
        return value


class AppriseUrl(Secret):
    """Where Apprise sends to: its URLs hold tokens and passwords."""

    @staticmethod
    def fit(value: bytes, what: str) -> bytes:
        """`value`, if it can be one; else raises `UnfitSecretError`."""
        if not _APPRISE_URL.fullmatch(value):
            raise UnfitSecretError(
                f"{what} is no URL of Apprise, such as mailto://user:password@mail.example.org; "
                "docs/notifications.md has those of the usual services"
            )
        return value

    @property
    def identity(self) -> str:
        """What tells it from others: its file, or itself, which nobody may see."""
        return str(self._file or self._value.decode("ascii"))

    @property
    def scheme(self) -> str:
        """The kind of service, as its URL has it ("slack"), which is no secret."""
        return self.read().partition(b"://")[0].decode("ascii").lower()


class SigningSecret(Secret):
    """What outgoing webhooks are signed with, as the Standard Webhooks specification has it."""

    @staticmethod
    def fit(value: bytes, what: str) -> bytes:
        """`value`, if it can be one; else raises `UnfitSecretError`."""
        wrong = fault(value)
        if wrong is None and not value.startswith(SYMMETRIC):
            wrong = "it begins with whsec_"
        if wrong is not None:
            raise UnfitSecretError(
                f"{what} is no key of Standard Webhooks: {wrong}; a good one comes from: "
                'echo "whsec_$(openssl rand -base64 32)"'
            )
        return value


def _encoded(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        # Its own message would quote the secret.
        raise UnfitSecretError(f"the secret is not valid Unicode; {CURE}") from None


def _signature(status: os.stat_result) -> tuple[int, ...]:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
