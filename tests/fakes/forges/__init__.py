"""Forges as senders: what their fixtures share. One module a forge."""

from __future__ import annotations

from collections.abc import Mapping

from gitreload.forges import Announcement, Headers

SECRET = b"a secret of good length"
BEFORE = "1f" * 20
AFTER = "2e" * 20
ZERO = "0" * 40
NOW = 1_800_000_000.0


def announced(
    url: str = "https://forge.example/Org/course",
    ref: str = "refs/heads/main",
    before: str = BEFORE,
    after: str = AFTER,
    *,
    secret: bytes | None = SECRET,
    delivery_id: str = "one",
    now: float = NOW,
    ping: bool = False,
) -> Announcement:
    """What `compose` of every forge takes."""
    return Announcement(url, ref, before, after, delivery_id, now, secret, ping)


def raw(fields: Mapping[str, str]) -> Headers:
    """The fields as the server hands them over."""
    return Headers(
        (name.lower().encode(), value.encode("latin-1")) for name, value in fields.items()
    )
