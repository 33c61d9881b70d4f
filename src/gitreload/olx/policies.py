"""Checks a course's policies, which the platform drops without a word where it cannot read them.

See load_policy in https://github.com/openedx/openedx-platform/blob/master/xmodule/modulestore/xml.py
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable
from typing import Any

from gitreload.olx.findings import Broken, Findings
from gitreload.olx.texts import place_after, read_json
from gitreload.olx.tree import Tree
from gitreload.visible import shown

_POLICY = "policy.json"
_OBJECTS = (_POLICY, "grading_policy.json", "assets.json")


def check_policies(tree: Tree, names: Iterable[str], findings: Findings) -> None:
    """Tell what is wrong with the files `names`."""
    for name in names:
        try:
            _check(tree, name)
        except Broken as broken:
            findings.add(broken.finding(name))


def _check(tree: Tree, name: str) -> None:
    with tree.open(name) as source:
        value, text = read_json(source)
    file = posixpath.basename(name)
    if file in _OBJECTS and not isinstance(value, dict):
        place = place_after(text[: len(text) - len(text.lstrip())])
        raise Broken("must be an object: { … }", *place)
    if file == _POLICY:
        _check_blocks(value, text)


def _check_blocks(policy: dict[str, Any], text: str) -> None:
    """That what a policy says of a block can be merged into what the block says itself."""
    for key, value in policy.items():
        if not isinstance(value, dict):
            place = place_after(text[: max(text.find(json.dumps(key)), 0)])
            raise Broken(f"what it says of {shown(key)!r} must be an object: {{ … }}", *place)
