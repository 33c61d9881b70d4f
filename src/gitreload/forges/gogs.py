"""Gogs: https://gogs.io/docs/features/webhook

Versions before 0.9 sign nothing, but have the secret in the body.
"""

from __future__ import annotations

from gitreload.forges.family import Family

FORGE = Family("Gogs", hub=False, body_secret=True)
