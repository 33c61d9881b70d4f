"""Gitea: https://docs.gitea.com/usage/webhooks"""

from __future__ import annotations

from gitreload.forges.family import Family

FORGE = Family("Gitea", "Gogs")
