"""Directory trees on disk: removed whatever their modes, and written out before they are named."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path


def remove(path: Path) -> None:
    """Remove a file, or a tree, even where somebody write-protected directories of it."""
    if path.is_dir() and not path.is_symlink():
        for folder, _, _ in os.walk(path):
            Path(folder).chmod(0o700)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Write out which names a directory has."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(folder: Path) -> None:
    """Write out all that is not on disk yet: one call where each file would need its own.

    https://man7.org/linux/man-pages/man2/syncfs.2.html
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)
