"""People who sign commits and tags, with real gpg and ssh-keygen."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from helpers import Remote, git


def run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(argv)}: {done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Person:
    """`public` is the file of the public key, `name` its fingerprint; `options` have git use it."""

    public: Path
    name: str
    options: tuple[str, ...]

    def commit(self, remote: Remote, text: str = "signed") -> str:
        """Commit and push; the revision."""
        (remote.work / "README.md").write_text(text)
        git("add", "-A", cwd=remote.work)
        git(*self.options, "commit", "-q", "-S", "-m", text, cwd=remote.work)
        remote.push()
        return git("rev-parse", "HEAD", cwd=remote.work)

    def tag(self, remote: Remote, name: str) -> None:
        git(*self.options, "tag", "-s", "-m", "a release", name, cwd=remote.work)
        git("push", "-q", "origin", name, cwd=remote.work)


def with_ssh(folder: Path, name: str) -> Person:
    """Somebody with an SSH key."""
    key = folder / name
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key))
    public = folder / f"{name}.pub"
    fingerprint = run("ssh-keygen", "-l", "-f", str(public)).split()[1]
    options = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={public}")
    return Person(public, fingerprint, options)


class GnuPG:
    """A keyring with private keys, whose agent `close` ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._home = folder / "gnupg"
        self._home.mkdir(mode=0o700)

    def close(self) -> None:
        run("gpgconf", "--homedir", str(self._home), "--kill", "all")

    def with_key(self, name: str, *, at: str | None = None, revoked: bool = False) -> Person:
        """Somebody with a key; one of the time `at` was good for a day."""
        then = () if at is None else ("--faked-system-time", at)
        call = ("gpg", "--homedir", str(self._home), "--batch", "--quiet", *then)
        script = self.folder / f"gpg-{name}"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(call)} "$@"\n')
        script.chmod(0o755)
        address = f"{name}@example.org"
        made = ("--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key")
        run(*call, *made, address, "ed25519", "sign", "never" if at is None else "1d")
        listed = run(*call, "--with-colons", "--list-keys", address)
        [name] = [line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr")]
        public = self.folder / f"{script.name}.asc"
        public.write_text(run(*call, "--armor", "--export", name))
        options = ("-c", f"gpg.program={script}", "-c", f"user.signingKey={name}")
        person = Person(public, name, options)
        if revoked:
            self._revoke(person)
        return person

    def _revoke(self, person: Person) -> None:
        """In the public key's file alone, as its owner still signs."""
        # The colon keeps people from importing it by mistake.
        text = (self._home / f"openpgp-revocs.d/{person.name}.rev").read_text()
        certificate = text.partition("\n:")[2]
        aside = self.folder / "revoking"
        aside.mkdir(mode=0o700)
        call = ("gpg", "--homedir", str(aside), "--batch", "--quiet", "--no-autostart")
        revocation = self.folder / "revocation"
        revocation.write_text(certificate)
        run(*call, "--import", str(person.public), str(revocation))
        person.public.write_text(run(*call, "--armor", "--export", person.name))
