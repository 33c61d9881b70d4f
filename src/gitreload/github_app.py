"""A GitHub App: its key proves it to GitHub, which gives out tokens for single repositories.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from gitreload.credentials import Token, UnfitSecretError
from gitreload.github_api import GitHubApi, RefusedError
from gitreload.model import PermanentError
from gitreload.visible import visible

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

# GitHub advises to date them back by a minute, as clocks differ, and takes ten minutes at most:
# https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
_BACK_SECONDS = 60
_AHEAD_SECONDS = 9 * 60
# A token is given out for an hour, and is not begun with any more so long before its end.
_REST_SECONDS = 5 * 60

# What a 404 says where there is no App with that id.
_UNKNOWN = "Integration not found"

Permissions = Mapping[str, str]
READ: Permissions = {"contents": "read"}
HOOKS: Permissions = {"repository_hooks": "write"}
STATUSES: Permissions = {"statuses": "write"}
# As GitHub's pages name them.
_NAMES = {
    "contents": "Contents: Read-only",
    "repository_hooks": "Webhooks: Read and write",
    "statuses": "Commit statuses: Read and write",
}


@dataclass(frozen=True, slots=True)
class _Given:
    token: str
    expires: float


class GitHubApp:
    """An App's id (or client id), its private key's file, and where it is installed, if known.

    It keeps the tokens that it was given, in memory alone. Neither `repr` nor an error shows one.
    """

    def __init__(self, app_id: str, key: Path, installation: int | None = None) -> None:
        """Raises `UnfitSecretError` where the key cannot be used."""
        self.app_id = app_id
        self.key = key
        self.installation = installation
        self._given: dict[tuple[object, ...], _Given] = {}
        _private_key(key, str(self))

    def token(self, base: str, repository: str, permissions: Permissions) -> str:
        """A token for one repository ("org/course") of the GitHub whose API is at `base`.

        Raises `PermanentError` with the cure where there is none to be had, `TransientError` where
        GitHub cannot give one now.
        """
        what = (base, repository, *permissions.items())
        given = self._given.get(what)
        if given is None or given.expires < time.time() + _REST_SECONDS:
            given = self._given[what] = self._ask(base, repository, permissions)
        return given.token

    def forget(self, token: str) -> None:
        """Ask for another next time: this one, which was given, may not work."""
        self._given = {what: given for what, given in self._given.items() if given.token != token}

    def proof(self) -> str:
        """What proves the App itself to GitHub, for minutes: a JSON Web Token, RFC 7519.

        Raises `PermanentError` where its key cannot be used any more.
        """
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            key = _private_key(self.key, str(self))
        except UnfitSecretError as error:
            raise PermanentError(str(error)) from error
        now = int(time.time())
        claims = {"iat": now - _BACK_SECONDS, "exp": now + _AHEAD_SECONDS, "iss": self.app_id}
        signed = _encoded({"alg": "RS256", "typ": "JWT"}) + b"." + _encoded(claims)
        signature = key.sign(signed, PKCS1v15(), SHA256())
        return (signed + b"." + _base64(signature)).decode()

    def api(self, base: str) -> GitHubApi:
        """The API for what only the App itself may ask."""
        return GitHubApi(base, self.proof)

    def masked(self) -> dict[str, Any]:
        """What may be shown of it, as it is configured."""
        shown: dict[str, Any] = {"APP_ID": self.app_id, "PRIVATE_KEY": str(self.key)}
        return (
            shown if self.installation is None else shown | {"INSTALLATION_ID": self.installation}
        )

    def place(self, key: str) -> str:
        """What a token is of, for messages: the App, and the configuration's `key`."""
        return f"token of {self} ({key})"

    def __str__(self) -> str:
        return f"the GitHub App {visible(self.app_id)}"

    def __repr__(self) -> str:
        return f"GitHubApp({self.masked()!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GitHubApp) and self.masked() == other.masked()

    def __hash__(self) -> int:
        return hash((self.app_id, self.key))

    def _ask(self, base: str, repository: str, permissions: Permissions) -> _Given:
        """https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app"""
        body = {"repositories": [repository.rpartition("/")[2]], "permissions": dict(permissions)}
        with self.api(base) as api:
            try:
                number = self.installation or _installation(api, repository)
                path = f"/app/installations/{number}/access_tokens"
                answer = api.ask("POST", path, body=body).json
            except RefusedError as refused:
                self._explain(refused, base, repository, permissions)
        try:
            token = Token(str(answer["token"])).read().decode()
            return _Given(token, datetime.fromisoformat(answer["expires_at"]).timestamp())
        except (KeyError, TypeError, ValueError, UnfitSecretError):
            raise PermanentError(
                f"what answers at {base} gives {self} no token: is that host a GitHub?"
            ) from None

    def _explain(
        self, refused: RefusedError, base: str, repository: str, permissions: Permissions
    ) -> NoReturn:
        name = visible(repository)
        match refused.status:
            case 401 | 404 if refused.status == 401 or _UNKNOWN in refused.said:
                why = (
                    f"{base} does not believe {self}: {refused.said}. APP_ID and PRIVATE_KEY have "
                    f"to be of the same App at that GitHub, and {self.key} one of the keys that "
                    "its page lists; and this machine's clock has to be right, it says "
                    f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC"
                )
            case 403:
                why = (
                    f"{self} is suspended, or may not do this at {name}: {refused.said}. Whoever "
                    "owns the repository finds it in the settings under GitHub Apps → Configure"
                )
            case 404 if self.installation is not None:
                why = (
                    f"{self} has no installation {self.installation}: correct INSTALLATION_ID, or "
                    "leave it out, then it is found"
                )
            case 404:
                why = (
                    f"{self} is not installed at {name}: on the App's page choose Install App, the "
                    f"account {name.partition('/')[0]}, and the repository"
                )
            case 422:
                needed = ", ".join(_NAMES[key] for key in permissions)
                why = (
                    f"{self} gets no token for {name}: {refused.said}. It has to be installed at "
                    f"that repository, with the repository permission {needed}; a permission that "
                    "was added later has to be accepted there"
                )
            case _:
                raise refused
        raise PermanentError(why) from refused


def _installation(api: GitHubApi, repository: str) -> int:
    """https://docs.github.com/en/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app"""
    found = api.ask("GET", f"/repos/{repository}/installation").json
    try:
        return int(found["id"])
    except (KeyError, TypeError, ValueError):
        raise PermanentError(
            f"GitHub does not say where the App is installed for {visible(repository)}: name its "
            "INSTALLATION_ID, the number at the end of the address of the installation's page"
        ) from None


def _private_key(file: Path, app: str) -> RSAPrivateKey:
    """The key in `file`; raises `UnfitSecretError`, which never holds it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise UnfitSecretError(
            f"the PRIVATE_KEY {file} of {app} cannot be read: {error.strerror}; it must exist and "
            "be readable by the user that runs gitreload"
        ) from error
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise UnfitSecretError(
            f"the PRIVATE_KEY {file} of {app} is no RSA key in PEM form: have one made on the "
            "App's page (Private keys → Generate a private key), and take the file as it is"
        )
    return key


def _encoded(claims: Mapping[str, object]) -> bytes:
    return _base64(json.dumps(claims, separators=(",", ":")).encode())


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
