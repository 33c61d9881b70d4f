"""Every hostile input gets the contract's answer, and leaves the server as it was.

What must hold besides is in `Target`: memory, log and files are looked at after each attack.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gitreload.visible import visible
from hostile import authentication, bodies, http, identities, strangers
from hostile.cases import Case
from hostile.target import FIELDS, Target
from hostile.wire import Reply

# One after the other, so that it is known which of them does harm.
ALONE = (*authentication.CASES, *http.CASES, *bodies.CASES)
# Those that reach nothing wait for a look at REPODIR, of which there is one a second.
TOGETHER = (*bodies.TEXTS, *identities.CASES)
LONGEST_ANSWER = 4096


@pytest.mark.parametrize("case", ALONE, ids=str)
def test_hostile_input(target: Target, case: Case) -> None:
    recorded = target.deliveries()
    replies = target.attack(case)
    check(target, case, replies)
    answered = {reply.json["delivery"] for reply in replies if not case.plain} - {None}
    assert target.deliveries() - recorded == len(answered)


@pytest.fixture(scope="package")
def replies(target: Target) -> dict[str, list[Reply]]:
    return target.attack_together(TOGETHER)


@pytest.mark.parametrize("case", TOGETHER, ids=str)
def test_genuine_but_hostile(target: Target, replies: dict[str, list[Reply]], case: Case) -> None:
    check(target, case, replies[case.name])


@pytest.mark.parametrize("case", strangers.CASES, ids=str)
def test_strangers(closed: Target, case: Case) -> None:
    check(closed, case, closed.attack(case))


def check(target: Target, case: Case, replies: Sequence[Reply]) -> None:
    assert tuple(reply.status for reply in replies) == case.statuses, replies
    assert target.jobs(replies) == case.jobs
    if case.plain:
        return
    for reply in replies:
        assert set(reply.json) == FIELDS
    said = replies[-1].json["msg"]
    assert case.says in said
    assert len(said) <= LONGEST_ANSWER
    assert said == visible(said)


def test_there_are_forty_for_each_section_and_no_two_are_the_same() -> None:
    names = [case.name for case in (*ALONE, *TOGETHER, *strangers.CASES)]
    assert len(set(names)) == len(names)
    assert len(authentication.CASES) >= 40
    assert len((*http.CASES, *bodies.CASES, *bodies.TEXTS)) >= 40
    assert len(identities.CASES) >= 40
