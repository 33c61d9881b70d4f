"""Public keys that commits and tags are signed with, as files hold them: OpenSSH's or OpenPGP's."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from pathlib import Path

from gitreload.model import GitreloadError
from gitreload.webhook_keys import strict_base64

_MOST_BYTES = 4 * 1024 * 1024

# https://man.openbsd.org/sshd#AUTHORIZED_KEYS_FILE_FORMAT, of which options are no part here.
_SSH = re.compile(
    r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com"
    r"|sk-ecdsa-sha2-nistp256@openssh\.com)[ \t]+(\S+)(?:[ \t].*)?"
)
_PRIVATE = re.compile(rb"^-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----", re.MULTILINE)
_ARMORED = re.compile(rb"^-----BEGIN PGP PUBLIC KEY BLOCK-----", re.MULTILINE)
# The kinds of packets that begin keys: https://www.rfc-editor.org/rfc/rfc4880#section-4.3
_SECRET_PACKET, _PUBLIC_PACKET = 5, 6


class UnfitKeysError(GitreloadError):
    """A file is not one of public keys. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """What a file holds: `ssh` keys, each as type and Base64; or OpenPGP keys, which gpg reads."""

    ssh: tuple[str, ...] = ()
    openpgp: bool = False


def read(file: Path) -> SigningKeys:
    """The keys in `file`; their kind is told by its content. Raises `UnfitKeysError`."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # opening a pipe would wait for its writer
            raise UnfitKeysError(f"{file} is not a file; name one that holds public keys")
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES)
    except OSError as error:
        raise UnfitKeysError(
            f"the file {file} cannot be read: {error.strerror}; it must exist and be readable by "
            "the user that runs gitreload"
        ) from error
    packet = _first_packet(content)
    if _PRIVATE.search(content) or packet == _SECRET_PACKET:
        raise UnfitKeysError(
            f"{file} holds a private key, which nobody but its owner should have; name a file "
            "with the public half of it"
        )
    if _ARMORED.search(content) or packet == _PUBLIC_PACKET:
        return SigningKeys(openpgp=True)
    return SigningKeys(ssh=_ssh_keys(content, file))


def _first_packet(content: bytes) -> int | None:
    """The kind of OpenPGP packet that `content` begins with; None where it is something else."""
    first = content[0] if content else 0
    if not first & 0x80:
        return None
    return first & 0x3F if first & 0x40 else first >> 2 & 0x0F


def _ssh_keys(content: bytes, file: Path) -> tuple[str, ...]:
    keys = []
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = _SSH.fullmatch(stripped)
        if found is None or not _is_of_type(found[2], found[1]):
            raise UnfitKeysError(
                f"line {number} of {file} is no public key of OpenSSH, such as "
                '"ssh-ed25519 AAAA… ada@example.org", and the file none of OpenPGP, as '
                "`gpg --armor --export` writes it"
            )
        keys.append(f"{found[1]} {found[2]}")
    if not keys:
        raise UnfitKeysError(f"{file} holds no key; name a file with at least one public key")
    return tuple(keys)


def _is_of_type(key: str, kind: str) -> bool:
    # It begins with its type, after four bytes for the length of that:
    # https://www.rfc-editor.org/rfc/rfc4253#section-6.6
    blob = strict_base64(key) or b""
    return blob[4:].startswith(kind.encode()) and blob[:4] == len(kind).to_bytes(4, "big")
