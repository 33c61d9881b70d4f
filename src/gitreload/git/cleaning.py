"""What is not tracked, removed as far as the policy says."""

from __future__ import annotations

import re

from gitreload.git.changes import Clean
from gitreload.git.commands import Git
from gitreload.git.running import text
from gitreload.visible import visible

_OPTIONS = {"untracked": "-ffd", "ignored": "-ffdx"}
_TOO_LONG = re.compile(r"Invalid path|File name too long")
# So much of a name is told.
_SHOWN = 100


def clean(git: Git, policy: Clean) -> None:
    """Remove what is not tracked, as far as `policy` says; clones within it too."""
    if policy not in _OPTIONS:
        return
    done = git.run("clean", _OPTIONS[policy])
    if _TOO_LONG.search(text(done)) and _remove_deep(git, text(done)):
        done = git.run("clean", _OPTIONS[policy])
    git.check(done)


def _remove_deep(git: Git, output: str) -> bool:
    """Remove the directory that `git clean` could not; whether its `output` names one.

    A reset that fails at a path which is too long leaves the directories above it, and git cannot
    remove those, as it wants to know the absolute path of all that it cleans.
    """
    found = re.search(rf"{re.escape(git.checkout.path)}/([^\n]+)", output)
    parts = found[1].split("/")[:-1] if found else []
    for number in range(1, len(parts) + 1):
        name = "/".join(parts[:number])
        if not text(git.run("ls-files", "-z", "--", f":(literal){name}", quiet=True)):
            git.remove_directory(name)
            shown = visible(name)[:_SHOWN]
            git.notes.append(f"removed the directory {shown}, below which names were too long")
            return True
    return False
