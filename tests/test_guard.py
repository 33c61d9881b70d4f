"""What an import would take away from learners."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitreload.guard import Losses
from gitreload.ledger import KnownCourse
from gitreload.olx.report import Course

KEYS = st.sampled_from(["Org/a/run", "Org/b/run", "Org/c/run"])
IDENTIFIERS = st.frozensets(
    st.sampled_from(["html/one", "html/two", "problem/one", "vertical/x", "video/y", "lti/z"])
)


def known(courses: dict[str, frozenset[str]]) -> dict[str, KnownCourse]:
    return {key: KnownCourse(key, "a" * 40, "s", ids) for key, ids in courses.items()}


def now(courses: dict[str, frozenset[str]]) -> list[Course]:
    return [Course(".", key, ids) for key, ids in courses.items()]


@given(before=st.dictionaries(KEYS, IDENTIFIERS), after=st.dictionaries(KEYS, IDENTIFIERS))
def test_all_that_was_there_is_there_or_told(
    before: dict[str, frozenset[str]], after: dict[str, frozenset[str]]
) -> None:
    losses = Losses.of(known(before), now(after))
    for key, identifiers in before.items():
        if key not in after:
            assert key in losses.keys
        else:
            assert identifiers - after[key] == frozenset(losses.identifiers.get(key, ()))
    assert set(losses.keys) == before.keys() - after.keys()
    assert bool(losses) == bool(losses.lines())


@given(ids=IDENTIFIERS, more=IDENTIFIERS)
def test_what_is_added_is_no_loss(ids: frozenset[str], more: frozenset[str]) -> None:
    assert not Losses.of(known({"Org/a/run": ids}), now({"Org/a/run": ids | more}))


def test_a_digest_stands_for_exactly_these_losses() -> None:
    before = {"Org/a/run": frozenset({"html/one", "html/two"})}
    one = Losses.of(known(before), now({"Org/a/run": frozenset({"html/one"})}))
    same = Losses.of(known(before), now({"Org/a/run": frozenset({"html/one", "html/three"})}))
    both = Losses.of(known(before), now({"Org/a/run": frozenset()}))
    assert one.digests == same.digests != both.digests


def test_in_short_the_first_ones_are_named() -> None:
    before = {"Org/a/run": frozenset(f"html/{n}" for n in range(7)), "Org/b/run": frozenset[str]()}
    told = str(Losses.of(known(before), now({"Org/a/run": frozenset()})))
    assert told == (
        "the course Org/b/run is gone; Org/a/run loses html/0, html/1, html/2, html/3, html/4 "
        "and 2 more"
    )
