"""What every fixture of a forge offers to the tests that go over all of them.

Written after the vendors' descriptions, without a line of what is tested: none calls `compose`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fakes.forges import AFTER, BEFORE, SECRET, ZERO
from gitreload.forges import Keys

JSON = "application/json"


@dataclass(frozen=True)
class Move:
    """A ref that moved; zeros stand for "no commit", as in git's hooks."""

    ref: str = "refs/heads/main"
    before: str = BEFORE
    after: str = AFTER
    forced: bool = False

    @property
    def created(self) -> bool:
        return self.before == ZERO

    @property
    def deleted(self) -> bool:
        return self.after == ZERO

    @property
    def is_tag(self) -> bool:
        return self.ref.startswith("refs/tags/")

    @property
    def name(self) -> str:
        return self.ref.split("/", 2)[2]

    @property
    def head(self) -> str:
        """The commit that the push is about."""
        return self.before if self.deleted else self.after


@dataclass(frozen=True)
class Request:
    headers: Mapping[str, str]
    body: bytes

    def with_headers(self, **fields: str) -> Request:
        """Fields are named with `_` for `-`."""
        sent = {name.replace("_", "-"): value for name, value in fields.items()}
        return replace(self, headers={**self.headers, **sent})


class Sender(ABC):
    """A forge with one hook, of a repository that `identity` names as `remotes.canonical` does.

    `keys` prove what it sends. `repository` and `pusher` are as its payload names them.
    """

    forge: str
    kind = ""  # where a forge has several ways to send
    keys = Keys((SECRET,))
    identity: str | None
    repository: str | None = "org/course"
    pusher: str | None = "ada"
    repeats = True  # by itself or by a button
    keeps_id = True  # a delivery's id stays when it is delivered again

    def __str__(self) -> str:
        return f"{self.forge}-{self.kind}" if self.kind else self.forge

    @abstractmethod
    def push(self, moves: Sequence[Move]) -> list[Request]:
        """What one `git push` of these refs makes it send, in that order."""

    @abstractmethod
    def other(self) -> Request:
        """An event that is no push."""

    def test(self) -> Request | None:
        """What its test button sends; None where there is no button."""
        return None

    def again(self, request: Request) -> Request:
        """What it sends when it delivers again."""
        return request


def encoded(payload: Any) -> bytes:
    """JSON with spaces, and not only ASCII: signed is what was sent, not what it means."""
    return json.dumps(payload | {"note": "Grüße"}, ensure_ascii=False).encode()


def digest(body: bytes, secret: bytes = SECRET) -> str:
    return hmac.new(secret, body, hashlib.sha256).hexdigest()
