"""Text from outside, made harmless for a terminal, a log file and a reader's eye."""

from __future__ import annotations

import re
import shlex

LONGEST_SHOWN = 100  # characters

# Controls (C0, DEL, C1), bidirectional marks and overrides, line and paragraph separators, what has
# no width (but the joiners of scripts and emoji), tag characters, and surrogates, which no file can
# encode.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    r"""`text` on one line, with every character that acts or hides spelled out (`\x1b`, `\u202e`).

    What remains cannot move a cursor, start a line, reorder a line or fail to be encoded.
    """
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def legible(text: str) -> str:
    """`text` as `visible` has it, but its lines and tabs stay."""
    lines = text.split("\n")
    return "\n".join("\t".join(visible(cell) for cell in line.split("\t")) for line in lines)


def quoted(text: str) -> str:
    """`text` as `visible` has it, as one word to paste into a shell."""
    return visible(shlex.quote(text))


def shown(text: str) -> str:
    """`text` as `visible` has it, cut where a reader would lose the thread."""
    return visible(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…")
