"""`gitreload backup`: a consistent copy of the ledger, while the server runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gitreload.cli.output import say
from gitreload.cli.state import existing_ledger, load_settings
from gitreload.model import GitreloadError


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the copy.")],
) -> None:
    """Copy the ledger to FILE, also while the server works."""
    if file.exists():
        raise GitreloadError(f"{file} exists already: name another file, or remove it first")
    with existing_ledger(load_settings()) as ledger:
        ledger.backup(file)
    say(f"copied the ledger to {file}, {file.stat().st_size / 1024 / 1024:.1f} MiB")
