"""What a checkout follows at its remote: a branch, or the newest of the tags with a pattern."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gitreload.git import fetching
from gitreload.git.commands import Git
from gitreload.model import Checkout
from gitreload.refs import HEADS, TAGS, newest
from gitreload.visible import visible


@dataclass(frozen=True, slots=True)
class Tip:
    """The commit that a checkout has to be at, and the tag that leads there, if it is one."""

    revision: str
    tag: str | None = None


def listed(git: Git, checkouts: Iterable[Checkout]) -> Mapping[str, str]:
    """What the remote of `git` has of all that these checkouts follow there: one `ls-remote`.

    As `ls_remote`; raises as that does.
    """
    branches, tags = set(), set()
    for checkout in checkouts:
        if checkout.tags is not None:
            tags.add(checkout.tags)
        elif checkout.follows is not None:
            branches.add(checkout.follows)
    return fetching.ls_remote(git, sorted(branches), sorted(tags))


def tip(checkout: Checkout, refs: Mapping[str, str]) -> Tip | None:
    """Where `checkout` has to be, by what is `listed`; None where the remote has nothing for it."""
    if checkout.tags is None:
        revision = refs.get(f"{HEADS}{checkout.follows}")
        return None if revision is None else Tip(revision)
    names = (ref.removeprefix(TAGS) for ref in refs if ref.startswith(TAGS))
    tag = newest(names, checkout.tags)
    if tag is None:
        return None
    ref = f"{TAGS}{tag}"
    return Tip(refs.get(f"{ref}^{{}}", refs[ref]), tag)


def on_newest_tag(git: Git, wanted: str | None) -> tuple[Git, str | None]:
    """`git` for the newest of its tags; and the announced revision, None once the remote has it.

    Raises `BranchGoneError` where the remote has no such tag, and what else `ls_remote` does.
    """
    refs = listed(git, [git.checkout])
    found = tip(git.checkout, refs)
    if found is None or found.tag is None:
        raise git.gone()
    git.tell(f"the newest of the tags {visible(git.checkout.tags or '')} is {visible(found.tag)}")
    # What was announced may be an older tag, of which nothing is fetched.
    return git.fetching(found.tag), None if wanted in refs.values() else wanted
