"""Git LFS: the contents that pointer files stand for, fetched before the files are written.

`git lfs fetch` brings them into `.git/lfs`, and git itself writes them, through a filter of our own
(`lfs_filter`). Where they come from is not left to `.lfsconfig`, which comes from whoever may push:
https://github.com/git-lfs/git-lfs/blob/main/docs/man/git-lfs-config.adoc
"""

from __future__ import annotations

import shutil
from pathlib import Path

from gitreload.git.changes import listed
from gitreload.git.commands import Git
from gitreload.git.gitmodules import host
from gitreload.git.mending import files_used
from gitreload.git.running import text
from gitreload.model import PermanentError
from gitreload.process import environment
from gitreload.remotes import mask, protocol
from gitreload.visible import visible

# In `.git` where the contents are checked out, and not the pointers.
_MARK = "gitreload-lfs"
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
_POINTER = b"version https://git-lfs.github.com/spec/"
_TRACKED = b"filter=lfs"
_SPOKEN = ("https", "ssh")


def fetch(git: Git, revision: str) -> None:
    """Fetch the contents of the files of `revision`, where the configuration wants that.

    Raises `PermanentError` where git-lfs is missing, `.lfsconfig` names another host or a content
    is gone, and what a fetch raises.
    """
    if not git.extent.lfs:
        return
    if shutil.which("git-lfs", path=environment().get("PATH")) is None:
        raise PermanentError(
            f"LFS is set for {visible(git.place.directory)}, and git-lfs is not installed for "
            f"{git.place.user}: install it (Debian, Ubuntu: apt-get install git-lfs), or take LFS "
            "out of the configuration"
        )
    url = _url(git, revision)
    git.check(git.configured((("lfs.url", url),)).ask_remote("lfs", "fetch", "origin", revision))


def switches(git: Git) -> bool:
    """Whether contents take the places of pointers now, or the other way round."""
    return (git.files.own / _MARK).exists() != git.extent.lfs


def switch(git: Git) -> None:
    """Have the next reset write all files anew, if `switches`."""
    if not switches(git):
        return
    with files_used(git.place):
        (git.files.own / "index").unlink(missing_ok=True)
        if git.extent.lfs:
            (git.files.own / _MARK).touch()
        else:
            (git.files.own / _MARK).unlink()


def tell_pointers(git: Git) -> None:
    """Note which files are pointers only, where there are some."""
    top = Path(git.checkout.path)
    attributes = top / ".gitattributes"
    if git.extent.lfs or attributes.is_symlink() or not attributes.is_file():
        return
    with files_used(git.place):
        if _TRACKED not in attributes.read_bytes():
            return
    done = git.run("ls-files", "-z", "--", ":(top,attr:filter=lfs)", quiet=True)
    names = [name for name in text(done).split("\0") if name]
    if names and _is_pointer(top / names[0]):
        git.notes.append(
            f"only pointers of Git LFS are checked out for {listed(names)}: to have the files "
            f"themselves, set REPOS.{visible(git.place.directory)}.LFS to true"
        )


def _is_pointer(file: Path) -> bool:
    if file.is_symlink() or not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(len(_POINTER)) == _POINTER


def _url(git: Git, revision: str) -> str:
    """Where the contents are: as somebody configured here, as `.lfsconfig` says, or at `origin`."""
    configured = text(git.run("config", "--local", "--get", "lfs.url", quiet=True)).strip()
    if configured:
        return configured
    origin = git.resolved()
    named = _named(git, revision)
    if named is None:
        if protocol(origin) not in ("https", "http"):
            return origin
        # https://github.com/git-lfs/git-lfs/blob/main/docs/api/server-discovery.md
        return f"{origin.rstrip('/').removesuffix('.git')}.git/info/lfs"
    same = host(named) is not None and host(named) == host(origin)
    if not same or protocol(named) not in (*_SPOKEN, protocol(origin)):
        raise PermanentError(
            f".lfsconfig of {visible(git.place.directory)} names {mask(visible(named))} for Git "
            "LFS, which is not at the host of its origin. If that is to be trusted, run in it: "
            "git config lfs.url URL"
        )
    return named


def _named(git: Git, revision: str) -> str | None:
    for key in ("lfs.url", "remote.origin.lfsurl"):
        blob = f"{revision}:.lfsconfig"
        done = git.run("config", "--blob", blob, "--get", key, quiet=True)
        if done.ok:
            return text(done).strip()
    return None
