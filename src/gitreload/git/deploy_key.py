"""A private key as its forge knows it: by the fingerprint of its public half."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from gitreload.process import Runner, environment

_SECONDS = 30.0


def fingerprint(key: Path, runner: Runner) -> str | None:
    """`SHA256:…`, as forges and ssh show it; None where `key` has a passphrase, or is no key.

    Raises `PermanentError` where ssh-keygen cannot be run.
    """
    done = runner.run(
        ["ssh-keygen", "-y", "-P", "", "-f", str(key)],
        cwd="/",
        env=environment(),
        timeout=_SECONDS,
        quiet=True,
    )
    # One line, `ssh-ed25519 AAAA… comment`: https://man.openbsd.org/ssh-keygen#y
    words = done.output.split()
    if not done.ok or len(words) < 2:
        return None
    return sha256(words[1].decode("ascii"))


def sha256(public: str) -> str:
    """The fingerprint of a public key that is given as Base64."""
    digest = hashlib.sha256(base64.b64decode(public)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
