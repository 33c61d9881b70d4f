"""Scratch repositories: a bare remote, its author's work tree, and clones below a REPODIR."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

COURSE = {
    "course.xml": '<course org="Bench" course="B101" url_name="run"/>\n',
    "course/run.xml": '<course display_name="A course of the benchmark"/>\n',
    "policies/run/policy.json": "{}\n",
}


def isolate(scratch: Path) -> None:
    """Let no configuration of this account decide what git does, here and in all children."""
    home = scratch / "home"
    home.mkdir(parents=True)
    os.environ.update(
        HOME=str(home),
        GIT_CONFIG_NOSYSTEM="1",
        GIT_AUTHOR_NAME="Ada Author",
        GIT_AUTHOR_EMAIL="ada@example.org",
        GIT_COMMITTER_NAME="Ada Author",
        GIT_COMMITTER_EMAIL="ada@example.org",
    )
    os.environ.pop("XDG_CONFIG_HOME", None)


def git(*arguments: str, cwd: Path, stdin: str = "") -> str:
    """Run git; its output, stripped. Raises CalledProcessError."""
    command = ["git", *arguments]
    done = subprocess.run(
        command, cwd=cwd, input=stdin, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


class Remote:
    """A bare repository with one commit on `main`, and the work tree that pushes to it."""

    def __init__(self, folder: Path, files: Mapping[str, str] | Path) -> None:
        """`files` are the first commit's: their texts by name, or an archive that holds them."""
        self.bare = folder / "remote.git"
        self.work = folder / "author"
        folder.mkdir(parents=True)
        git("init", "-q", "--template=", "--bare", "-b", "main", str(self.bare), cwd=folder)
        git("init", "-q", "--template=", "-b", "main", str(self.work), cwd=folder)
        git("remote", "add", "origin", self.url, cwd=self.work)
        if isinstance(files, Path):
            with tarfile.open(files) as archive:
                # Python before 3.11.4 has no such filter, and no argument for it.
                archive.extraction_filter = getattr(tarfile, "data_filter", None)
                archive.extractall(self.work)
            files = {}
        self.first = self.commit(files)
        self.push()

    @property
    def url(self) -> str:
        return f"file://{self.bare}"

    def commit(self, files: Mapping[str, str]) -> str:
        """Commit these texts on `main`; the new revision."""
        for name, text in files.items():
            target = self.work / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        git("add", "-A", cwd=self.work)
        git("commit", "-q", "-m", "Change the course", cwd=self.work)
        return git("rev-parse", "HEAD", cwd=self.work)

    def commit_many(self, number: int) -> list[str]:
        """So many commits on `main` in one go; their revisions, oldest first."""
        before = git("rev-parse", "HEAD", cwd=self.work)
        who = "committer Ada Author <ada@example.org> 1735689600 +0000"
        stream = "".join(
            f"commit refs/heads/main\n{who}\ndata 6\nChange\n"
            f"{'' if change else f'from {before}' + chr(10)}"
            f"M 100644 inline page.html\ndata 9\n{change:08d}\n\n"
            for change in range(number)
        )
        git("fast-import", "--quiet", cwd=self.work, stdin=stream)
        git("reset", "-q", "--hard", cwd=self.work)
        return git("rev-list", "--reverse", f"{before}..main", cwd=self.work).split()

    def push(self) -> None:
        git("push", "-q", "origin", "main", cwd=self.work)

    def clone(self, target: Path) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        git("clone", "-q", "--template=", self.url, str(target), cwd=target.parent)
        return target


def revision(checkout: Path) -> str:
    """What `main` is in this checkout: git writes it last, when the files are in place."""
    try:
        return (checkout / ".git/refs/heads/main").read_text().strip()
    except FileNotFoundError:
        return ""  # being replaced, or packed
