"""Changes of the configuration file by a command: checked, whole or not at all, with a backup."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from gitreload import config
from gitreload.config import Config, ConfigError
from gitreload.config_sources import FILE_NAME, SYSTEM_FILE
from gitreload.locks import Lock
from gitreload.process import user_name

BACKUP = ".bak"


def path_of(loaded: Config) -> Path:
    """The file that is changed: the one that was read, else the one to begin.

    Raises `ConfigError` where REPOS comes from the environment, which the file cannot change, or
    where this user may not replace the file.
    """
    source = loaded.sources["REPOS"]
    if source.startswith("environment"):
        raise ConfigError(
            f"{source}: REPOS is set there, so a change of the file would do nothing: move it into "
            "the file first"
        )
    begun = SYSTEM_FILE if os.geteuid() == 0 else Path.home() / FILE_NAME
    path = loaded.path.resolve() if loaded.path is not None else begun
    if not os.access(path.parent, os.W_OK | os.X_OK):
        user = user_name()
        raise ConfigError(
            f"{path}: {user} cannot replace it, as nothing may be written into {path.parent}: keep "
            f"the configuration in a directory of {user}'s, and name it by GITRELOAD_CONFIG"
        )
    return path


def change(loaded: Config, edit: Callable[[str], str]) -> Path:
    """Replace the file's text by what `edit` makes of it; the former one stays, as `*.bak`.

    The new one is read first as at a start: `ConfigError` says what would be wrong, and nothing is
    changed. Raises OSError too. Two commands at once change it one after the other.
    """
    path = path_of(loaded)
    lock = Lock.take(loaded.settings.state_dir / "locks/config-file.lock", wait=True)
    assert lock is not None, "it was waited for"
    with lock:
        text = path.read_text("utf-8") if path.exists() else "{}\n"
        # Beside it, as relative paths in it start at the working directory anyway.
        draft = path.with_name(f".{path.name}.new")
        try:
            _write_like(path, draft, edit(text.removeprefix("\ufeff")))
            _check(draft, path)
            if path.exists():
                _write_like(path, path.with_name(path.name + BACKUP), text)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    return path


def _check(draft: Path, path: Path) -> None:
    try:
        config.load({**os.environ, "GITRELOAD_CONFIG": str(draft)})
    except ConfigError as error:
        told = (problem.replace(str(draft), str(path)) for problem in error.problems)
        raise ConfigError(*told) from None


def _write_like(path: Path, draft: Path, text: str) -> None:
    """Write `text` to `draft`, which belongs to whom `path` does and nobody else may read more."""
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        if path.exists():
            status = path.stat()
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
