"""Digests of what decides an import's result besides the revision."""

from __future__ import annotations

import hashlib
import json


def digest(*facts: object) -> str:
    """`facts`, which are what JSON can hold, as short hex; equal facts give equal digests."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
