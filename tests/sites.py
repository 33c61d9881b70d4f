"""A checkout, and updates of it, for the tests of git."""

from __future__ import annotations

from pathlib import Path

from gitreload.git import Access, Clean, Extent, Signers, Updated, update
from gitreload.model import Checkout, Group
from gitreload.process import Runner
from helpers import Remote, git


class Site:
    """A checkout of `remote`, as an operator made it."""

    def __init__(self, remote: Remote, path: Path) -> None:
        self.remote = remote
        self.path = path
        self.log: list[str] = []
        self.children: list[Group] = []
        self.url: str | None = None
        self.tags: str | None = None
        self.signers: Signers | None = None

    def checkout(self, branch: str = "main", follows: str | None = None) -> Checkout:
        # Read without more of git's files than this one, as some of them may be damaged.
        config = self.path / ".git/config"
        own = ("--file", str(config)) if config.exists() else ()
        return Checkout(
            directory=self.path.name,
            path=str(self.path.resolve()),
            origin=git("config", *own, "remote.origin.url", cwd=self.path),
            identities=frozenset(),
            branch=branch,
            follows=follows or branch,
            url=self.url,
            tags=self.tags,
        )

    def update(
        self,
        branch: str = "main",
        *,
        follows: str | None = None,
        clean: Clean = "untracked",
        timeout: float = 60,
        wanted: tuple[str, ...] = (),
        extent: Extent | None = None,
        access: Access | None = None,
    ) -> Updated:
        runner = Runner(log=self.log.append, started=self.children.append)
        return update(
            self.checkout(branch, follows),
            runner,
            timeout=timeout,
            clean_policy=clean,
            wanted=wanted,
            extent=extent or Extent(),
            access=access or Access(),
            signers=self.signers,
        )

    def git(self, *arguments: str) -> str:
        return git(*arguments, cwd=self.path)

    def write(self, name: str, text: str) -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def at(self, revision: str) -> bool:
        """Whether the branch, the index and the tracked files are those of `revision`."""
        return self.git("rev-parse", "HEAD") == revision and self.git("status", "-s", "-uno") == ""
