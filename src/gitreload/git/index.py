"""What an index of git says of its files: their contents, and how they looked when written.

Only versions 2 and 3 are read: 2 is what we have git write (`git.settings.with_own_index`), and 3
what that becomes where a sparse checkout leaves files out. The format:
https://git-scm.com/docs/index-format
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

# mtime (s, ns) after ctime (s, ns); mode and size among device, inode, user and group.
_STAT = Struct(">8x2L8xL8xL")
_FLAGS = Struct(">H")
_EXTENDED, _LEFT_OUT = 0x4000, 0x4000
_HEADER = Struct(">4sLL")
SIGNATURE = b"DIRC"
_SIGNATURES = ((SIGNATURE, 2), (SIGNATURE, 3))

REGULAR = (0o100644, 0o100755)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a revision. `path` is relative, as bytes; `size` is modulo 4 GiB.

    `mode` is git's (0o100644, 0o100755, 0o120000, 0o160000); `blob` names the content, as bytes.
    """

    path: bytes
    mode: int
    blob: bytes
    size: int
    mtime_ns: int


def read_index(file: Path, hash_bytes: int) -> list[Entry]:
    """The entries of an index, sorted by path. `hash_bytes` is 20, or 32 with SHA-256.

    Without those that a sparse checkout leaves out. Raises OSError, and ValueError where it is no
    such index, or damaged.
    """
    data = file.read_bytes()
    if len(data) < _HEADER.size or _HEADER.unpack_from(data)[:2] not in _SIGNATURES:
        raise ValueError(f"{file} is no index of version 2 or 3")
    end = len(data) - hash_bytes
    own = hashlib.new("sha1" if hash_bytes == 20 else "sha256", data[:end], usedforsecurity=False)
    # Zeros with `index.skipHash`: https://git-scm.com/docs/git-config
    if data[end:] not in (own.digest(), bytes(hash_bytes)):
        raise ValueError(f"{file} is damaged: its checksum is another")
    try:
        return list(_entries(data, hash_bytes))
    except struct.error as error:
        raise ValueError(f"{file} is damaged: it ends early") from error


def _entries(data: bytes, hash_bytes: int) -> Iterator[Entry]:
    start = _HEADER.size
    for _ in range(_HEADER.unpack_from(data)[2]):
        flags = start + _STAT.size + hash_bytes
        name = flags + _FLAGS.size
        more = 0
        if _FLAGS.unpack_from(data, flags)[0] & _EXTENDED:
            (more,) = _FLAGS.unpack_from(data, name)
            name += _FLAGS.size
        seconds, nanoseconds, mode, size = _STAT.unpack_from(data, start)
        end = data.index(b"\0", name)
        blob = data[start + _STAT.size : flags]
        if not more & _LEFT_OUT:
            yield Entry(data[name:end], mode, blob, size, seconds * 1_000_000_000 + nanoseconds)
        # Entries are padded with 1 to 8 NULs, to a multiple of 8.
        start += (end - start + 8) // 8 * 8
