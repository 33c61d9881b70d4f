"""With what `gitreload send` proves that a delivery is genuine, as the forge's hook would."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gitreload.cli.errors import UsageError
from gitreload.credentials import Secret, UnfitSecretError
from gitreload.model import Checkout, GitreloadError
from gitreload.webhook_keys import PRIVATE, PUBLIC, SYMMETRIC, private_key

if TYPE_CHECKING:
    from gitreload.config import Settings

ED25519 = ("sourcehut", "standard")
NEEDS = {
    "sourcehut": "SourceHut signs with an Ed25519 key that only its instance has: make one of your "
    "own, name its file with --key, and put its public half into SOURCEHUT_KEYS",
    "standard": "senders of Standard Webhooks sign with a key that begins with whsec_, or with an "
    "Ed25519 key: add one of the former to WEBHOOK_SECRETS, or name the file of the latter with "
    "--key",
}
NEEDS_PLAIN = "{0} takes any text as its secret, but no key of Standard Webhooks (whsec_…)"


@dataclass(frozen=True, slots=True)
class Proof:
    """What comes along: a signature or token made with `secret`, a user and password, or nothing.

    `source` says where it comes from.
    """

    source: str
    secret: bytes | None = field(default=None, repr=False)
    credential: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        if self.credential is None:
            return {}
        return {"Authorization": f"Basic {base64.b64encode(self.credential.encode()).decode()}"}


def choose(
    settings: Settings, checkout: Checkout, forge: str, secret_file: Path | None, key: Path | None
) -> Proof:
    """From the named file, else the first configured secret that such a forge can have.

    Without one it is the first user of BASIC_AUTH, and nothing where nothing has to be proven.
    Raises UsageError or GitreloadError where nothing fits.
    """
    if secret_file is not None and key is not None:
        raise UsageError("--secret-file and --key both say what to sign with: leave one away")
    if key is not None:
        if forge not in ED25519:
            raise UsageError(f"{forge} signs with no Ed25519 key: leave --key away")
        return Proof(f"the key in {key}", _private(key))
    if secret_file is not None:
        secret = _from(secret_file)
        if not _fits(forge, secret):
            raise GitreloadError(f"the secret in {secret_file} does not fit: {_needs(forge)}")
        return Proof(f"the secret in {secret_file}", secret)
    for source, configured in _configured(settings, checkout):
        if _fits(forge, configured.read()):
            return Proof(source, configured.read())
    for user, password in settings.basic_auth.items():
        return Proof(f"user {user} of BASIC_AUTH", credential=f"{user}:{password.read().decode()}")
    if settings.authenticated:
        raise GitreloadError(f"no configured secret fits: {_needs(forge)}")
    return Proof("nothing, as no secret is configured")


def _configured(settings: Settings, checkout: Checkout) -> Iterator[tuple[str, Secret]]:
    """The secrets that a hook of this checkout's repository may have, with where each stands."""
    own = settings.repo(checkout.directory).secrets
    where = f"REPOS.{checkout.directory}.SECRETS" if own else "WEBHOOK_SECRETS"
    for number, secret in enumerate(own or settings.webhook_secrets):
        yield f"{where}[{number}]", secret


def _fits(forge: str, secret: bytes) -> bool:
    """Whether a hook of this forge can have such a secret."""
    if secret.startswith(PRIVATE):
        return forge in ED25519
    if secret.startswith(SYMMETRIC):
        return forge in ("standard", "gitlab")
    return forge not in ED25519 and not secret.startswith(PUBLIC)


def _needs(forge: str) -> str:
    return NEEDS.get(forge) or NEEDS_PLAIN.format(forge)


def _from(file: Path) -> bytes:
    try:
        return Secret(file=file).read()
    except UnfitSecretError as error:
        raise GitreloadError(str(error)) from error


def _private(file: Path) -> bytes:
    secret = private_key(file.read_bytes())
    if secret is None:
        raise GitreloadError(
            f"{file} holds no private Ed25519 key: make one with `openssl genpkey -algorithm "
            "ed25519`, without a password"
        )
    return secret
