"""What is fetched from the remote of a checkout, and what it is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gitreload.git.commands import Git
from gitreload.git.failures import moved_note
from gitreload.git.files import REVISION
from gitreload.git.running import text
from gitreload.process import Completed
from gitreload.refs import HEADS, TAGS, TRACKING
from gitreload.remotes import mask
from gitreload.visible import visible

# Nothing that `remote.origin.*` says besides the URL has a say in what is fetched.
_FETCH = (
    "--no-progress",
    "--refmap=",
    "--no-tags",
    "--no-recurse-submodules",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--show-forced-updates",
    "--end-of-options",
)

_CONFLICTING = re.compile(rf"cannot lock ref '(?:{TRACKING}|{TAGS})")
_REWRITTEN = re.compile(r"^ \+ .* \(forced update\)$", re.MULTILINE)
_TAG_MOVED = re.compile(r"^ t \[tag update\]", re.MULTILINE)
_REDIRECTED = re.compile(r"^warning: redirecting to (\S+)$", re.MULTILINE)


def fetch(git: Git, *options: str) -> None:
    """Fetch the followed branch or the tag, and nothing else, into `git.tracking`.

    `options` say how much of its history. Raises `PermanentError` and `TransientError`,
    `BranchGoneError` where the remote has no such branch or tag.
    """
    place = git.place
    git.tell(f"fetching {place.tag or place.branch} from {mask(place.url)}")
    command = ("fetch", *options, *_FETCH, "origin", f"+{git.remote}:{git.tracking}")
    done = git.ask_remote(*command)
    if _CONFLICTING.search(text(done)) and _drop_conflicting(git):
        done = git.run(*command, remote=True)
    git.check_objects(done)
    # Where the history is cut off, git takes every push for one that rewrites it.
    if git.extent.depth is None and _REWRITTEN.search(text(done)):
        git.notes.append(f"the history of {visible(place.branch)} was rewritten at the remote")
    if _TAG_MOVED.search(text(done)):
        git.notes.append(f"{place.fetched} was moved at the remote")
    if moved := _REDIRECTED.search(text(done)):
        git.notes.append(moved_note(place, moved[1].rstrip("/")))


def fetch_of(git: Git, *what: str, options: Sequence[str] = ()) -> Completed:
    """Fetch revisions or refspecs, and nothing else; how that ended is for the caller."""
    return git.ask_remote("fetch", *options, *_FETCH, "origin", *what)


def ls_remote(git: Git, branches: Sequence[str], tags: Sequence[str]) -> dict[str, str]:
    """What these refs of the remote lead to, by their full names; without those it lacks.

    `branches` are names, and `tags` patterns. What a tag object leads to in the end has `^{}`
    after the name. Raises `PermanentError` and `TransientError`.
    """
    refs = [f"{HEADS}{branch}" for branch in branches]
    # All that a remote sends otherwise: the refs of every merge request.
    kinds = ["--heads"] if branches else []
    if tags:
        # Of what is too long the middle is left out: that is old tags then.
        kinds += "--tags", "--sort=-version:refname"
    for pattern in tags:
        refs += f"{TAGS}{pattern}", f"{TAGS}{pattern}^{{}}"
    done = git.ask_remote("ls-remote", *kinds, "--end-of-options", "origin", *refs, quiet=True)
    git.check(done)
    lines = [line.partition("\t") for line in text(done).splitlines()]
    return {ref: revision for revision, _, ref in lines if REVISION.fullmatch(revision)}


def _drop_conflicting(git: Git) -> bool:
    """Remove refs of the remote that keep ours from being made; whether there were any.

    The remote had a branch or tag `a`, and now has `a/b`, or the other way round.
    """
    among = TRACKING if git.place.tag is None else TAGS
    done = git.run("for-each-ref", "--format=%(refname)", among, quiet=True)
    own = git.tracking
    conflicting = [
        ref
        for ref in text(done).splitlines()
        if own.startswith(f"{ref}/") or ref.startswith(f"{own}/")
    ]
    for ref in conflicting:
        git.check(git.run("update-ref", "--no-deref", "-d", ref))
        git.notes.append(f"removed {ref}, which the remote cannot have any more")
    return bool(conflicting)
