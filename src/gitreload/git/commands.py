"""The git commands for one checkout, each with what mends it and what its failure means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from gitreload.git.errors import Place, failure
from gitreload.git.files import REVISION, BrokenRefError, GitFiles, OnlyGitKnowsError
from gitreload.git.settings import git_environment, with_own_index, with_patient_ssh
from gitreload.model import Checkout, PermanentError, TransientError
from gitreload.process import Completed, Runner, proc, user_name
from gitreload.remotes import mask, protocol
from gitreload.visible import visible

Clean = Literal["none", "untracked", "ignored"]
"""What an update removes, besides the changes of tracked files."""

# Every git command opens all of them.
MOST_PACKS = 10

_CLEAN = {"untracked": ["-ffd"], "ignored": ["-ffdx"]}
_STATUS = {
    "none": ["--untracked-files=no"],
    "untracked": ["--untracked-files=normal"],
    "ignored": ["--untracked-files=normal", "--ignored"],
}
# Nothing that `remote.origin.*` says besides the URL has a say in what is fetched.
_FETCH = (
    "--quiet",
    "--refmap=",
    "--no-tags",
    "--no-recurse-submodules",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--no-show-forced-updates",
    "--end-of-options",
)

# Such remotes name a program or a descriptor to speak with: https://git-scm.com/docs/git-remote-ext
_PROGRAMS = frozenset({"ext", "fd"})

# https://git-scm.com/docs/git-check-ref-format; what it allows is safe in a refspec and as a path.
_BRANCH = re.compile(
    r"(?!.*(?:\.\.|//|@\{|/\.|\.lock(?:/|$)))(?![./])[^\x00-\x20\x7f~^:?*\[\\]+(?<![./])"
)

_REFUSED = re.compile(r"transport '(.*)' not allowed")
_LOCKED = re.compile(r"\.lock': File exists")
_CONFLICTING = re.compile(r"cannot lock ref 'refs/remotes/")
_BROKEN_INDEX = re.compile(
    r"index file (?:corrupt|smaller than expected)|bad (?:signature 0x|index file|index version)"
    r"|unordered stage entries|unknown index entry format|malformed name field in the index"
)


class Git:
    """The git commands for one checkout.

    `local` is the ref that is checked out, `tracking` what we know of the remote's branch. What is
    mended on the way is told in `notes`.
    """

    def __init__(self, checkout: Checkout, runner: Runner, *, timeout: float) -> None:
        """Raises `PermanentError` where it follows no branch of a remote."""
        if checkout.branch is None or checkout.follows is None or checkout.origin is None:
            raise PermanentError(
                checkout.problem
                or f"{visible(checkout.directory)} follows no branch of a remote; run in it: "
                "git switch BRANCH"
            )
        if not _BRANCH.fullmatch(checkout.follows):
            raise PermanentError(
                f"{visible(checkout.follows)!r}, which {visible(checkout.directory)} follows, is "
                f"no name of a branch; run in it: git branch --set-upstream-to=origin/BRANCH"
            )
        self.local = f"refs/heads/{checkout.branch}"
        self.tracking = f"refs/remotes/origin/{checkout.follows}"
        self.notes: list[str] = []
        self._remote = f"refs/heads/{checkout.follows}"
        self._runner = runner
        self._timeout = timeout
        self._path = checkout.path
        self._place = Place(
            directory=checkout.directory,
            path=checkout.path,
            url=checkout.origin,
            branch=checkout.follows,
            user=user_name(),
        )
        self._variables = git_environment(checkout.path, protocol="")
        with self._files_read():
            self._files = GitFiles.of(checkout.path)

    def check_branch(self) -> None:
        """Raise an error unless `HEAD` names the branch that it named when we were told of it."""
        name = self._head()
        if name is None:
            raise PermanentError(
                f"{visible(self._place.directory)} has a detached HEAD and so follows no branch; "
                "run in it: git switch BRANCH"
            )
        if name != self.local:
            raise TransientError(
                f"somebody checks out another branch in {visible(self._place.directory)}, "
                f"{visible(name)}"
            )

    def revision(self, ref: str) -> str | None:
        """What a full ref name leads to; None where there is no such ref."""
        with self._files_read():
            try:
                return self._files.revision(ref)
            except OnlyGitKnowsError:
                pass
            except BrokenRefError as broken:
                broken.file.unlink()
                self.notes.append(f"removed {ref}, which was corrupt; it is made anew")
                return None
        done = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", ref, quiet=True)
        found = _text(done).strip()
        return found if done.ok and REVISION.fullmatch(found) else None

    def fetch(self) -> None:
        """Fetch the followed branch, and nothing else, into `tracking`."""
        url = self._place.url
        self._runner.log(f"fetching {self._place.branch} from {mask(url)}")
        self._speak(protocol(url))
        command = ("fetch", *_FETCH, "origin", f"+{self._remote}:{self.tracking}")
        done = self._run(*command)
        if _REFUSED.search(_text(done)) and self._speak_as_resolved():
            done = self._run(*command)
        if _CONFLICTING.search(_text(done)) and self._drop_conflicting():
            done = self._run(*command)
        self._check(done)

    def reset(self, revision: str) -> None:
        """Make the branch, the index and all tracked files those of `revision`."""
        self._check(self._run("reset", "--hard", "--quiet", revision))

    def clean(self, policy: Clean) -> None:
        """Remove what is not tracked, as far as `policy` says; clones within it too."""
        if policy in _CLEAN:
            self._check(self._run("clean", *_CLEAN[policy]))

    def write(self, revision: str, folder: Path, index: Path) -> None:
        """Make the files in `folder` those of `revision`, and `index` theirs.

        What `index` says of files that are there already, and look as it says, is believed.
        """
        variables = with_own_index(self._variables, folder, index)
        command = ("read-tree", "--reset", "-u", "--no-recurse-submodules", revision)
        self._check(self._run_once(command, quiet=False, variables=variables))

    def is_clean(self, policy: Clean) -> bool:
        """Whether index and files are those of `HEAD`, and nothing is there that `clean` removes.

        Submodules are left alone, so whatever is in them does not count.
        """
        options = ("--porcelain", "--ignore-submodules=all", *_STATUS[policy])
        done = self._run("status", *options, quiet=True)
        self._check(done)
        return not done.output

    def is_ancestor(self, revision: str, of: str) -> bool:
        """Whether `revision` is in the history of `of`; False for one that is not known here."""
        done = self._run("merge-base", "--is-ancestor", revision, of, quiet=True)
        return done.ok

    def join_packs(self) -> None:
        """Join the small packs that fetches left, once there are many of them.

        Each fetch adds one, and git's own housekeeping, which takes its time, is off. What goes
        wrong here is told, and changes nothing for the update.
        """
        with self._files_read():
            if self._files.packs() <= MOST_PACKS:
                return
        try:
            self._check(self._run("repack", "--geometric=2", "-d", "-l", "-q"))
        except (TransientError, PermanentError) as error:
            self.notes.append(f"the packs could not be joined: {error}")

    def abandon_unfinished(self) -> bool:
        """End a merge, rebase, cherry-pick, … that was begun and left; whether there was one."""
        with self._files_read():
            names = self._files.unfinished()
            detached = self._files.detached() if names else False
        if not names:
            return False
        self._refuse_if_busy("there is an unfinished " + " and ".join(names))
        if detached:
            self._check(self._run("symbolic-ref", "HEAD", self.local))
        with self._files_read():
            self._files.forget_unfinished()
        self.notes.append(f"abandoned an unfinished {' and '.join(names)}")
        return True

    def remove_stale_locks(self, *, deep: bool = False) -> bool:
        """Remove lock files that nobody holds; whether there were any.

        Raises `TransientError` while a git command works in the checkout.
        """
        with self._files_read():
            locks = self._files.locks(deep=deep)
        if not locks:
            return False
        self._refuse_if_busy(f"the lock {locks[0].name} is held")
        with self._files_read():
            for lock in locks:
                lock.unlink(missing_ok=True)
                self.notes.append(
                    f"removed the stale lock {lock.name} (no process works in this checkout)"
                )
        return True

    def _head(self) -> str | None:
        with self._files_read():
            try:
                return self._files.head()
            except OnlyGitKnowsError:
                pass
        done = self._run("symbolic-ref", "--quiet", "HEAD", quiet=True)
        if done.exit_code == 1:
            return None
        self._check(done)
        return _text(done).strip()

    def _speak(self, wanted: str) -> None:
        """Allow the protocol `wanted`, and no other."""
        if wanted in _PROGRAMS:
            raise PermanentError(
                f"the remote of {visible(self._place.directory)} starts a program ({wanted}::), "
                f"which is never done; run in it: git remote set-url origin URL"
            )
        self._variables = git_environment(self._path, protocol=wanted)
        if wanted == "ssh":
            own = self._run("config", "--get", "core.sshCommand", quiet=True)
            if not own.ok:
                self._variables = with_patient_ssh(self._variables)

    def _speak_as_resolved(self) -> bool:
        """Allow what `insteadOf` makes of the remote's URL; whether that is another protocol."""
        done = self._run("ls-remote", "--get-url", "origin", quiet=True)
        resolved = protocol(_text(done).strip())
        if not done.ok or resolved == protocol(self._place.url):
            return False
        self._speak(resolved)
        return True

    def _drop_conflicting(self) -> bool:
        """Remove remote-tracking refs that keep ours from being made; whether there were any.

        The remote had a branch `a`, and now has `a/b`, or the other way round.
        """
        done = self._run("for-each-ref", "--format=%(refname)", "refs/remotes/origin", quiet=True)
        own = self.tracking
        conflicting = [
            ref
            for ref in _text(done).splitlines()
            if own.startswith(f"{ref}/") or ref.startswith(f"{own}/")
        ]
        for ref in conflicting:
            self._check(self._run("update-ref", "--no-deref", "-d", ref))
            self.notes.append(f"removed {ref}, which the remote cannot have any more")
        return bool(conflicting)

    def _refuse_if_busy(self, what: str) -> None:
        places = [self._path, str(self._files.own.resolve()), str(self._files.common.resolve())]
        busy = proc.git_at_work(places)
        if busy is not None:
            command = mask(visible(busy.command()))
            raise TransientError(
                f"{visible(self._place.directory)} is busy, {what}: process {busy.pid} "
                f"({command}) works in it"
            )

    def _run(self, *arguments: str, quiet: bool = False) -> Completed:
        """Run a git command; once more where what kept it from running could be mended."""
        done = self._run_once(arguments, quiet=quiet)
        if not done.ok and self._mend(_text(done)):
            done = self._run_once(arguments, quiet=quiet)
        return done

    def _run_once(
        self, arguments: Sequence[str], *, quiet: bool, variables: dict[str, str] | None = None
    ) -> Completed:
        done = self._runner.run(
            ["git", *arguments],
            cwd=self._path,
            env=variables or self._variables,
            timeout=self._timeout,
            quiet=quiet,
        )
        if done.timed_out:
            raise TransientError(
                f"git {arguments[0]} took longer than {self._timeout:g} s "
                f"(GIT_TIMEOUT_SECONDS) in {visible(self._place.directory)} and was ended; its "
                f"remote is {mask(visible(self._place.url))}"
            )
        if done.signal is not None:
            raise TransientError(
                f"git {arguments[0]} was ended by signal {done.signal} in "
                f"{visible(self._place.directory)}; perhaps memory ran out"
            )
        return done

    def _mend(self, output: str) -> bool:
        if _LOCKED.search(output):
            return self.remove_stale_locks(deep=True)
        index = self._files.own / "index"
        if _BROKEN_INDEX.search(output) and index.exists():
            with self._files_read():
                index.unlink()
            self.notes.append("removed the index, which was corrupt; git makes it anew")
            return True
        return False

    def _check(self, done: Completed) -> None:
        if not done.ok:
            raise failure(f"git {done.argv[1]}", _text(done), self._place)

    @contextmanager
    def _files_read(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = f"{error.filename or Path(self._path, '.git')}: {error.strerror}"
            if isinstance(error, FileNotFoundError):
                what = f"not a git repository: {what}"
            raise failure("reading .git", what, self._place) from error


def _text(done: Completed) -> str:
    return done.output.decode("utf-8", "surrogateescape")
