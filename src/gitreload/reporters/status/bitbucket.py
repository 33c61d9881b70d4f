"""Bitbucket Cloud and Data Center. What a commit shows under a key is replaced by the next.

https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/ and
https://developer.atlassian.com/server/bitbucket/how-tos/updating-build-status-for-commits
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gitreload.model import Mark
from gitreload.reporters.status import Shown, Status

_STATES: Mapping[Mark, str] = {
    Mark.PENDING: "INPROGRESS",
    Mark.SUCCESS: "SUCCESSFUL",
    Mark.FAILURE: "FAILED",
}
# More is refused: "key: Ensure this value has at most 40 characters".
_LONGEST_KEY = 40


class BitbucketCloudStatus:
    """A token is sent as such; with the user's e-mail address and a colon before it, as both.

    https://support.atlassian.com/bitbucket-cloud/docs/using-api-tokens/
    """

    name = "Bitbucket"
    needs = "the scope repository (of an API token: read:repository:bitbucket)"
    longest = 255
    states = _STATES

    def headers(self, token: str) -> Mapping[str, str]:
        if ":" in token:
            both = base64.b64encode(token.encode()).decode()
            return {"Authorization": f"Basic {both}"}
        return {"Authorization": f"Bearer {token}"}

    def place(self, status: Status) -> str:
        return f"{_api_of(status.site)}/repositories/{_below(status)}/statuses/build"

    def body(self, status: Status) -> dict[str, Any]:
        page = f"{status.site}/{status.repository}/commits/{status.revision}"
        return _body(_key(status.context), status, page)

    def ask(self, status: Status) -> str:
        return f"{self.place(status)}/{quote(_key(status.context), safe='')}"

    def shown(self, answer: Any, status: Status) -> Shown | None:
        return _shown(answer, _key(status.context))


class BitbucketDcStatus:
    """Since version 7.4 a status belongs to a repository, whose readers may give it."""

    name = "Bitbucket Data Center"
    needs = "the permission Repository read"
    longest = 255
    states = _STATES

    def headers(self, token: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def place(self, status: Status) -> str:
        return f"{status.site}/rest/api/latest/{_dc_below(status)}/builds"

    def body(self, status: Status) -> dict[str, Any]:
        return _body(status.context, status, f"{status.site}/{_dc_below(status)}")

    def ask(self, status: Status) -> str:
        return f"{self.place(status)}?key={quote(status.context, safe='')}"

    def shown(self, answer: Any, status: Status) -> Shown | None:
        return _shown(answer, status.context)


def _body(key: str, status: Status, page: str) -> dict[str, Any]:
    # A link is required: without a page of the job, it leads to the commit.
    return {
        "key": key,
        "name": status.context,
        "state": _STATES[status.mark],
        "description": status.description,
        "url": status.url or page,
    }


def _shown(answer: Any, key: str) -> Shown | None:
    return Shown(str(answer["state"]), answer.get("description")) if answer["key"] == key else None


def _key(context: str) -> str:
    if len(context) <= _LONGEST_KEY:
        return context
    digest = hashlib.sha256(context.encode()).hexdigest()[:12]
    return f"{context[: _LONGEST_KEY - 13]}-{digest}"


def _api_of(site: str) -> str:
    scheme, _, host = site.partition("://")
    return f"{scheme}://api.{host}/2.0" if host == "bitbucket.org" else f"{site}/2.0"


def _below(status: Status) -> str:
    return f"{status.repository}/commit/{status.revision}"


def _dc_below(status: Status) -> str:
    project, _, slug = status.repository.partition("/")
    return f"projects/{project}/repos/{slug}/commits/{status.revision}"
