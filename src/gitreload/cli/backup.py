"""`gitreload backup`: a consistent copy of the ledger, while the server runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from gitreload.cli.output import say
from gitreload.cli.state import existing_ledger, load_settings
from gitreload.model import GitreloadError

# https://sqlite.org/fileformat.html#magic_header_string
HEADER = b"SQLite format 3\0"


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the copy.")],
) -> None:
    """Copy the ledger to FILE, also while the server works. An earlier copy is replaced."""
    if not file.name:
        raise GitreloadError(f"{file} is a directory: name the file that the copy is to be")
    with existing_ledger(load_settings()) as ledger:
        if file.resolve() != ledger.database.path.resolve():  # which the ledger itself refuses
            _check_replaceable(file)
        ledger.backup(file)
    say(f"copied the ledger to {file}, {file.stat().st_size / 1024 / 1024:.1f} MiB")


def _check_replaceable(file: Path) -> None:
    """Only what looks like an earlier copy: a slip of the hand must not cost anything else."""
    for log in (file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-journal")):
        if log.exists() and log.stat().st_size:
            # SQLite would apply it to the new copy, and damage that.
            raise GitreloadError(
                f"{log} has changes of another {file}: end the program that has that open and "
                f"remove {log}, or name another file"
            )
    if not os.path.lexists(file):
        return
    if file.is_symlink() or not file.is_file() or not _is_database(file):
        raise GitreloadError(
            f"{file} is there and no copy of a ledger, so it is not replaced: name another file, "
            "or remove it first"
        )


def _is_database(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(HEADER)) == HEADER
