"""The token in `STATE_DIR`: who sends it may read what only this machine may read otherwise."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

TOKEN_FILE = "token"  # noqa: S105 - a file's name


def read_token(state_dir: Path) -> bytes:
    """The token of this state directory, made where there is none. Raises OSError."""
    path = state_dir / TOKEN_FILE
    if not path.exists():
        _make_token(path)
    return path.read_bytes().strip()


def _make_token(path: Path) -> None:
    # Under another name first: nobody may meet the file while it is empty, nor two make one each.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_urlsafe(32).encode() + b"\n")
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
