"""The git commands for one checkout, each with what mends it and what its failure means."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Self

from gitreload.git.access import NO_ACCESS, Access, Settings
from gitreload.git.changes import Changes, Clean
from gitreload.git.errors import BranchGoneError
from gitreload.git.extent import WHOLE, Extent
from gitreload.git.failures import gone
from gitreload.git.files import (
    REVISION,
    BrokenRefError,
    GitFiles,
    OnlyGitKnowsError,
    is_caseless,
)
from gitreload.git.mending import files_used
from gitreload.git.place import Place
from gitreload.git.running import Running, text
from gitreload.git.settings import lfs_settings
from gitreload.git.signers import Signers
from gitreload.git.space import check_space
from gitreload.model import Checkout, PermanentError, TransientError
from gitreload.process import Runner, user_name
from gitreload.refs import HEADS, NAME, TAGS, TRACKING
from gitreload.remotes import mask
from gitreload.visible import visible

# Of so many names it is found out whether they are in the way.
_MOST_NAMES = 200
_STATUS = ("--porcelain", "-z", "--no-renames", "--ignore-submodules=all")
# They would lead to hosts that nobody looked at.
_NO_REDIRECTS = (("http.followRedirects", "false"),)

# Where a clone was copied from another file system, its configuration says how it was there.
_CASELESS = (("core.ignoreCase", "true"),)


class Git(Running):
    """The git commands for one checkout.

    `local` is the ref that is checked out, `remote` the branch or tag that is followed there, by
    its full name, and `tracking` what we know of it. `caseless` tells that the files are where
    upper and lower case are the same.
    """

    def __init__(
        self,
        checkout: Checkout,
        runner: Runner,
        *,
        timeout: float,
        access: Access = NO_ACCESS,
        extent: Extent = WHOLE,
        signers: Signers | None = None,
        git_dir: Path | None = None,
        tag: str | None = None,
        reading: bool = False,
        settings: Settings = (),
        submodule: bool = False,
        notes: list[str] | None = None,
    ) -> None:
        """With `git_dir`, that is used instead of the checkout's own `.git`.

        With a `tag`, whose name git must allow, that is fetched instead of the branch. `settings`
        are git's, besides those of every command. What is mended is told in `notes`, or in a list
        of its own.

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
        self.checkout = checkout
        self.extent = extent
        self.signers = signers
        self.local = f"{HEADS}{checkout.branch}"
        self.remote = f"{HEADS}{checkout.follows}" if tag is None else f"{TAGS}{tag}"
        self.tracking = f"{TRACKING}{checkout.follows}" if tag is None else self.remote
        place = Place(
            directory=checkout.directory,
            path=checkout.path,
            url=checkout.origin,
            branch=checkout.follows,
            tag=tag,
            user=user_name(),
            ssh_key=access.ssh_key,
            token=access.token_place,
            of_app=access.app is not None,
            submodule=submodule,
        )
        with files_used(place):
            files = GitFiles(git_dir, git_dir) if git_dir else GitFiles.of(checkout.path)
            self.caseless = is_caseless(checkout.path)
        self._more = settings
        super().__init__(
            place,
            files,
            runner,
            timeout=timeout,
            access=access,
            resolved=checkout.url,
            git_dir=git_dir,
            settings=(
                *(lfs_settings(files.common) if extent.lfs else ()),
                *(_CASELESS if self.caseless else ()),
                *settings,
            ),
            reading=reading,
            notes=[] if notes is None else notes,
        )

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
            check_space(self.place.directory, self.place.path)

    def has(self, revision: str) -> bool:
        """Whether a commit is here."""
        return self.run("cat-file", "-e", f"{revision}^{{commit}}", quiet=True).ok

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
        places = (TRACKING, TAGS)
        done = self.run("for-each-ref", "--count=1", f"--contains={revision}", *places, quiet=True)
        return done.ok and bool(text(done))

    def reset(self, revision: str) -> None:
        """Make the branch, the index and all tracked files those of `revision`."""
        with files_used(self.place):
            fetches = self.files.partial()
        done = self.run("reset", "--hard", "--quiet", revision, remote=fetches)
        self.check_objects(done)

    def check_out(self, revision: str) -> None:
        """The same, on no branch."""
        done = self.run("checkout", "--quiet", "--force", "--detach", revision)
        self.check_objects(done)

    def advance(self, revision: str) -> bool:
        """Make branch, index and files those of `revision` as far as no work of somebody is lost.

        False where some would be: then nothing is changed. Else what differs now did so before. It
        takes one command and no look at the files before that.
        """
        with files_used(self.place):
            fetches = self.files.partial()
        done = self.run("reset", "--keep", "--quiet", revision, quiet=True, remote=fetches)
        if done.ok:
            self.check_objects(done)
            for line in text(done).splitlines():
                self.tell(line)
        return done.ok

    def remove_directory(self, name: str) -> None:
        """Remove a directory of the checkout with all that is in it, however deep that is."""
        self.run_program("rm", "-rf", "--", f"./{name}")

    def write(self, revision: str, folder: Path, index: Path) -> None:
        """Make the files in `folder` those of `revision`, and `index` theirs.

        What `index` says of files that are there already, and look as it says, is believed.
        """
        with files_used(self.place):
            fetches = self.files.partial()
        options = ("--reset", "-u", "--no-recurse-submodules", revision)
        done = self.run_in(folder, index, "read-tree", *options, remote=fetches)
        self.check_objects(done)

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

    def names(self, revision: str) -> list[str]:
        """The files and submodules of `revision`; of a MiB of them those in the middle lack."""
        done = self.run("ls-tree", "-r", "-z", "--name-only", revision, quiet=True)
        self.check(done)
        return [name for name in text(done).split("\0") if name]

    def in_the_way(self, changes: Changes, revision: str) -> list[str]:
        """The files of `revision` in whose places something untracked is."""
        names = [name.rstrip("/") for name in changes.untracked + changes.ignored][:_MOST_NAMES]
        if not names:
            return []
        done = self.run("ls-tree", "-r", "-z", "--name-only", revision, "--", *names, quiet=True)
        coming = [name for name in text(done).split("\0") if name]
        return changes.in_the_way(coming, lambda name: os.path.lexists(f"{self.place.path}/{name}"))

    def is_ancestor(self, revision: str, of: str) -> bool:
        """Whether `revision` is in the history of `of`; False for one that is not known here."""
        done = self.run("merge-base", "--is-ancestor", revision, of, quiet=True)
        return done.ok

    def commits_between(self, revision: str, later: str) -> int | None:
        """How many commits `later` has that `revision` has not; None where it is not here yet."""
        done = self.run("rev-list", "--count", f"{revision}..{later}", quiet=True)
        return int(text(done)) if done.ok else None

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
        return type(self)(
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
            submodule=True,
            notes=self.notes,
        )

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
        return type(self)(
            checkout,
            self._runner,
            timeout=self._timeout,
            access=self.access,
            extent=self.extent,
            signers=self.signers,
            git_dir=git_dir,
            tag=tag,
            reading=self._reading,
            settings=(*self._more, *settings),
            submodule=self.place.submodule,
            notes=self.notes,
        )

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
