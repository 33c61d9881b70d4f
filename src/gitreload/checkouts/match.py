"""What a push means for the checkouts that are here. No file is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from gitreload.model import Checkout
from gitreload.refs import HEADS, TAGS, fits
from gitreload.remotes import MAX_URL, canonical, mask
from gitreload.visible import shown

MOST_REASONS = 10
MOST_NEAR = 5


@dataclass(frozen=True, slots=True)
class Match:
    """What a push means here.

    `found` are the checkouts that follow the pushed `ref`, `others` further ones of its
    repository. `near` tells, where nothing is `known`, which checkouts only have the same name: a
    sentence each, with the URL that was pushed to.
    """

    ref: str
    found: tuple[Checkout, ...] = ()
    others: tuple[Checkout, ...] = ()
    near: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the repository is cloned here at all, on whatever branch."""
        return bool(self.found or self.others)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why those that are not `found` are not touched."""
        return tuple(_reason(each, self.ref) for each in self.others[:MOST_REASONS])

    def only(self, allowed: Callable[[Checkout], bool]) -> Match:
        """What is left of it where all others must neither be touched nor told of."""
        return replace(
            self,
            found=tuple(filter(allowed, self.found)),
            others=tuple(filter(allowed, self.others)),
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A push, as far as it selects checkouts."""

    urls: tuple[str, ...]
    identities: frozenset[str]
    ref: str

    @classmethod
    def of(cls, urls: Sequence[str], ref: str) -> Wanted:
        # What is longer is no URL, and not worth remembering.
        short = tuple(url for url in urls if len(url) <= MAX_URL)
        return cls(short, _identities(short), ref)

    def near(self, named: Mapping[str, list[Checkout]]) -> tuple[str, ...]:
        """What to tell of those that may be meant: 0.2 went by the name alone."""
        misses: dict[str, str] = {}
        for url in self.urls:
            identity = canonical(url)
            for checkout in named.get(_last_part(identity), ()) if identity else ():
                misses.setdefault(checkout.path, _near_miss(checkout, mask(url), self.ref))
        return tuple(misses.values())[:MOST_NEAR]


def matches(wanted: Iterable[Wanted], checkouts: Iterable[Checkout]) -> list[Match]:
    """For each push its match among `checkouts`, still without near misses."""
    known: dict[str, list[Checkout]] = {}
    for checkout in checkouts:
        for identity in checkout.identities:
            known.setdefault(identity, []).append(checkout)
    return [_match(push, known) for push in wanted]


def by_name(checkouts: Iterable[Checkout]) -> dict[str, list[Checkout]]:
    """The checkouts that go by each name, in their directory or in a remote; not more than tell."""
    named: dict[str, list[Checkout]] = {}
    for checkout in checkouts:
        for name in {_last_part(checkout.directory), *map(_last_part, checkout.identities)}:
            same = named.setdefault(name, [])
            if len(same) < MOST_NEAR:
                same.append(checkout)
    return named


# Pushes of one repository come with the same URLs every time, in a storm thousands a second.
@lru_cache(maxsize=1024)
def _identities(urls: tuple[str, ...]) -> frozenset[str]:
    return frozenset(filter(None, map(canonical, urls)))


def _match(push: Wanted, known: Mapping[str, list[Checkout]]) -> Match:
    checkouts = {
        checkout.path: checkout
        for identity in sorted(push.identities)
        for checkout in known.get(identity, ())
    }.values()
    return Match(
        push.ref,
        found=tuple([each for each in checkouts if _follows(each, push.ref)]),
        others=tuple([each for each in checkouts if not _follows(each, push.ref)]),
    )


def ref_shown(ref: str) -> str:
    """A pushed ref, for people: a branch by its name."""
    if ref.startswith(TAGS):
        return f"the tag {shown(ref.removeprefix(TAGS))}"
    return shown(ref.removeprefix(HEADS))


def _follows(checkout: Checkout, ref: str) -> bool:
    if checkout.problem is not None:
        return False
    if checkout.tags is None:
        return ref == f"{HEADS}{checkout.follows}"
    return ref.startswith(TAGS) and fits(ref.removeprefix(TAGS), checkout.tags)


def _reason(checkout: Checkout, ref: str) -> str:
    if checkout.problem is not None:
        return checkout.problem
    return f"{shown(checkout.directory)} follows {shown(checkout.followed)}, not {ref_shown(ref)}"


def _near_miss(checkout: Checkout, url: str, ref: str) -> str:
    kind = "" if ref.startswith(TAGS) else "branch "
    missed = f"a push for {shown(url)} ({kind}{ref_shown(ref)}) reached nobody"
    if checkout.origin is None:
        return f"{missed}; {checkout.problem or f'{shown(checkout.directory)} has no remote'}"
    name = shown(checkout.directory)
    return (
        f"{missed}; {name} follows {shown(mask(checkout.origin))}; if it is the same repository, "
        f"add the pushed URL to REPOS.{name}.REMOTES"
    )


def _last_part(name: str) -> str:
    return name.rpartition("/")[2].lower()
