"""Files with public keys are told by their content, and nothing else passes for one."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitreload.signing_keys import SigningKeys, UnfitKeysError, read


def ssh(kind: str = "ssh-ed25519", inner: str | None = None) -> str:
    """A public key of OpenSSH, without a comment."""
    name = (inner or kind).encode()
    blob = len(name).to_bytes(4, "big") + name + b"\0\0\0\x20" + bytes(32)
    return f"{kind} {base64.b64encode(blob).decode()}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


ED25519, RSA = ssh(), ssh("ssh-rsa")
ECDSA = ssh("ecdsa-sha2-nistp256")
SECURITY_KEY = ssh("sk-ssh-ed25519@openssh.com")
ARMORED = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME…\n-----END PGP PUBLIC KEY BLOCK-----\n"


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        (ED25519, [ED25519]),
        (f"{ED25519} ada@example.org\n", [ED25519]),
        (f"# of Ada\r\n\r\n  {ED25519}\tat work, at home\r\n{RSA}\r\n", [ED25519, RSA]),
        (f"{SECURITY_KEY}\n{ECDSA}", [SECURITY_KEY, ECDSA]),
    ],
)
def test_keys_of_openssh(file: Path, content: str, keys: list[str]) -> None:
    file.write_bytes(content.encode())
    assert read(file) == SigningKeys(ssh=tuple(keys))


@pytest.mark.parametrize(
    "content",
    [
        ARMORED.encode(),
        b"Ada's:\n" + ARMORED.encode(),
        b"\x98\x33\x04",
        b"\x99\x01\x0d",
        b"\xc6\x33",
    ],
)
def test_keys_of_openpgp(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert read(file) == SigningKeys(openpgp=True)


@pytest.mark.parametrize(
    "content",
    [
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
        b"-----BEGIN RSA PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\n",
        ARMORED.encode() + b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n",
        b"\x95\x01",
        b"\xc5\x58",
    ],
)
def test_private_keys_are_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(UnfitKeysError, match=f"^{file} holds a private key, .*public half of it$"):
        read(file)


@pytest.mark.parametrize(
    "line",
    [
        "garbage",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        f"restrict {ED25519}",
        f"* {ED25519}",
        ssh("ssh-dss"),
        ssh("ssh-ed25519-cert-v01@openssh.com"),
        ssh("ssh-ed25519", "ssh-rsa"),
        f"{ED25519}!",
        "\x16\x03binary\xff",
    ],
)
def test_other_lines_are_refused(file: Path, line: str) -> None:
    file.write_text(f"{RSA}\n{line}\n")
    with pytest.raises(UnfitKeysError, match=f"^line 2 of {file} is no public key of OpenSSH"):
        read(file)


@pytest.mark.parametrize("content", ["", "\n", "# ssh-ed25519 AAAA\n"])
def test_a_file_without_keys_is_refused(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(UnfitKeysError, match=f"^{file} holds no key; name a file with"):
        read(file)


@given(st.binary() | st.text().map(str.encode))
def test_whatever_else_there_is_becomes_nothing_but_keys(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any"
    file.write_bytes(RSA.encode() + b" " + content)
    try:
        keys = read(file).ssh
    except UnfitKeysError:
        return
    assert all(re.fullmatch(r"\S+ [A-Za-z0-9+/=]+", key) for key in keys)
