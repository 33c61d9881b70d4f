"""The steps of a first clone, each of which is complete before the next begins.

Git cannot go on with a pack that broke off. So the history comes in several where it is long or the
connection is bad, newest commits first, and what is complete is not fetched again:
https://git-scm.com/docs/fetch-options#Documentation/fetch-options.txt---deepenltdepthgt
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gitreload.git.access import Access, secrets_in, speaking
from gitreload.git.extent import WHOLE, Extent
from gitreload.git.failures import failure
from gitreload.git.place import Place
from gitreload.git.running import text
from gitreload.git.settings import OLD_FLAWS_PASS, git_environment
from gitreload.git.sparse import FILE, SETTINGS, patterns
from gitreload.model import GitreloadError, PermanentError
from gitreload.process import Completed, Runner, user_name
from gitreload.remotes import mask
from gitreload.visible import visible

# The commits of the first step: whatever has fewer, as most do, is fetched as by a plain clone.
FIRST_DEPTH = 1000
# Where a connection has broken off: one commit, then so many times as many with each step.
_GROWTH = 4

# A server that sends nothing is given up much sooner (http.lowSpeedTime, ServerAliveInterval).
_LONGEST_SECONDS = 24 * 3600.0

_NO_BRANCH = re.compile(r"(?i)remote branch .* not found in upstream")
# Git's words for a server that can send the whole history only.
_ONLY_WHOLE = re.compile(r"(?i)does not support (?:shallow|--deepen)")


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


class Steps:
    """Clones `wanted` into `folder / "repository"`, which is there once the first step is done.

    `progress` gets each state of a line that git overwrites.
    """

    def __init__(
        self,
        wanted: Wanted,
        folder: Path,
        access: Access,
        runner: Runner,
        progress: Callable[[str], None],
    ) -> None:
        self.repository = folder / "repository"
        self.complete = 0
        """How many steps this object has completed."""
        self.patient = False
        """Whether a connection broke off before: take small steps."""
        self._begun = folder / "begun"
        self._wanted = wanted
        self._access = access
        self._runner = runner
        self._progress = progress
        self._place = Place(
            directory=wanted.directory,
            path=os.fspath(wanted.target),
            url=wanted.url,
            branch=wanted.branch or "HEAD",
            user=user_name(),
            ssh_key=access.ssh_key,
            token=access.token_place,
            of_app=access.app is not None,
            cloned=False,
        )

    def run(self) -> None:
        """All steps that are not complete. Raises `PermanentError` and `TransientError`."""
        if not self.repository.exists():
            self._begin()
        if self._wanted.extent.depth is None:
            self._deepen()
        if self._ask("rev-parse", "--quiet", "--verify", "HEAD").ok:
            self._check_out()

    def resume(self) -> bool:
        """Make what an earlier process left fit to go on with; False where it is damaged."""
        git_dir = self.repository / ".git"
        for left in (*git_dir.rglob("*.lock"), *git_dir.glob("objects/pack/tmp_*")):
            left.unlink()
        return self._git(
            *("fsck", "--progress", "--no-dangling"),
            env=git_environment(os.fspath(self.repository), "", OLD_FLAWS_PASS),
        ).ok

    def _begin(self) -> None:
        depth = self._wanted.extent.depth or (1 if self.patient else FIRST_DEPTH)
        done = self._clone(f"--depth={depth}")
        if not done.ok and _ONLY_WHOLE.search(text(done)):
            done = self._clone()
        if not done.ok:
            raise self._failure(done)
        if not self._branch(self._begun):
            raise PermanentError(
                f"{visible(self._wanted.branch or 'HEAD')} of {mask(visible(self._wanted.url))} is "
                "no branch, which pushes could move: name one by --branch"
            )
        if self._wanted.extent.depth is None:
            # As in any clone, for whoever fetches there by hand.
            everything = "+refs/heads/*:refs/remotes/origin/*"
            self._ask("config", "remote.origin.fetch", everything, at=self._begun)
        self._begun.rename(self.repository)
        self.complete += 1

    def _clone(self, *options: str) -> Completed:
        if self._begun.exists():
            shutil.rmtree(self._begun)
        branch = self._wanted.branch
        return self._git(
            *("clone", "--progress", "--no-recurse-submodules", "--origin=origin"),
            *("--no-checkout", "--single-branch", *options),
            *(() if branch is None else (f"--branch={branch}",)),
            *self._narrowing(),
            *("--end-of-options", self._wanted.url, os.fspath(self._begun)),
            env=self._environment(),
            at=self._begun.parent,
        )

    def _narrowing(self) -> Iterator[str]:
        extent = self._wanted.extent
        if extent.depth is not None or extent.sparse:
            # Git takes a local path as a whole otherwise.
            yield "--no-local"
        if extent.sparse:
            # The contents of files that are left out stay at the remote, where that can be.
            yield "--filter=blob:none"
            for key in SETTINGS:
                yield f"--config={key}=true"

    def _deepen(self) -> None:
        """Fetch what is older, until nothing is."""
        commits = 1
        while before := self._oldest():
            branch = self._branch(self.repository)
            tracking = f"refs/remotes/origin/{branch}"
            done = self._git(
                *("fetch", "--progress"),
                f"--deepen={commits}" if self.patient else "--unshallow",
                *("--end-of-options", "origin", f"+refs/heads/{branch}:{tracking}"),
                env=self._environment(),
            )
            if not done.ok:
                raise self._failure(done)
            self._ask("update-ref", f"refs/heads/{branch}", tracking)
            self.complete += 1
            commits *= _GROWTH
            if self._oldest() == before:
                return  # the remote itself has nothing older

    def _oldest(self) -> bytes:
        """The commits whose parents are not here; nothing for a whole history."""
        file = self.repository / ".git/shallow"
        return file.read_bytes() if file.exists() else b""

    def _check_out(self) -> None:
        sparse = self._wanted.extent.sparse
        if sparse:
            file = self.repository / ".git" / FILE
            file.parent.mkdir(exist_ok=True)
            file.write_text(patterns(sparse))
        # Only where some were left out does this fetch what the files hold.
        env = self._environment() if sparse else self._local()
        done = self._git("checkout", "--progress", "--force", env=env)
        if not done.ok:
            raise self._failure(done)

    def _branch(self, repository: Path) -> str:
        """What is, or is to be, checked out there; empty where that is no branch."""
        done = self._ask("symbolic-ref", "--quiet", "--short", "HEAD", at=repository)
        return text(done).strip()

    def _failure(self, done: Completed) -> GitreloadError:
        url, branch = self._wanted.url, self._wanted.branch
        if _NO_BRANCH.search(text(done)):
            return PermanentError(
                f"there is no branch {visible(branch or '')} at {mask(visible(url))}: name one "
                "that is there, or leave --branch away for its default"
            )
        return failure(f"git {done.argv[1]}", text(done), self._place)

    def _environment(self) -> dict[str, str]:
        """For a command that speaks with the remote."""
        self._access.check_url(self._wanted.url)

        def ask(*arguments: str) -> Completed:
            return self._ask(*arguments, at=self._begun.parent)

        # Its user and password are masked here, and nobody asks for them.
        url = text(ask("ls-remote", "--get-url", self._wanted.url)).strip()
        variables, secret = speaking(self._local(), url, self._access, ask)
        return variables | secret

    def _local(self) -> dict[str, str]:
        return git_environment(os.fspath(self.repository), protocol="")

    def _ask(self, *arguments: str, at: Path | None = None) -> Completed:
        return self._git(*arguments, env=self._local(), at=at)

    def _git(self, *arguments: str, env: dict[str, str], at: Path | None = None) -> Completed:
        return self._runner.run(
            ["git", *arguments],
            cwd=os.fspath(at or self.repository),
            env=env,
            timeout=_LONGEST_SECONDS,
            quiet=True,
            progress=self._progress,
            secrets=secrets_in(env),
        )
