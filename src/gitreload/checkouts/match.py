"""What a push means for the checkouts that are here. No file is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from gitreload.model import Checkout
from gitreload.remotes import canonical, mask
from gitreload.visible import visible

MOST_REASONS = 10
MOST_NEAR = 5
LONGEST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Match:
    """What a push means here.

    `found` are the checkouts that follow the pushed branch. `known` tells whether the repository is
    cloned here at all, on whatever branch. `reasons` say why further checkouts of it are not
    touched. `near` tells, where nothing is `known`, which checkouts only have the same name.
    """

    found: tuple[Checkout, ...] = ()
    known: bool = False
    reasons: tuple[str, ...] = ()
    near: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A push, as far as it selects checkouts."""

    identities: frozenset[str]
    branch: str

    @classmethod
    def of(cls, urls: Sequence[str], branch: str) -> Wanted:
        return cls(frozenset(filter(None, map(canonical, urls))), branch)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(map(_last_part, self.identities))

    def near(self, told: Mapping[str, list[str]]) -> tuple[str, ...]:
        """What `near_misses` has to tell about this push."""
        misses = dict.fromkeys(miss for name in sorted(self.names) for miss in told.get(name, ()))
        return tuple(misses)[:MOST_NEAR]


def matches(wanted: Iterable[Wanted], checkouts: Iterable[Checkout]) -> list[Match]:
    """For each push its match among `checkouts`, still without near misses."""
    known: dict[str, list[Checkout]] = {}
    for checkout in checkouts:
        for identity in checkout.identities:
            known.setdefault(identity, []).append(checkout)
    return [_match(push, known) for push in wanted]


def near_misses(names: AbstractSet[str], checkouts: Iterable[Checkout]) -> dict[str, list[str]]:
    """For each name what to tell about the checkouts that have it, but another remote.

    A name is the last part of an identity, in lower case.
    """
    found: dict[str, list[str]] = {}
    for checkout in checkouts:
        own = {_last_part(checkout.directory), *map(_last_part, checkout.identities)}
        for name in own & names:
            told = found.setdefault(name, [])
            if len(told) < MOST_NEAR:
                told.append(_near_miss(checkout))
    return found


def _match(push: Wanted, known: Mapping[str, list[Checkout]]) -> Match:
    checkouts = {
        checkout.path: checkout
        for identity in sorted(push.identities)
        for checkout in known.get(identity, ())
    }.values()
    found = tuple(each for each in checkouts if _follows(each, push.branch))
    others = [each for each in checkouts if not _follows(each, push.branch)]
    return Match(
        found=found,
        known=bool(checkouts),
        reasons=tuple(_reason(each, push.branch) for each in others[:MOST_REASONS]),
    )


def _follows(checkout: Checkout, branch: str) -> bool:
    return checkout.problem is None and checkout.follows == branch


def _reason(checkout: Checkout, branch: str) -> str:
    if checkout.problem is not None:
        return checkout.problem
    follows = checkout.follows or "nothing"
    return f"{_shown(checkout.directory)} follows {_shown(follows)}, not {_shown(branch)}"


def _near_miss(checkout: Checkout) -> str:
    if checkout.origin is None:
        return checkout.problem or f"{_shown(checkout.directory)} has no remote"
    name = _shown(checkout.directory)
    remote = canonical(checkout.origin) or mask(checkout.origin)
    return (
        f"{name} follows {_shown(remote)}; if that is the same repository, add its URL to "
        f"REPOS.{name}.REMOTES"
    )


def _last_part(name: str) -> str:
    return name.rpartition("/")[2].lower()


def _shown(text: str) -> str:
    """Text that may come from anywhere, fit for a log."""
    return visible(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…")
