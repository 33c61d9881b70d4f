"""Whether the disk of a checkout has room for an update: git that runs out leaves half a job."""

from __future__ import annotations

import os

from gitreload.model import TransientError
from gitreload.visible import visible

MEBIBYTE = 1024 * 1024
# How much an update takes is known only afterwards. A disk with less than this is all but full.
LEAST_FREE = 64 * MEBIBYTE
LEAST_FILES = 1000


def check_space(directory: str, path: str) -> None:
    """Raise `TransientError` where an update of the checkout at `path` would soon fill its disk."""
    found = os.statvfs(path)
    free = found.f_bavail * found.f_frsize
    if free < LEAST_FREE:
        raise _too_little(directory, path, f"{free // MEBIBYTE} MiB", f"{LEAST_FREE // MEBIBYTE}")
    # Where files are not counted, there are none of them at all.
    if found.f_files and found.f_favail < LEAST_FILES:
        raise _too_little(directory, path, f"room for {found.f_favail} files", str(LEAST_FILES))


def _too_little(directory: str, path: str, left: str, least: str) -> TransientError:
    return TransientError(
        f"the disk of {visible(directory)} has only {left} left, and nothing is fetched below "
        f"{least}: free some space on the file system of {visible(path)}"
    )
