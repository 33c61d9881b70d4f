"""Which revision is checked out, read without git where that can be done."""

from __future__ import annotations

import re
from pathlib import Path

from gitreload.checkouts.asking import AskingError, ask

_REVISION = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def revision(path: str) -> str | None:
    """The commit that `HEAD` of the checkout at `path` leads to; None where there is none."""
    return _from_files(Path(path, ".git")) or _from_git(path)


def _from_files(folder: Path) -> str | None:
    """As the files say; None where only git can tell: in worktrees, with another store of refs."""
    try:
        head = (folder / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head if _REVISION.fullmatch(head) else None
        ref = head.removeprefix("ref: ")
        found = _loose(folder / ref) or _packed(folder / "packed-refs", ref)
    except (OSError, ValueError):
        return None
    return found


def _loose(file: Path) -> str | None:
    try:
        text = file.read_text().strip()
    except FileNotFoundError:
        return None
    return text if _REVISION.fullmatch(text) else None


def _packed(file: Path, ref: str) -> str | None:
    # https://git-scm.com/docs/git-pack-refs: "<revision> <ref>" a line.
    with file.open() as lines:
        for line in lines:
            if line.rstrip("\n").endswith(f" {ref}"):
                found = line.partition(" ")[0]
                return found if _REVISION.fullmatch(found) else None
    return None


def _from_git(path: str) -> str | None:
    try:
        answer = ask("git", f"--git-dir={path}/.git", "rev-parse", "--verify", "--quiet", "HEAD")
    except AskingError:
        return None
    found = answer.output.decode("ascii", "replace").strip()
    return found if answer.exit_code == 0 and _REVISION.fullmatch(found) else None
