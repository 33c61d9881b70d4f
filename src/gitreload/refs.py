"""Names of branches and tags: which git allows, which a pattern means, which version is newest.

Pure: names in, names out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache

HEADS = "refs/heads/"
TAGS = "refs/tags/"
# What we know of the branches of the remote.
TRACKING = "refs/remotes/origin/"

# https://git-scm.com/docs/git-check-ref-format; what it allows is safe in a refspec and as a path.
NAME = re.compile(
    r"(?!.*(?:\.\.|//|@\{|/\.|\.lock(?:/|$)))(?![./])[^\x00-\x20\x7f~^:?*\[\\]+(?<![./])"
)

# What comes before the release that it is named after. A single letter counts with a number only
# (`1.0b2`, as Python writes it): `1.0.2a` is what others call the release after 1.0.2.
_PRE_RELEASE = r"(?:alpha|beta|dev|milestone|pre|preview|rc|snapshot)(?![a-z])|[ab](?=[0-9])"
_PARTS = re.compile(
    rf"(?<=[0-9])[-._~]?(?P<before>{_PRE_RELEASE})|(?P<number>[0-9]+)|[a-z]+|[^a-z0-9]+"
)

_Part = tuple[int, int, str]
# A pre-release is older than the name without it, which is older than what goes on in other ways.
_END: _Part = (1, 0, "")


def is_pattern(text: str) -> bool:
    """Whether `text` can be a pattern of tags: a name in which `*` and `?` may stand."""
    return bool(NAME.fullmatch(re.sub(r"[*?]", "x", text))) and not text.startswith("refs/")


def fits(tag: str, pattern: str) -> bool:
    """Whether `tag` is a name that git allows, and the pattern means it; `*` is any text."""
    return fnmatchcase(tag, pattern) and NAME.fullmatch(tag) is not None


def newest(tags: Iterable[str], pattern: str) -> str | None:
    """Of the `tags` that fit the pattern, the one of the newest version; None where none fits.

    Numbers count as numbers (v1.9 < v1.10), and pre-releases come before their release
    (v2.0-rc1 < v2.0 < v2.0.1).
    """
    return max((tag for tag in tags if fits(tag, pattern)), key=_version, default=None)


@lru_cache(maxsize=4096)
def _version(tag: str) -> tuple[list[_Part], str]:
    """What tags are sorted by."""
    parts: list[_Part] = []
    for found in _PARTS.finditer(tag.lower()):
        if found["before"]:
            parts.append((0, 0, found["before"]))
        elif found["number"]:
            # Not as an int, which Python makes of some thousand digits only.
            digits = found["number"].lstrip("0")
            parts.append((2, len(digits), digits))
        else:
            parts.append((3, 0, found[0]))
    return [*parts, _END], tag
