"""What the commits of a push are called."""

from __future__ import annotations

from collections.abc import Iterator

from gitreload.git.commands import Git
from gitreload.git.running import text
from gitreload.model import Checkout
from gitreload.process import Runner

# Whoever pushes more at once is no program that exports.
MOST = 500
# Of each, so many characters are looked at.
LONGEST = 500


def subjects(
    checkout: Checkout, runner: Runner, revision: str, since: str | None, *, timeout: float
) -> list[str] | None:
    """The first lines of the commits that `revision` has and `since` has not; at least one.

    That of `revision` alone where `since` is None. None where that cannot be told, as `since` is
    not in its history, or there are more than `MOST`. Raises `TransientError` and `Interrupted`.
    """
    git = Git(checkout, runner, timeout=timeout, reading=True)
    if since is None:
        wanted = ["--max-count=1", revision]
    elif git.is_ancestor(since, revision):
        wanted = [f"--max-count={MOST + 1}", f"{since}..{revision}"]
    else:
        return None
    done = git.run("rev-list", "--format=%s", "--encoding=UTF-8", *wanted, "--", quiet=True)
    found = list(_told(text(done)))
    return found if done.ok and 0 < len(found) <= MOST else None


def _told(output: str) -> Iterator[str]:
    # A line `commit <id>`, and the subject in the next one.
    lines = output.split("\n")
    for head, subject in zip(lines[::2], lines[1::2], strict=False):
        if head.startswith("commit "):
            yield subject[:LONGEST]
