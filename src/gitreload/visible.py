"""Text from outside, made harmless for a terminal, a log file and a reader's eye."""

from __future__ import annotations

import re

# Controls (C0, DEL, C1), bidirectional marks and overrides, line and paragraph separators, the
# invisible byte order mark and tag characters, and surrogates, which no file can encode.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    r"""`text` on one line, with every character that acts or hides spelled out (`\x1b`, `\u202e`).

    What remains cannot move a cursor, start a line, reorder a line or fail to be encoded.
    """
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
