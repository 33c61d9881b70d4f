"""Git's filter for files of Git LFS: pointers in git, contents in the files. A program of its own.

It only looks into the directory of contents that it is given, and reads no configuration: that of
git-lfs comes in part from whoever may push. The protocol:
https://git-scm.com/docs/gitattributes#_long_running_filter_process
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize [0-9]+\n"
)
_LARGEST_POINTER = 1024
# https://git-scm.com/docs/gitprotocol-common#_pkt_line_format
_LARGEST_PACKET = 65516


def place(store: Path, oid: str) -> Path:
    """Where git-lfs keeps a content."""
    return store / oid[:2] / oid[2:4] / oid


def serve(source: BinaryIO, target: BinaryIO, store: Path) -> None:
    """Filter what git asks for, until it closes `source`."""
    packets = _Packets(source, target)
    list(packets.read())
    packets.write([b"git-filter-server\n", b"version=2\n"])
    list(packets.read())
    packets.write([b"capability=clean\n", b"capability=smudge\n"])
    while head := list(packets.read()):
        content = _smudged(packets, store) if b"command=smudge\n" in head else _cleaned(packets)
        packets.write([b"status=success\n"])
        packets.write(content)
        packets.write([])


def _smudged(packets: _Packets, store: Path) -> Iterable[bytes]:
    given = b"".join(packets.read())
    found = POINTER.fullmatch(given)
    here = place(store, found[1].decode()) if found else None
    # What is not here was excluded from the fetch (lfs.fetchexclude): it stays a pointer.
    return _read(here) if here is not None and here.is_file() else _cut(given)


def _cleaned(packets: _Packets) -> Iterable[bytes]:
    start, size, digest = b"", 0, hashlib.sha256()
    for packet in packets.read():
        if size <= _LARGEST_POINTER:
            start += packet
        size += len(packet)
        digest.update(packet)
    if size == 0 or POINTER.fullmatch(start):
        return _cut(start)
    return [
        b"version https://git-lfs.github.com/spec/v1\n"
        b"oid sha256:%s\nsize %d\n" % (digest.hexdigest().encode(), size)
    ]


def _read(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while part := opened.read(_LARGEST_PACKET):
            yield part


def _cut(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _LARGEST_PACKET):
        yield content[start : start + _LARGEST_PACKET]


class _Packets:
    def __init__(self, source: BinaryIO, target: BinaryIO) -> None:
        self._source = source
        self._target = target

    def read(self) -> Iterator[bytes]:
        """The packets up to the next flush, or the end."""
        while (head := self._source.read(4)) not in (b"0000", b""):
            yield self._source.read(int(head, 16) - 4)

    def write(self, packets: Iterable[bytes]) -> None:
        for packet in packets:
            self._target.write(b"%04x" % (len(packet) + 4) + packet)
        self._target.write(b"0000")
        self._target.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, Path(sys.argv[1]))
