"""RSA keys, made once for a run: that takes longer than most tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@cache
def rsa_key(*, number: int = 0) -> RSAPrivateKey:
    del number  # another one for each
    return generate_private_key(65537, 2048)


def pem(file: Path, key: RSAPrivateKey | None = None) -> Path:
    """Write it as GitHub gives it out."""
    written = (key or rsa_key()).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    file.write_bytes(written)
    file.chmod(0o600)
    return file
