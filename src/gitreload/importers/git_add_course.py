"""Imports with `manage.py lms git_add_course`, as gitreload always did.

The command belonged to the platform until Koa and is part of the plugin edx-sysadmin since:
https://github.com/mitodl/open-edx-plugins/tree/main/src/edx_sysadmin (git_import.py).
"""

from __future__ import annotations

import re
from pathlib import Path

from gitreload.git.settings import configuration
from gitreload.importers import Source
from gitreload.importers.digests import digest
from gitreload.importers.evidence import Evidence
from gitreload.importers.failures import failure
from gitreload.importers.manage import Manage
from gitreload.model import Checkout, Imported, PermanentError
from gitreload.process import Runner
from gitreload.settings import Settings

_USERINFO = re.compile(r"(?<=://)[^/]*@")

_OTHER_STYLE = {"option": "positional", "positional": "option"}


class GitAddCourse:
    """The importer `git_add_course`."""

    name = "git_add_course"
    needs_course = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._manage = Manage(settings, "lms")

    def check(self) -> None:
        """See `Importer`."""
        self._manage.check()

    def settings_digest(self, checkout: Checkout) -> str:
        """See `Importer`. The arguments stand for the settings that are part of them."""
        settings = self._settings
        return digest(
            self._arguments(checkout),
            self._manage.decides,
            settings.evidence,
            settings.repo(checkout.directory).course_key,
        )

    def accept(self, source: Source) -> None:
        """See `Importer`. The command imports the checkout itself, as it lies below REPODIR."""
        checkout = source.checkout
        if source.folder != Path(checkout.path):
            name = checkout.directory
            raise PermanentError(
                f"git_add_course imports the checkout itself, and not what BUILD makes of it: set "
                f'REPOS.{name}.IMPORTER to "cms_import", or take REPOS.{name}.BUILD out'
            )
        if source.course is None or source.course.root != ".":
            raise PermanentError(
                f"git_add_course needs course.xml at the top of the repository, and that of "
                f"{checkout.directory} has it in {source.root.relative_to(source.folder)}: set "
                f'REPOS.{checkout.directory}.IMPORTER to "cms_import", or move the course up'
            )
        self._check_checkout(checkout)

    def run(self, source: Source, runner: Runner) -> Imported:
        """See `Importer`."""
        checkout = source.checkout
        assert source.course is not None, "it was accepted"
        evidence = Evidence()
        completed = self._manage.run(
            *(self._arguments(checkout), runner, evidence),
            configuration([*_harmless_pull(checkout.branch or "").items()]),
        )
        if not completed.ok:
            raise failure(
                self.name,
                completed,
                minutes=self._settings.subprocess_timeout_minutes,
                cures=self._cures(checkout),
                detail=evidence.git_error,
            )
        if self._settings.evidence == "required":
            evidence.prove_source(checkout.path, source.revision)
            evidence.prove(source.course.key)
        return Imported(source.course.key, self.settings_digest(checkout))

    def _check_checkout(self, checkout: Checkout) -> None:
        """Refuse what the command would import wrongly, or not at all."""
        if checkout.branch is None:
            raise PermanentError(
                f"{checkout.directory} has no branch checked out, and git_add_course refuses that; "
                f"run: git -C {checkout.path} checkout BRANCH"
            )
        if _top_name(checkout) is None:
            raise PermanentError(
                f"git_add_course would look for {checkout.directory} as "
                f"{Path(checkout.directory).name}, right below its GIT_REPO_DIR; give it a name "
                f"of its own there: ln -s {checkout.directory} {self._settings.repodir}/NAME"
            )
        origin = checkout.origin or ""
        if origin.startswith("-") or not (
            origin.endswith(".git") or origin.startswith(("http:", "https:", "git:", "file:"))
        ):
            raise PermanentError(
                "git_add_course takes only an origin that ends in .git or starts with http:, "
                f"https:, git: or file:, and that of {checkout.directory} does not; "
                f"run: git -C {checkout.path} remote set-url origin URL.git"
            )

    def _arguments(self, checkout: Checkout) -> list[str]:
        settings = self._settings
        # The command's own pull reads the checkout itself, so credentials are of no use to it.
        url = _USERINFO.sub("", checkout.origin or "")
        name = _top_name(checkout) or checkout.directory
        positional = settings.git_add_course_style == "positional"
        directory = [name] if positional else ["--directory_path", f"{settings.repodir}/{name}"]
        return ["git_add_course", url, *directory]

    def _cures(self, checkout: Checkout) -> dict[str, str]:
        style = _OTHER_STYLE[self._settings.git_add_course_style]
        name = re.escape(_top_name(checkout) or checkout.directory)
        elsewhere = (
            f"the platform looks for {checkout.directory} in another place: its setting "
            f"GIT_REPO_DIR must name the same directory as REPODIR, {self._settings.repodir}"
        )
        return {
            "unrecognized arguments|no such option": "this platform takes the directory in another "
            f'way: set GIT_ADD_COURSE_STYLE to "{style}"',
            "Unknown command": "the platform has no git_add_course of its own since Lilac: install "
            "the plugin edx-sysadmin into it",
            "or configure a different path with GIT_REPO_DIR": elsewhere,
            # It clones what it does not find in its GIT_REPO_DIR, by the name of the repository,
            # and then wants to enter the directory that it was told.
            "Cloning into|destination path .* already exists": elsewhere,
            rf"No such file or directory: .*/{name}'": elsewhere,
        }


def _top_name(checkout: Checkout) -> str | None:
    """A name of the checkout right below REPODIR.

    The command keeps only the last part of a path and takes it as right below its GIT_REPO_DIR.
    """
    names = (checkout.directory, *checkout.aliases)
    return next((name for name in names if "/" not in name), None)


def _harmless_pull(branch: str) -> dict[str, str]:
    """Configuration under which a plain `git pull` on `branch` finds the checkout up to date.

    It pulls from the checkout itself. `branch.<name>.merge` adds to what the file says: where that
    is another branch and exists locally too, it is merged only if nothing comes of it.
    """
    return {
        f"branch.{branch}.remote": ".",
        f"branch.{branch}.merge": f"refs/heads/{branch}",
        f"branch.{branch}.rebase": "false",
        "merge.ff": "only",
        "fetch.all": "false",
        "fetch.recurseSubmodules": "false",
        "submodule.recurse": "false",
        "protocol.file.allow": "always",
        "gc.auto": "0",
        "maintenance.auto": "false",
    }
