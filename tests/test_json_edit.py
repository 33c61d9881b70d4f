from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitreload.json_edit import drop, put

TEXT = """{
  "REPODIR": "\\u002fsrv",   "PORT": 5.0e3,
  "REPOS": {
    "a": {"CLEAN": "none"},
    "b": {}
  },
  "LAST": [1,2]
}
"""


def test_all_else_stays_as_it_is() -> None:
    assert put(TEXT, ["REPOS", "c"], {"FORGE": "github"}) == TEXT.replace(
        '"b": {}\n', '"b": {},\n    "c": {\n      "FORGE": "github"\n    }\n'
    )
    assert put(TEXT, ["REPOS", "b", "FORGE"], "gitea") == TEXT.replace(
        '"b": {}', '"b": {\n      "FORGE": "gitea"\n    }'
    )
    assert put(TEXT, ["PORT"], 1) == TEXT.replace("5.0e3", "1")
    assert drop(TEXT, ["REPOS", "b"]) == TEXT.replace(',\n    "b": {}', "")
    assert drop(TEXT, ["REPOS", "a"]) == TEXT.replace('"a": {"CLEAN": "none"},\n    ', "")
    assert drop(TEXT, ["REPOS", "a", "CLEAN"]) == TEXT.replace('{"CLEAN": "none"}', "{}")
    assert drop(TEXT, ["NONE", "a"]) == drop(TEXT, ["REPOS", "z"]) == TEXT


@pytest.mark.parametrize("text", ["{}", " {\n}\n", '{"REPOS": {}}', '{"REPOS":{ }}'])
def test_what_is_missing_on_the_way_is_made(text: str) -> None:
    assert json.loads(put(text, ["REPOS", "a", "TOKEN"], "x")) == {"REPOS": {"a": {"TOKEN": "x"}}}


def test_what_is_no_object_is_not_entered() -> None:
    with pytest.raises(TypeError, match=r"REPOS\.a is no object"):
        put('{"REPOS": {"a": 1}}', ["REPOS", "a", "b", "c"], 1)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
objects = st.dictionaries(st.text(max_size=3), values, max_size=4)


@given(
    outer=objects,
    inner=objects,
    key=st.text(max_size=3),
    value=values,
    indent=st.sampled_from([None, 1, 4, "\t"]),
)
def test_any_object_is_changed_in_one_place(
    outer: dict[str, Any], inner: dict[str, Any], key: str, value: Any, indent: int | str | None
) -> None:
    document = {**outer, "REPOS": inner}
    text = json.dumps(document, indent=indent)
    changed = put(text, ["REPOS", key], value)
    assert list(json.loads(changed).items()) == list(
        {**document, "REPOS": {**inner, key: value}}.items()
    )
    expected = {name: each for name, each in inner.items() if name != key}
    assert json.loads(drop(changed, ["REPOS", key])) == {**document, "REPOS": expected}
