"""Names of tags: what a pattern means, and which version is the newest."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitreload.refs import NAME, fits, is_pattern, newest

OLD_TO_NEW = (
    *("2024-05", "2024-05-01", "2024-10-01", "V1", "v1.0-alpha", "v1.0-alpha.1", "v1.0-beta2"),
    *("v1.0-rc1", "v1.0-rc2", "v1.0-RC10", "v1.0", "v1.0-hotfix", "v1.0.1", "v1.0.2", "v1.0.2a"),
    *("v1.2b1", "v1.2", "v1.2-present", "v1.9", "v1.10.dev3", "v1.10", "v2.0_pre", "v2.0"),
    f"v{'9' * 5000}",
)


@given(st.permutations(OLD_TO_NEW))
def test_versions_are_in_order(tags: list[str]) -> None:
    while tags:
        assert newest(tags, "*") == OLD_TO_NEW[len(tags) - 1]
        tags.remove(OLD_TO_NEW[len(tags) - 1])
    assert newest(tags, "*") is None


@given(st.lists(st.text(max_size=8), max_size=5))
def test_any_names_have_one_order(tags: list[str]) -> None:
    found = newest(tags, "*")
    assert found == newest(reversed(tags), "*")
    assert found is None or NAME.fullmatch(found)


@pytest.mark.parametrize(
    ("tag", "pattern", "meant"),
    [
        ("v1", "v*", True),
        ("v", "v*", True),
        ("v1/x", "v*", True),
        ("V1", "v*", False),
        ("rv1", "v*", False),
        ("v1.2", "v?.?", True),
        ("v1.2\n", "v*", False),
        ("v..", "v*", False),
        ("v1.lock", "v*", False),
        ("stable", "stable", True),
        ("stables", "stable", False),
    ],
)
def test_a_pattern_means_tags(tag: str, pattern: str, meant: bool) -> None:
    assert fits(tag, pattern) is meant


@pytest.mark.parametrize("pattern", ["v*", "*", "release/?.*", "stable", "été-*", "-v*"])
def test_these_are_patterns(pattern: str) -> None:
    assert is_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["", "v[0-9]", "a..b", "/v*", "v*/", "refs/tags/v*", "a b", "v*.lock", "v\\*", "^v*"]
)
def test_these_are_none(pattern: str) -> None:
    assert not is_pattern(pattern)


@settings(max_examples=50)
@given(st.lists(st.sampled_from([*"ab./@{~^:?*[\\-_ \x7f\x1fé", ".lock"]), max_size=6))
def test_git_allows_what_is_allowed(parts: list[str]) -> None:
    name = "".join(parts)
    if NAME.fullmatch(name):
        subprocess.run(["git", "check-ref-format", f"refs/tags/{name}"], check=True)
