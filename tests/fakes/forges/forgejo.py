"""Forgejo: https://forgejo.org/docs/latest/user/webhooks/"""

from __future__ import annotations

from fakes.forges.gitea import Gitea
from fakes.forges.sender import Sender


class Forgejo(Gitea):
    forge = "forgejo"
    brands = ("Forgejo", "Gitea", "Gogs", "GitHub")
    identity = "codeberg.org/org/course"


SENDERS: tuple[Sender, ...] = (Forgejo(),)
