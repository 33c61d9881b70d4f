"""The first clone of a repository: whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gitreload.git.access import TOKEN_VARIABLE, Access, speaking
from gitreload.git.errors import Place, failure
from gitreload.git.extent import WHOLE, Extent
from gitreload.git.settings import git_environment
from gitreload.git.sparse import FILE, SETTINGS, patterns
from gitreload.git.turns import Turn
from gitreload.model import GitreloadError, PermanentError
from gitreload.process import Completed, Runner, user_name
from gitreload.remotes import mask
from gitreload.visible import visible

# Below REPODIR, so that a clone can be renamed into its place; no look finds it there.
HIDDEN = ".gitreload"

# A server that sends nothing is given up much sooner (http.lowSpeedTime, ServerAliveInterval).
_LONGEST_SECONDS = 24 * 3600.0

_NO_BRANCH = re.compile(r"(?i)remote branch .* not found in upstream")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to clone: `url`, `branch` of it (None for its default), as `directory` of `repodir`.

    `extent` is how much of it.
    """

    url: str
    branch: str | None
    repodir: Path
    directory: str
    extent: Extent = WHOLE

    @property
    def target(self) -> Path:
        return self.repodir / self.directory


def clone(wanted: Wanted, access: Access, mine: Turn, progress: Callable[[str], None]) -> None:
    """Clone `wanted` under another name and rename it into its place once it is complete.

    `mine` is the turn to clone to its target; what an earlier one left there is removed. `progress`
    gets each state of a line that git overwrites. Raises `PermanentError` and `TransientError`,
    with nothing left.
    """
    scratch = wanted.repodir / HIDDEN / "clones" / wanted.directory.replace("/", "%2F")
    if scratch.exists():
        shutil.rmtree(scratch)
    scratch.parent.mkdir(parents=True, exist_ok=True)
    runner = Runner(
        log=lambda _line: None,
        inherit=(mine.lock.fd,),
        marker=mine.marker,
        secrets=access.secrets,
    )
    cloning = _Clone(wanted, scratch, access, runner)
    try:
        cloning.run(progress)
        wanted.target.parent.mkdir(parents=True, exist_ok=True)
        # Over nothing but an empty directory: whatever else came there meanwhile stays.
        scratch.rename(wanted.target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _Clone:
    def __init__(self, wanted: Wanted, scratch: Path, access: Access, runner: Runner) -> None:
        self._wanted = wanted
        self._scratch = scratch
        self._access = access
        self._runner = runner

    def run(self, progress: Callable[[str], None]) -> None:
        url, branch = self._wanted.url, self._wanted.branch
        environment = self._environment()
        done = self._git(
            *("clone", "--progress", "--no-recurse-submodules", "--origin=origin"),
            *(() if branch is None else (f"--branch={branch}",)),
            *self._narrowing(),
            *("--end-of-options", url, os.fspath(self._scratch)),
            env=environment,
            progress=progress,
        )
        if done.ok and self._wanted.extent.sparse:
            done = self._check_out(environment, progress)
        if not done.ok:
            raise self._failure(done)

    def _narrowing(self) -> Iterator[str]:
        extent = self._wanted.extent
        if extent.depth is not None:
            # Git takes a local path as a whole otherwise.
            yield from (f"--depth={extent.depth}", "--no-local")
        if extent.sparse:
            # The contents of files that are left out stay at the remote, where that can be.
            yield from ("--no-checkout", "--filter=blob:none", "--no-local")
            for key in SETTINGS:
                yield f"--config={key}=true"

    def _check_out(self, environment: dict[str, str], progress: Callable[[str], None]) -> Completed:
        git_dir = self._scratch / ".git"
        file = git_dir / FILE
        file.parent.mkdir(exist_ok=True)
        file.write_text(patterns(self._wanted.extent.sparse))
        own = {"GIT_DIR": os.fspath(git_dir), "GIT_WORK_TREE": os.fspath(self._scratch)}
        return self._git(
            "checkout", "--progress", "--force", env=environment | own, progress=progress
        )

    def _failure(self, done: Completed) -> GitreloadError:
        url, branch = self._wanted.url, self._wanted.branch
        text = done.output.decode("utf-8", "surrogateescape")
        if _NO_BRANCH.search(text):
            return PermanentError(
                f"there is no branch {visible(branch or '')} at {mask(visible(url))}: name one "
                "that is there, or leave --branch away for its default"
            )
        return failure("git clone", text, self._place())

    def _environment(self) -> dict[str, str]:
        self._access.check_url(self._wanted.url)
        # Its user and password are masked here, and nobody asks for them.
        url = self._ask("ls-remote", "--get-url", self._wanted.url).output
        variables, secret = speaking(
            os.fspath(self._scratch),
            url.decode("utf-8", "surrogateescape").strip(),
            self._access,
            self._ask,
        )
        self._runner.hide(secret.get(TOKEN_VARIABLE, ""))
        return variables | secret

    def _ask(self, *arguments: str) -> Completed:
        return self._git(*arguments, env=git_environment(os.fspath(self._scratch), protocol=""))

    def _git(
        self, *arguments: str, env: dict[str, str], progress: Callable[[str], None] | None = None
    ) -> Completed:
        return self._runner.run(
            ["git", *arguments],
            cwd=os.fspath(self._scratch.parent),
            env=env,
            timeout=_LONGEST_SECONDS,
            quiet=True,
            progress=progress,
        )

    def _place(self) -> Place:
        return Place(
            directory=self._wanted.directory,
            path=os.fspath(self._wanted.target),
            url=self._wanted.url,
            branch=self._wanted.branch or "HEAD",
            user=user_name(),
            ssh_key=self._access.ssh_key,
            token=self._access.token_place,
            of_app=self._access.app is not None,
            cloned=False,
        )
