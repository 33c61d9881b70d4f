"""Checks a course's policies, which the platform drops without a word where it cannot read them.

See load_policy in https://github.com/openedx/openedx-platform/blob/master/xmodule/modulestore/xml.py
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable

from gitreload.olx.findings import Broken, Findings
from gitreload.olx.texts import place_after, read_object, read_text
from gitreload.olx.tree import Tree
from gitreload.visible import shown


def check_policies(tree: Tree, names: Iterable[str], findings: Findings) -> None:
    """Tell what is wrong with the files `names`."""
    for name in names:
        try:
            _check(tree, name)
        except Broken as broken:
            findings.add(broken.finding(name))


def _check(tree: Tree, name: str) -> None:
    with tree.open(name) as source:
        policy = read_object(source)
    if posixpath.basename(name) != "policy.json":
        return
    # What it says of a block is merged into what the block says itself.
    for key, value in policy.items():
        if not isinstance(value, dict):
            with tree.open(name) as source:
                text = read_text(source)
            place = place_after(text[: max(text.find(json.dumps(key)), 0)])
            raise Broken(f"what it says of {shown(key)!r} must be an object: {{ … }}", *place)
