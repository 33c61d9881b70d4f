"""The git commands for one checkout, each with what mends it and what its failure means."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from gitreload.git.access import NO_ACCESS, TOKEN_VARIABLE, Access, Settings, secrets_in, speaking
from gitreload.git.changes import Changes, Clean
from gitreload.git.errors import BranchGoneError, Place, damage, failure, gone, moved_note
from gitreload.git.extent import WHOLE, Extent
from gitreload.git.files import REVISION, BrokenRefError, GitFiles, OnlyGitKnowsError
from gitreload.git.mending import Mending, files_used
from gitreload.git.settings import git_environment, lfs_settings, with_own_index
from gitreload.git.space import check_space
from gitreload.model import Checkout, PermanentError, TransientError
from gitreload.process import Completed, Runner, user_name
from gitreload.refs import HEADS, NAME, TAGS
from gitreload.remotes import mask, protocol
from gitreload.visible import visible

# Of so many names it is found out whether they are in the way.
_MOST_NAMES = 200
_STATUS = ("--porcelain", "-z", "--no-renames", "--ignore-submodules=all")
# Nothing that `remote.origin.*` says besides the URL has a say in what is fetched.
_FETCH = (
    "--refmap=",
    "--no-tags",
    "--no-recurse-submodules",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--show-forced-updates",
    "--end-of-options",
)

# They would lead to hosts that nobody looked at.
_NO_REDIRECTS = (("http.followRedirects", "false"),)

# Such remotes name a program or a descriptor to speak with: https://git-scm.com/docs/git-remote-ext
_PROGRAMS = frozenset({"ext", "fd"})

_REFUSED = re.compile(r"transport '(.*)' not allowed")
_TRACKING = "refs/remotes/origin/"
_CONFLICTING = re.compile(rf"cannot lock ref '(?:{_TRACKING}|{TAGS})")
_REWRITTEN = re.compile(r"^ \+ .* \(forced update\)$", re.MULTILINE)
_TAG_MOVED = re.compile(r"^ t \[tag update\]", re.MULTILINE)
_REDIRECTED = re.compile(r"^warning: redirecting to (\S+)$", re.MULTILINE)

# A remote lists its refs in a moment. One that hangs must not keep those who wait for the others,
# or a worker, for as long as a large fetch may take.
LISTING_SECONDS = 60.0

# Each mending takes away what it mends; a checkout with more of them has another trouble.
_MOST_MENDINGS = 20


class Git:
    """The git commands for one checkout.

    `local` is the ref that is checked out, `tracking` what we know of the remote's branch, or of
    its tag. What is mended on the way is told in `notes`.
    """

    def __init__(
        self,
        checkout: Checkout,
        runner: Runner,
        *,
        timeout: float,
        access: Access = NO_ACCESS,
        extent: Extent = WHOLE,
        git_dir: Path | None = None,
        tag: str | None = None,
        reading: bool = False,
        settings: Settings = (),
    ) -> None:
        """With `git_dir`, that is used instead of the checkout's own `.git`.

        With a `tag`, whose name git must allow, that is fetched instead of the branch. `settings`
        are git's, besides those of every command.

        `reading`: nothing is mended, as the caller does not hold the checkout's lock.

        Raises `PermanentError` where it follows no branch of a remote.
        """
        if checkout.branch is None or checkout.follows is None or checkout.origin is None:
            raise PermanentError(
                checkout.problem
                or f"{visible(checkout.directory)} follows no branch of a remote; run in it: "
                "git switch BRANCH"
            )
        if not NAME.fullmatch(checkout.follows):
            raise PermanentError(
                f"{visible(checkout.follows)!r}, which {visible(checkout.directory)} follows, is "
                f"no name of a branch; run in it: git branch --set-upstream-to=origin/BRANCH"
            )
        self.local = f"{HEADS}{checkout.branch}"
        self._remote = f"{HEADS}{checkout.follows}" if tag is None else f"{TAGS}{tag}"
        self.tracking = f"{_TRACKING}{checkout.follows}" if tag is None else self._remote
        self.checkout = checkout
        self.extent = extent
        self.notes: list[str] = []
        self._runner = runner
        self._reading = reading
        self._timeout = timeout
        self._path = checkout.path
        self.place = Place(
            directory=checkout.directory,
            path=checkout.path,
            url=checkout.origin,
            branch=checkout.follows,
            tag=tag,
            user=user_name(),
            ssh_key=access.ssh_key,
            token=access.token_place,
            of_app=access.app is not None,
        )
        self.access = access
        self._git_dir = git_dir
        with files_used(self.place):
            self.files = GitFiles(git_dir, git_dir) if git_dir else GitFiles.of(checkout.path)
        self._more = settings
        self._settings = (*(lfs_settings(self.files.common) if extent.lfs else ()), *settings)
        variables = git_environment(checkout.path, protocol="", more=self._settings)
        self._variables = self._in_git_dir(variables)
        # What only the commands that speak with the remote see besides: a filter need not know it.
        self._secret: dict[str, str] = {}
        self.mending = Mending(self.place, self.files, self.notes)

    def tell(self, line: str) -> None:
        """Write a line in the log at once; notes are written when all is done."""
        self._runner.log(line)

    def check_branch(self) -> None:
        """Raise an error unless `HEAD` names the branch that it named when we were told of it."""
        name = self._head()
        if name is None:
            raise PermanentError(
                f"{visible(self.place.directory)} has a detached HEAD and so follows no branch; "
                "run in it: git switch BRANCH"
            )
        if name != self.local:
            raise TransientError(
                f"somebody checks out another branch in {visible(self.place.directory)}, "
                f"{visible(name)}"
            )

    def revision(self, ref: str) -> str | None:
        """What a full ref name leads to; None where there is no such ref."""
        with files_used(self.place):
            try:
                return self.files.revision(ref)
            except OnlyGitKnowsError:
                pass
            except BrokenRefError as broken:
                if self._reading:
                    return None
                broken.file.unlink()
                self.notes.append(f"removed {ref}, which was corrupt; it is made anew")
                return None
        done = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", ref, quiet=True)
        found = text(done).strip()
        return found if done.ok and REVISION.fullmatch(found) else None

    def check_space(self) -> None:
        """Raise `TransientError` where its disk is all but full."""
        with files_used(self.place):
            check_space(self.place.directory, self._path)

    def fetch(self, *options: str) -> None:
        """Fetch the followed branch or the tag, and nothing else, into `tracking`.

        `options` say how much of its history.
        """
        place = self.place
        self._runner.log(f"fetching {place.tag or place.branch} from {mask(place.url)}")
        command = ("fetch", *options, *_FETCH, "origin", f"+{self._remote}:{self.tracking}")
        done = self.ask_remote(*command)
        if _CONFLICTING.search(text(done)) and self._drop_conflicting():
            done = self.run(*command, remote=True)
        self.check(done)
        self._check_objects(done)
        # Where the history is cut off, git takes every push for one that rewrites it.
        if self.extent.depth is None and _REWRITTEN.search(text(done)):
            self.notes.append(f"the history of {visible(place.branch)} was rewritten at the remote")
        if _TAG_MOVED.search(text(done)):
            self.notes.append(f"{place.fetched} was moved at the remote")
        if moved := _REDIRECTED.search(text(done)):
            self.notes.append(moved_note(place, moved[1].rstrip("/")))

    def fetch_of(self, *what: str, options: Sequence[str] = ()) -> Completed:
        """Fetch revisions or refspecs, and nothing else; how that ended is for the caller."""
        return self.ask_remote("fetch", *options, *_FETCH, "origin", *what)

    def has(self, revision: str) -> bool:
        """Whether a commit is here."""
        return self.run("cat-file", "-e", f"{revision}^{{commit}}", quiet=True).ok

    def listed(self, branches: Sequence[str], tags: Sequence[str]) -> dict[str, str]:
        """What these refs of the remote lead to, by their full names; without those it lacks.

        `branches` are names, and `tags` patterns. What a tag object leads to in the end has `^{}`
        after the name.
        """
        refs = [f"{HEADS}{branch}" for branch in branches]
        # All that a remote sends otherwise: the refs of every merge request.
        kinds = ["--heads"] if branches else []
        if tags:
            # Of what is too long the middle is left out: that is old tags then.
            kinds += "--tags", "--sort=-version:refname"
        for pattern in tags:
            refs += f"{TAGS}{pattern}", f"{TAGS}{pattern}^{{}}"
        done = self.ask_remote("ls-remote", *kinds, "--end-of-options", "origin", *refs, quiet=True)
        self.check(done)
        lines = [line.partition("\t") for line in text(done).splitlines()]
        return {ref: revision for revision, _, ref in lines if REVISION.fullmatch(revision)}

    def gone(self) -> BranchGoneError:
        """The remote has no such branch, or no such tag."""
        return gone(self.place, self.checkout.tags)

    def fetched(self) -> str | None:
        """The commit that `tracking` leads to; None where there is no such ref.

        Raises `PermanentError` for a tag of something else.
        """
        found = self.revision(self.tracking)
        if found is None or self.place.tag is None:
            return found
        wanted = f"{self.tracking}^{{commit}}"
        done = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", wanted, quiet=True)
        if not done.ok:
            raise PermanentError(
                f"{self.place.fetched} at {mask(visible(self.place.url))} leads to no commit, so "
                f"there is nothing to check out: remove it there, or correct "
                f"REPOS.{visible(self.place.directory)}.REF"
            )
        return text(done).strip()

    def is_as_fetched(self) -> bool:
        """Whether an update would take nothing away: no changes, no commits of its own."""
        if self.changes("untracked").matter("untracked"):
            return False
        own = self.revision(self.local)
        if own is None:
            return True
        return self.is_known(own) if self.checkout.tags else self.is_ancestor(own, self.tracking)

    def is_known(self, revision: str) -> bool:
        """Whether a branch of the remote or a tag has `revision`, as far as they were fetched."""
        places = (_TRACKING, TAGS)
        done = self.run("for-each-ref", "--count=1", f"--contains={revision}", *places, quiet=True)
        return done.ok and bool(text(done))

    def reset(self, revision: str) -> None:
        """Make the branch, the index and all tracked files those of `revision`."""
        with files_used(self.place):
            fetches = self.files.partial()
        done = self.run("reset", "--hard", "--quiet", revision, remote=fetches)
        self.check(done)
        self._check_objects(done)

    def check_out(self, revision: str) -> None:
        """The same, on no branch."""
        done = self.run("checkout", "--quiet", "--force", "--detach", revision)
        self.check(done)
        self._check_objects(done)

    def advance(self, revision: str) -> bool:
        """Make branch, index and files those of `revision` as far as no work of somebody is lost.

        False where some would be: then nothing is changed. Else what differs now did so before. It
        takes one command and no look at the files before that.
        """
        with files_used(self.place):
            fetches = self.files.partial()
        done = self.run("reset", "--keep", "--quiet", revision, quiet=True, remote=fetches)
        if done.ok:
            self._check_objects(done)
            for line in text(done).splitlines():
                self._runner.log(line)
        return done.ok

    def remove_directory(self, name: str) -> None:
        """Remove a directory of the checkout with all that is in it, however deep that is."""
        self._runner.run(
            ["rm", "-rf", "--", f"./{name}"],
            cwd=self._path,
            env=self._variables,
            timeout=self._timeout,
        )

    def write(self, revision: str, folder: Path, index: Path) -> None:
        """Make the files in `folder` those of `revision`, and `index` theirs.

        What `index` says of files that are there already, and look as it says, is believed.
        """
        with files_used(self.place):
            fetches = self.files.partial()
        if fetches:
            self._speak_with_remote()
        variables = self._variables | self._secret
        command = ("read-tree", "--reset", "-u", "--no-recurse-submodules", revision)
        done = self._run_once(command, with_own_index(variables, folder, index), quiet=False)
        self.check(done)
        self._check_objects(done)

    def changes(self, policy: Clean) -> Changes:
        """What of index and files is not that of `HEAD`; ignored files only where they matter.

        Submodules are left alone, so whatever is in them does not count.
        """
        ignored = ["--ignored"] if policy == "ignored" else []
        done = self.run("status", *_STATUS, *ignored, "--untracked-files=normal", quiet=True)
        self.check(done)
        return Changes.of(text(done))

    def has_index(self) -> bool:
        return (self.files.own / "index").exists()

    def in_the_way(self, changes: Changes, revision: str) -> list[str]:
        """The files of `revision` in whose places something untracked is."""
        names = [name.rstrip("/") for name in changes.untracked + changes.ignored][:_MOST_NAMES]
        if not names:
            return []
        done = self.run("ls-tree", "-r", "-z", "--name-only", revision, "--", *names, quiet=True)
        coming = [name for name in text(done).split("\0") if name]
        return changes.in_the_way(coming, lambda name: os.path.lexists(f"{self._path}/{name}"))

    def is_ancestor(self, revision: str, of: str) -> bool:
        """Whether `revision` is in the history of `of`; False for one that is not known here."""
        done = self.run("merge-base", "--is-ancestor", revision, of, quiet=True)
        return done.ok

    def commits_between(self, revision: str, later: str) -> int | None:
        """How many commits `later` has that `revision` has not; None where it is not here yet."""
        done = self.run("rev-list", "--count", f"{revision}..{later}", quiet=True)
        return int(text(done)) if done.ok else None

    def join_packs(self, most: int) -> None:
        """Join the small packs that fetches left, once there are more than `most`.

        Each fetch adds one, and git's own housekeeping, which takes its time, is off. What goes
        wrong here is told, and changes nothing for the update.
        """
        with files_used(self.place):
            if self.files.packs() <= most:
                return
        try:
            self.check(self.run("repack", "--geometric=2", "-d", "-l", "-q"))
        except (TransientError, PermanentError) as error:
            self.notes.append(f"the packs could not be joined: {error}")

    def following(self, branch: str) -> Self:
        """The same for another branch of the remote; the notes are common."""
        checkout = replace(self.checkout, follows=branch)
        return self._another(checkout, self._git_dir, None)

    def fetching(self, tag: str) -> Self:
        """The same for a tag of the remote, whose name git must allow; the notes are common."""
        return self._another(self.checkout, self._git_dir, tag)

    def beside(self, git_dir: Path) -> Self:
        """The same with another `.git`; the notes are common."""
        return self._another(self.checkout, git_dir, self.place.tag)

    def within(
        self,
        git_dir: Path,
        folder: Path,
        *,
        directory: str,
        url: str,
        commit: str,
        resolved: str | None = None,
        access: Access = NO_ACCESS,
    ) -> Self:
        """The same for a submodule, whose `.git` and files are in `git_dir` and `folder`.

        `directory` is what messages call it. It may be fetched from `url`, which `insteadOf` makes
        `resolved`, and from nowhere that this redirects to. The notes are common.
        """
        made = type(self)(
            Checkout(
                directory=directory,
                path=str(folder),
                origin=url,
                identities=frozenset(),
                # It follows no branch; messages name its commit instead.
                branch=commit,
                follows=commit,
                url=resolved,
            ),
            self._runner,
            timeout=self._timeout,
            access=access,
            extent=replace(self.extent, sparse=()),
            git_dir=git_dir,
            reading=self._reading,
            settings=_NO_REDIRECTS,
        )
        made.notes = self.notes
        made.mending = replace(made.mending, notes=self.notes)
        made.place = replace(made.place, submodule=True)
        return made

    def configured(self, settings: Settings) -> Self:
        """The same with further settings of git; the notes are common."""
        return self._another(self.checkout, self._git_dir, self.place.tag, settings)

    def _another(
        self,
        checkout: Checkout,
        git_dir: Path | None,
        tag: str | None,
        settings: Settings = (),
    ) -> Self:
        made = type(self)(
            checkout,
            self._runner,
            timeout=self._timeout,
            access=self.access,
            extent=self.extent,
            git_dir=git_dir,
            settings=(*self._more, *settings),
            tag=tag,
        )
        made.place = replace(made.place, submodule=self.place.submodule)
        made.notes = self.notes
        made.mending = replace(made.mending, notes=self.notes)
        return made

    def abandon_unfinished(self) -> bool:
        """End a merge, rebase, cherry-pick, … that was begun and left; whether there was one."""
        with files_used(self.place):
            names = self.files.unfinished()
            detached = self.files.detached() if names else False
        if not names:
            return False
        self.mending.refuse_if_busy("there is an unfinished " + " and ".join(names))
        if detached:
            self.check(self.run("symbolic-ref", "HEAD", self.local))
        with files_used(self.place):
            self.files.forget_unfinished()
        self.notes.append(f"abandoned an unfinished {' and '.join(names)}")
        return True

    def _head(self) -> str | None:
        with files_used(self.place):
            try:
                return self.files.head()
            except OnlyGitKnowsError:
                pass
        done = self.run("symbolic-ref", "--quiet", "HEAD", quiet=True)
        if done.exit_code == 1:
            return None
        self.check(done)
        return text(done).strip()

    def ask_remote(self, *command: str, quiet: bool = False) -> Completed:
        """Run a command that speaks with the remote, once it may."""
        self._speak_with_remote()
        done = self.run(*command, quiet=quiet, remote=True)
        if _REFUSED.search(text(done)) and self._speak_as_resolved():
            done = self.run(*command, quiet=quiet, remote=True)
        if not done.ok and self.access.app is not None:
            self.access.app.forget(self._secret.get(TOKEN_VARIABLE, ""))
        return done

    def _in_git_dir(self, variables: dict[str, str]) -> dict[str, str]:
        if self._git_dir is None:
            return variables
        return variables | {"GIT_DIR": str(self._git_dir), "GIT_WORK_TREE": self._path}

    def _speak_with_remote(self) -> None:
        url = self.place.url
        self.access.check_url(url)
        self._speak(self.resolved() if self.access.token else self.checkout.url or url)

    def _speak(self, url: str) -> None:
        """Allow the protocol of `url`, and no other; what lets us in goes with `_secret`."""
        wanted = protocol(url)
        if wanted in _PROGRAMS:
            raise PermanentError(
                f"the remote of {visible(self.place.directory)} starts a program ({wanted}::), "
                f"which is never done; run in it: git remote set-url origin URL"
            )
        made, self._secret = speaking(self._path, url, self.access, self._ask, self._settings)
        self._variables = self._in_git_dir(made)

    def _ask(self, *arguments: str) -> Completed:
        return self.run(*arguments, quiet=True)

    def resolved(self) -> str:
        """What `insteadOf` makes of the remote's URL, its user and password masked."""
        done = self.run("ls-remote", "--get-url", "origin", quiet=True)
        return text(done).strip() if done.ok else self.place.url

    def _speak_as_resolved(self) -> bool:
        """Allow what `insteadOf` makes of the remote's URL; whether that is another protocol."""
        resolved = self.resolved()
        if protocol(resolved) == protocol(self.place.url):
            return False
        self._speak(resolved)
        return True

    def _drop_conflicting(self) -> bool:
        """Remove refs of the remote that keep ours from being made; whether there were any.

        The remote had a branch or tag `a`, and now has `a/b`, or the other way round.
        """
        among = _TRACKING if self.place.tag is None else TAGS
        done = self.run("for-each-ref", "--format=%(refname)", among, quiet=True)
        own = self.tracking
        conflicting = [
            ref
            for ref in text(done).splitlines()
            if own.startswith(f"{ref}/") or ref.startswith(f"{own}/")
        ]
        for ref in conflicting:
            self.check(self.run("update-ref", "--no-deref", "-d", ref))
            self.notes.append(f"removed {ref}, which the remote cannot have any more")
        return bool(conflicting)

    def run(self, *arguments: str, quiet: bool = False, remote: bool = False) -> Completed:
        """Run a git command; again where what kept it from running could be mended.

        `remote` tells that it speaks with the remote.
        """
        variables = self._variables | self._secret if remote else self._variables
        done = self._run_once(arguments, variables, quiet=quiet)
        for _ in range(0 if self._reading else _MOST_MENDINGS):
            if done.ok or not self.mending.mend(text(done)):
                break
            done = self._run_once(arguments, variables, quiet=quiet)
        return done

    def _run_once(
        self, arguments: Sequence[str], variables: Mapping[str, str], *, quiet: bool
    ) -> Completed:
        listing = arguments[0] == "ls-remote" and self._timeout > LISTING_SECONDS
        timeout = LISTING_SECONDS if listing else self._timeout
        done = self._runner.run(
            ["git", *arguments],
            cwd=self._path,
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

    def check(self, done: Completed) -> None:
        if not done.ok:
            raise failure(f"git {done.argv[1]}", text(done), self.place)

    def _check_objects(self, done: Completed) -> None:
        """Raise `DamagedError` where git went on without what it could not read."""
        damaged = damage(text(done), self.place)
        if damaged is not None:
            raise damaged


def text(done: Completed) -> str:
    """What a git command said; what is not UTF-8 in it is escaped."""
    return done.output.decode("utf-8", "surrogateescape")
