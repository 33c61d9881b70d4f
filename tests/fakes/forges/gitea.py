"""Gitea: https://docs.gitea.com/usage/webhooks

It sends the headers of Gogs and GitHub too:
https://github.com/go-gitea/gitea/blob/main/services/webhook/deliver.go
"""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from fakes.forges.gogs import Gogs
from fakes.forges.sender import Request, Sender, digest


class Gitea(Gogs):
    forge = "gitea"
    brands: tuple[str, ...] = ("Gitea", "Gogs", "GitHub")
    identity = "gitea.example.org/org/course"
    keeps_id = False  # what is replayed is a new task

    def again(self, request: Request) -> Request:
        number = str(uuid.uuid4())
        changed = {f"X-{brand}-Delivery": number for brand in self.brands}
        return Request({**request.headers, **changed}, request.body)

    def _proof(self, body: bytes) -> dict[str, str]:
        signed = {f"X-{brand}-Signature": digest(body) for brand in self.brands[:-1]}
        return signed | {
            "X-Hub-Signature": "sha1=2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
            "X-Hub-Signature-256": f"sha256={digest(body)}",
            "X-GitHub-Event-Type": "push",
        }


class GiteaForm(Gitea):
    """Signed is the JSON, not the form that carries it."""

    kind = "form"

    def _sent(self, event: str, payload: dict[str, Any]) -> Request:
        request = super()._sent(event, payload)
        form = Request(request.headers, urlencode({"payload": request.body}).encode())
        return form.with_headers(Content_Type="application/x-www-form-urlencoded")


SENDERS: tuple[Sender, ...] = (Gitea(), GiteaForm())
