"""Forgejo, Codeberg among others: https://forgejo.org/docs/latest/user/webhooks/"""

from __future__ import annotations

from gitreload.forges.family import Family

FORGE = Family("Forgejo", "Gitea", "Gogs")
