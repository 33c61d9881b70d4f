"""The names in `REPODIR` and in the folders below it."""

from __future__ import annotations

import os


def names(folder: str) -> list[tuple[str, str]]:
    """Name and resolved path of each directory in `folder`, which is a resolved path itself.

    Links are followed. Names that begin with a dot are left out, and links to a directory in which
    `folder` lies. Raises OSError where `folder` cannot be listed.
    """
    with os.scandir(folder) as scan:
        entries = list(scan)
    found = []
    for entry in entries:
        path = f"{folder}/{entry.name}"
        if entry.name.startswith(".") or not _is_directory(entry):
            continue
        if entry.is_symlink():
            path = os.path.realpath(path)
        if not f"{folder}/".startswith(f"{path}/"):
            found.append((entry.name, path))
    return found


def _is_directory(entry: os.DirEntry[str]) -> bool:
    """Whether it is one, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False
