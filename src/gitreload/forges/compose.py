"""What a composed delivery tells, whatever forge it is composed for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitreload.forges.body import is_zero
from gitreload.model import GitreloadError
from gitreload.remotes import canonical, mask


@dataclass(frozen=True, slots=True)
class Announcement:
    """A push, or with `ping` a test call, to be written as a forge writes it.

    `url` is a remote in any spelling; its credentials are not sent. `before` and `after` are
    revisions, zeros where there is no commit, as in git's hooks. `now` is in seconds since 1970.
    `secret` signs it; None leaves it unsigned.
    """

    url: str
    ref: str
    before: str
    after: str
    delivery_id: str
    now: float
    secret: bytes | None = field(default=None, repr=False)
    ping: bool = False

    @property
    def created(self) -> bool:
        return is_zero(self.before)

    @property
    def deleted(self) -> bool:
        return is_zero(self.after)

    @property
    def short_ref(self) -> str:
        """The branch's or the tag's name."""
        return self.ref.split("/", 2)[-1]


@dataclass(frozen=True, slots=True)
class Origin:
    """A repository as payloads name it. `path` is "host/owner/name", or an absolute path."""

    path: str
    local: bool

    @property
    def page(self) -> str:
        return f"file://{self.path}" if self.local else f"https://{self.path}"

    @property
    def clone(self) -> str:
        return f"{self.page}.git"

    @property
    def ssh(self) -> str | None:
        return None if self.local else f"ssh://git@{self.path}.git"

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def full_name(self) -> str:
        """All below the host; for a local one its last two parts."""
        parts = self.path.split("/")
        return "/".join(parts[-2:] if self.local else parts[1:])


def origin(url: str) -> Origin:
    """The repository that a remote names; raises GitreloadError where it names none."""
    identity = canonical(url)
    if identity is None:
        raise GitreloadError(
            f"{mask(url)} names no repository that a forge could tell of: give the checkout's"
            " origin a URL with host and path, or an absolute path."
        )
    return Origin(identity.removeprefix("file:"), identity.startswith("file:"))


def compact(payload: Mapping[str, Any]) -> bytes:
    """JSON as forges write it: in one line, without spaces."""
    return json.dumps(payload, separators=(",", ":")).encode()
