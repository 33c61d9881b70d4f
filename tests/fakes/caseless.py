"""A file system that takes `README` and `readme` for one file, as those of other systems do.

It is in memory, and served to the kernel over `/dev/fuse`, which takes root. Structures and numbers
are those of https://github.com/libfuse/libfuse/blob/master/include/fuse_kernel.h, version 7.31.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from errno import EEXIST, ENODEV, ENOENT, ENOSYS, ENOTEMPTY
from itertools import count
from struct import Struct

DEVICE = "/dev/fuse"

_REQUEST = Struct("<LLQQLLLHH")
_REPLY = Struct("<LlQ")
_ATTRIBUTES = Struct("<QQQQQQLLLLLLLLLL")
_INITIAL = Struct("<LLLLHHLLHHL28x")
_SETTING = Struct("<L4xQQQQQQLLLLLLLL")
_DIRENT = Struct("<QQLL")
_TRANSFER = Struct("<QQL")
_STATISTICS = Struct("<QQQQQLLL28x")

_ROOT = 1
_MOST_WRITTEN = 128 * 1024
_BIG_WRITES = 1 << 5
_OF_MODE, _OF_SIZE, _OF_TIME, _OF_NOW = 1, 8, 32, 256
_INIT, _DESTROY = 26, 38
_UNANSWERED = frozenset({2, 36, 42})  # FORGET, INTERRUPT, BATCH_FORGET


@dataclass
class _Node:
    number: int
    mode: int
    data: bytes | bytearray = b""
    # Names without their case, to an ever growing number, the name as it was given, and the node.
    entries: dict[str, tuple[int, bytes, _Node]] = field(default_factory=dict)
    changed: int = field(default_factory=time.time_ns)

    def attributes(self) -> bytes:
        seconds, nanoseconds = divmod(self.changed, 10**9)
        size = len(self.data)
        return _ATTRIBUTES.pack(
            *(self.number, size, (size + 511) // 512, seconds, seconds, seconds),
            *(nanoseconds, nanoseconds, nanoseconds, self.mode, 1, 0, 0, 0, 4096, 0),
        )

    def entry(self) -> bytes:
        """Good for no time, so that the kernel asks anew for each spelling of a name."""
        return Struct("<QQQQLL").pack(self.number, 0, 0, 0, 0, 0) + self.attributes()


class Caseless:
    """Answers the kernel's requests; an OSError is an answer too."""

    def __init__(self) -> None:
        self._numbers = count(_ROOT)
        self._nodes: dict[int, _Node] = {}
        self._make(stat.S_IFDIR | 0o755)
        self._answers = {
            1: lambda node, body: self._child(node, body[:-1]).entry(),
            3: lambda node, _: bytes(16) + node.attributes(),
            4: self._set,
            5: lambda node, _: node.data,
            6: self._link,
            8: lambda node, body: self._add(node, body[16:-1], body),
            9: lambda node, body: self._add(node, body[8:-1], body, stat.S_IFDIR),
            10: self._remove,
            11: self._remove,
            12: self._rename,
            14: lambda *_: bytes(16),
            15: self._read,
            16: self._write,
            17: lambda *_: _STATISTICS.pack(*(1 << 30,) * 5, 4096, 255, 4096),
            18: lambda *_: b"",
            27: lambda *_: bytes(16),
            28: self._list,
            29: lambda *_: b"",
        }

    def answer(self, operation: int, number: int, body: bytes) -> bytes:
        if operation == _INIT:
            return _INITIAL.pack(7, 31, 0, _BIG_WRITES, 0, 0, _MOST_WRITTEN, 1, 0, 0, 0)
        if operation not in self._answers:
            raise OSError(ENOSYS, "")
        return bytes(self._answers[operation](self._nodes[number], body))

    def _make(self, mode: int, data: bytes | bytearray = b"") -> _Node:
        number = next(self._numbers)
        self._nodes[number] = _Node(number, mode, data)
        return self._nodes[number]

    def _child(self, node: _Node, name: bytes) -> _Node:
        try:
            return node.entries[_folded(name)][2]
        except KeyError:
            raise OSError(ENOENT, "") from None

    def _put(self, node: _Node, name: bytes, child: _Node) -> bytes:
        node.entries[_folded(name)] = (next(self._numbers), name, child)
        node.changed = time.time_ns()
        return child.entry()

    def _add(self, node: _Node, name: bytes, body: bytes, kind: int = 0) -> bytes:
        if _folded(name) in node.entries:
            raise OSError(EEXIST, "")
        mode = int.from_bytes(body[:4], "little") | kind
        return self._put(node, name, self._make(mode, bytearray()))

    def _link(self, node: _Node, body: bytes) -> bytes:
        name, target, _ = body.split(b"\0")
        return self._put(node, name, self._make(stat.S_IFLNK | 0o777, target))

    def _remove(self, node: _Node, body: bytes) -> bytes:
        if self._child(node, body[:-1]).entries:
            raise OSError(ENOTEMPTY, "")
        del node.entries[_folded(body[:-1])]
        node.changed = time.time_ns()
        return b""

    def _rename(self, node: _Node, body: bytes) -> bytes:
        target = self._nodes[int.from_bytes(body[:8], "little")]
        old, new, _ = body[8:].split(b"\0")
        moved = self._child(node, old)
        there = target.entries.get(_folded(new))
        if there and there[2] is not moved and there[2].entries:
            raise OSError(ENOTEMPTY, "")
        del node.entries[_folded(old)]
        self._put(target, new, moved)
        return b""

    def _set(self, node: _Node, body: bytes) -> bytes:
        what, _, size, _, _, seconds, _, _, nanoseconds, _, mode, *_ = _SETTING.unpack(body)
        node.changed = time.time_ns()
        if what & _OF_MODE:
            node.mode = mode
        if what & _OF_SIZE:
            node.data = bytearray(node.data[:size].ljust(size, b"\0"))
        if what & _OF_TIME and not what & _OF_NOW:
            node.changed = seconds * 10**9 + nanoseconds
        return bytes(16) + node.attributes()

    def _read(self, node: _Node, body: bytes) -> bytes:
        _, start, size = _TRANSFER.unpack_from(body)
        return bytes(node.data[start : start + size])

    def _write(self, node: _Node, body: bytes) -> bytes:
        _, start, size = _TRANSFER.unpack_from(body)
        data = bytearray(node.data[:start].ljust(start, b"\0"))
        node.data = data + body[-size:] + node.data[start + size :]
        node.changed = time.time_ns()
        return Struct("<L4x").pack(size)

    def _list(self, node: _Node, body: bytes) -> bytes:
        _, start, size = _TRANSFER.unpack_from(body)
        listed = b""
        for number, name, child in node.entries.values():
            if number > start:
                kind = stat.S_IFMT(child.mode) >> 12
                entry = _DIRENT.pack(child.number, number, len(name), kind) + name
                entry += bytes(-len(entry) % 8)
                if len(listed) + len(entry) > size:
                    break
                listed += entry
        return listed


def _folded(name: bytes) -> str:
    return os.fsdecode(name).casefold()


def serve(folder: str) -> None:
    """Mount one at `folder`, and answer until it is unmounted."""
    device = os.open(DEVICE, os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"caseless", folder.encode(), b"fuse", 0, options.encode()):
        raise OSError(ctypes.get_errno(), "mount")
    system = Caseless()
    while True:
        try:
            request = os.read(device, _MOST_WRITTEN + 4096)
        except OSError as error:
            if error.errno == ENODEV:  # it was unmounted
                return
            if error.errno == ENOENT:  # whoever asked is gone
                continue
            raise
        _, operation, unique, number, *_ = _REQUEST.unpack_from(request)
        if operation in _UNANSWERED:
            continue
        body, failed = b"", 0
        try:
            body = system.answer(operation, number, request[_REQUEST.size :])
        except OSError as error:
            failed = error.errno or ENOSYS
        with suppress(FileNotFoundError):  # the same
            os.write(device, _REPLY.pack(_REPLY.size + len(body), -failed, unique) + body)


if __name__ == "__main__":
    serve(sys.argv[1])
