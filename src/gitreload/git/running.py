"""A git command in one repository: what it may see, whom it may speak with, how it ended."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitreload.git.access import TOKEN_VARIABLE, Access, Settings, secrets_in, speaking
from gitreload.git.failures import damage, failure
from gitreload.git.files import GitFiles
from gitreload.git.mending import Mending
from gitreload.git.place import Place
from gitreload.git.settings import git_environment, with_own_index
from gitreload.model import PermanentError, TransientError
from gitreload.process import Completed, Runner
from gitreload.remotes import mask, protocol
from gitreload.visible import visible

# Such remotes name a program or a descriptor to speak with: https://git-scm.com/docs/git-remote-ext
_PROGRAMS = frozenset({"ext", "fd"})

_REFUSED = re.compile(r"transport '(.*)' not allowed")

# A remote lists its refs in a moment. One that hangs must not keep those who wait for the others,
# or a worker, for as long as a large fetch may take.
LISTING_SECONDS = 60.0

# Each mending takes away what it mends; a checkout with more of them has another trouble.
_MOST_MENDINGS = 20


class Running:
    """Runs git in the repository at `place`, whose `.git` are `files`.

    It speaks with nobody until it is asked to. What is mended on the way is told in `notes`.
    """

    def __init__(
        self,
        place: Place,
        files: GitFiles,
        runner: Runner,
        *,
        timeout: float,
        access: Access,
        resolved: str | None,
        git_dir: Path | None,
        settings: Settings,
        reading: bool,
        notes: list[str],
    ) -> None:
        """`resolved` is what `insteadOf` makes of the remote's URL, None where that is not known.

        With `git_dir`, that is used instead of the `.git` that is found at `place`. `settings` are
        git's, besides those of every command. `reading`: nothing is mended.
        """
        self.place = place
        self.files = files
        self.access = access
        self.notes = notes
        self.mending = Mending(place, files, notes)
        self._runner = runner
        self._timeout = timeout
        self._resolved = resolved
        self._git_dir = git_dir
        self._settings = settings
        self._reading = reading
        # The first is of commands that speak with nobody, the second of all once they may.
        self._local = self._in_git_dir(git_environment(place.path, protocol="", more=settings))
        self._variables = self._local
        # What only the commands that speak with the remote see besides: a filter need not know it.
        self._secret: dict[str, str] = {}

    def tell(self, line: str) -> None:
        """Write a line in the log at once; notes are written when all is done."""
        self._runner.log(line)

    def run(self, *arguments: str, quiet: bool = False, remote: bool = False) -> Completed:
        """Run a git command; again where what kept it from running could be mended.

        `remote` tells that it speaks with the remote, as an earlier one was allowed to. Raises
        `TransientError` where it was ended before it came to an end.
        """
        variables = self._variables | self._secret if remote else self._variables
        done = self._run_once(arguments, variables, quiet=quiet)
        for _ in range(0 if self._reading else _MOST_MENDINGS):
            if done.ok or not self.mending.mend(text(done)):
                break
            done = self._run_once(arguments, variables, quiet=quiet)
        return done

    def run_in(self, folder: Path, index: Path, *arguments: str, remote: bool) -> Completed:
        """Run a git command on the files in `folder`, with an `index` of theirs. It mends nothing.

        `remote` tells that it speaks with the remote. Raises as `run` and `ask_remote` do.
        """
        if remote:
            self._speak_with_remote()
        variables = self._variables | self._secret if remote else self._variables
        return self._run_once(arguments, with_own_index(variables, folder, index), quiet=False)

    def run_with(
        self, settings: Settings, variables: Mapping[str, str], *arguments: str
    ) -> Completed:
        """Run a git command, quietly, with further settings and variables. It mends nothing.

        Raises as `run` does.
        """
        made = git_environment(self.place.path, protocol="", more=(*self._settings, *settings))
        return self._run_once(arguments, {**self._in_git_dir(made), **variables}, quiet=True)

    def run_program(
        self, *argv: str, adding: Mapping[str, str] | None = None, quiet: bool = False
    ) -> Completed:
        """Run another program than git there, `adding` to what git sees of the environment."""
        return self._runner.run(
            argv,
            cwd=self.place.path,
            env={**self._variables, **(adding or {})},
            timeout=self._timeout,
            quiet=quiet,
        )

    def ask_remote(self, *command: str, quiet: bool = False) -> Completed:
        """Run a command that speaks with the remote, once it may.

        Raises `PermanentError` where what is to let us in cannot be used, and as `run` does.
        """
        self._speak_with_remote()
        done = self.run(*command, quiet=quiet, remote=True)
        if _REFUSED.search(text(done)) and self._speak_as_resolved():
            done = self.run(*command, quiet=quiet, remote=True)
        if not done.ok and self.access.app is not None:
            self.access.app.forget(self._secret.get(TOKEN_VARIABLE, ""))
        return done

    def resolved(self) -> str:
        """What `insteadOf` makes of the remote's URL, its user and password masked."""
        done = self.run("ls-remote", "--get-url", "origin", quiet=True)
        return text(done).strip() if done.ok else self.place.url

    def check(self, done: Completed) -> None:
        """Raise what the failure of a command means."""
        if not done.ok:
            raise failure(f"git {done.argv[1]}", text(done), self.place)

    def check_objects(self, done: Completed) -> None:
        """The same, and `DamagedError` where git went on without what it could not read."""
        self.check(done)
        damaged = damage(text(done), self.place)
        if damaged is not None:
            raise damaged

    def _speak_with_remote(self) -> None:
        url = self.place.url
        self.access.check_url(url)
        self._speak(self.resolved() if self.access.token else self._resolved or url)

    def _speak_as_resolved(self) -> bool:
        """Allow what `insteadOf` makes of the remote's URL; whether that is another protocol."""
        resolved = self.resolved()
        if protocol(resolved) == protocol(self.place.url):
            return False
        self._speak(resolved)
        return True

    def _speak(self, url: str) -> None:
        """Allow the protocol of `url`, and no other; what lets us in goes with `_secret`."""
        wanted = protocol(url)
        if wanted in _PROGRAMS:
            raise PermanentError(
                f"the remote of {visible(self.place.directory)} starts a program ({wanted}::), "
                f"which is never done; run in it: git remote set-url origin URL"
            )
        self._variables, self._secret = speaking(self._local, url, self.access, self._ask)

    def _ask(self, *arguments: str) -> Completed:
        return self.run(*arguments, quiet=True)

    def _in_git_dir(self, variables: dict[str, str]) -> dict[str, str]:
        if self._git_dir is None:
            return variables
        return variables | {"GIT_DIR": str(self._git_dir), "GIT_WORK_TREE": self.place.path}

    def _run_once(
        self, arguments: Sequence[str], variables: Mapping[str, str], *, quiet: bool
    ) -> Completed:
        listing = arguments[0] == "ls-remote" and self._timeout > LISTING_SECONDS
        timeout = LISTING_SECONDS if listing else self._timeout
        done = self._runner.run(
            ["git", *arguments],
            cwd=self.place.path,
            env=variables,
            timeout=timeout,
            quiet=quiet,
            secrets=secrets_in(variables),
        )
        if done.timed_out:
            limit = f"{timeout:g} s{'' if listing else ' (GIT_TIMEOUT_SECONDS)'}"
            raise TransientError(
                f"git {arguments[0]} took longer than {limit} in {visible(self.place.directory)} "
                f"and was ended; its remote is {mask(visible(self.place.url))}"
            )
        if done.signal is not None:
            raise TransientError(
                f"git {arguments[0]} was ended by signal {done.signal} in "
                f"{visible(self.place.directory)}; perhaps memory ran out"
            )
        return done


def text(done: Completed) -> str:
    """What a git command said; what is not UTF-8 in it is escaped."""
    return done.output.decode("utf-8", "surrogateescape")
