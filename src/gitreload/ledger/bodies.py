"""The bodies of deliveries: packed together as they were recorded together.

One call to the compressor for a batch: each call lets go of the interpreter, and having to get it
back beside a busy event loop takes longer than to compress. What comes in a storm is also much
alike, so together it takes a fraction of the room.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# What is kept of a body, in bytes. GitHub sends up to 25 MiB; the repository, the branch and the
# revisions stand at its beginning and are kept in columns anyway.
KEPT = 1024 * 1024
# A pack takes no further body that would make it larger than this: it leaves as a whole.
LARGEST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pack:
    """Some bodies: `starts` says where each begins in what zlib unpacks from `data`."""

    data: bytes
    starts: tuple[int, ...]


def pack(bodies: Sequence[bytes]) -> Iterator[Pack]:
    """All bodies, in order, in as few packs as fit."""
    together: list[bytes] = []
    size = 0
    for body in bodies:
        kept = body[:KEPT]
        if together and size + len(kept) > LARGEST:
            yield _packed(together)
            together, size = [], 0
        together.append(kept)
        size += len(kept)
    if together:
        yield _packed(together)


def unpack(data: bytes, start: int, size: int) -> bytes:
    """What is kept of a body of `size` bytes that begins at `start` in the pack `data`."""
    return zlib.decompress(data)[start : start + min(size, KEPT)]


def _packed(bodies: Sequence[bytes]) -> Pack:
    starts, end = [], 0
    for body in bodies:
        starts.append(end)
        end += len(body)
    return Pack(zlib.compress(b"".join(bodies), 1), tuple(starts))
