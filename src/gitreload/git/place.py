"""Where a git command ran, and how sentences about it name that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitreload.remotes import mask
from gitreload.visible import quoted, visible


@dataclass(frozen=True, slots=True)
class Place:
    """Where a git command failed. `user` is whom it ran as.

    `tag` is what is fetched instead of the `branch`, where it is not None. `ssh_key` is the path of
    a key of the checkout's own, `token` the place of such a token, which may be one of a GitHub App
    (`of_app`). Before it is `cloned`, nothing is there to run a command in.
    """

    directory: str
    path: str
    url: str
    branch: str
    user: str
    tag: str | None = None
    ssh_key: Path | None = None
    token: str | None = None
    of_app: bool = False
    cloned: bool = True
    submodule: bool = False

    @property
    def fetched(self) -> str:
        """What is fetched, in words."""
        if self.tag is None:
            return f"the branch {visible(self.branch)}"
        return f"the tag {visible(self.tag)}"

    def words(self, said: str, other: str) -> Mapping[str, str]:
        """What a sentence may name, safe to show, and safe to paste into a shell where quoted."""
        path = quoted(self.path)
        url = mask(quoted(self.url))
        there = {
            "correct": f"git -C {path} remote set-url origin URL",
            "try": f"sudo -u {visible(self.user)} git -C {path} ls-remote origin",
            "again": f"gitreload sync {quoted(self.directory)}",
            "own_token": f"REPOS.{visible(self.directory)}.TOKEN",
            "own_key": f"name a deploy key by REPOS.{visible(self.directory)}.SSH_KEY",
        }
        nowhere = {
            "correct": "gitreload add URL",
            "try": f"sudo -u {visible(self.user)} git ls-remote {url}",
            "again": "the same command again",
            "own_token": "--fetch-token-file FILE",
            "own_key": "add it with --ssh-key FILE, a deploy key",
        }
        if self.submodule:
            there["correct"] = "correct .gitmodules and push"
        return (there if self.cloned else nowhere) | {
            "directory": visible(self.directory),
            "path": path,
            "url": mask(visible(self.url)),
            "quoted_url": url,
            "key": quoted(str(self.ssh_key)),
            "token": visible(str(self.token)),
            "branch": visible(self.branch),
            "fetched": self.fetched,
            "quoted_branch": quoted(self.branch),
            "user": visible(self.user),
            "other": mask(quoted(other)),
            "said": said,
        }
