"""The token for readers from elsewhere."""

from __future__ import annotations

from pathlib import Path

from gitreload.tokens import read_token


def test_it_is_made_once_for_nobody_else_to_read(tmp_path: Path) -> None:
    token = read_token(tmp_path)
    assert len(token) >= 32
    assert read_token(tmp_path) == token
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["token"]
