"""The corpus of earlier runs, and a few new inputs made of it, keep every target's promise."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzzing.targets import CORPUS, TARGETS, Target

TOKENS = [
    b"", b"\x00", b"\xff", b"%", b'"', b"\\", b"\\u0000", b"\\ud800", b"{", b"[" * 50, b"null",
    b"-1", b"9" * 30, b"\n", b"..", b"//", b"@", b": ", b"\xe2\x80\xae", b"NaN", b"refs/heads/",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_what_was_found_stays_mended(target: Target) -> None:
    for data in [*target.seeds, *target.kept()]:
        target.check(data)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_new_inputs(target: Target) -> None:
    inputs = st.sampled_from([*target.seeds, *target.kept()])
    edits = st.lists(st.tuples(st.integers(0, 999), st.integers(0, 20), st.sampled_from(TOKENS)))

    @given(inputs, edits)
    @settings(suppress_health_check=[HealthCheck.too_slow])
    def search(data: bytes, changes: list[tuple[int, int, bytes]]) -> None:
        for place, length, token in changes:
            start = place * len(data) // 1000
            data = data[:start] + token + data[start + length :]
        target.check(data)

    search()


def test_the_corpus_is_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.rglob("*")) < 300_000
    assert {path.name for path in CORPUS.iterdir()} <= set(TARGETS)
