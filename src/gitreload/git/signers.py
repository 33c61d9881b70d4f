"""Whose signatures count, as git, gpg and ssh-keygen are told: by files and settings of our own.

So neither the checkout's configuration nor the keyring of the user has a say.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from gitreload import signing_keys
from gitreload.model import PermanentError, TransientError
from gitreload.process import Completed
from gitreload.settings import Settings
from gitreload.signing_keys import SigningKeys, UnfitKeysError
from gitreload.visible import visible

# What is listed is trusted, nobody is asked for more, and no process stays:
# https://www.gnupg.org/documentation/manuals/gnupg/GPG-Configuration-Options.html
_GPG_CONF = """\
trust-model always
no-auto-key-retrieve
disable-dirmngr
no-autostart
batch
no-tty
"""
# gpg tells the agent of what it imports, and fails where the path of its socket is too long; so it
# is sent on to where none is: https://www.gnupg.org/documentation/manuals/assuan/Socket-wrappers.html
_NO_AGENT = "%Assuan%\nsocket=/dev/null\n"
# What gpg says besides why.
_TALK = re.compile(r"^gpg: (?:keybox|no gpg-agent|Total|\s)")


class RunProgram(Protocol):
    """Runs a program with further environment variables, `quiet` without a word in the log."""

    def __call__(self, *argv: str, adding: Mapping[str, str], quiet: bool) -> Completed: ...


@dataclass(frozen=True, slots=True)
class Trust:
    """`settings` and `variables` for the git command that checks a signature.

    `kinds` are the kinds of keys that are listed: `OpenPGP`, `SSH`.
    """

    settings: tuple[tuple[str, str], ...]
    variables: Mapping[str, str]
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Signers:
    """The `files` with the public keys of those who may sign, listed by the configuration's `key`.

    `folder` is for what is made of them, of one checkout alone.
    """

    key: str
    files: tuple[Path, ...]
    folder: Path

    @classmethod
    def of(cls, settings: Settings, directory: str) -> Signers | None:
        """What the configuration has for the checkout `directory`; None where none are listed."""
        files = settings.repo(directory).verify_signatures
        if not files:
            return None
        folder = settings.state_dir / "signatures" / quote(directory, safe="")
        return cls(f"REPOS.{directory}.VERIFY_SIGNATURES", files, folder)

    @contextmanager
    def trusted(self, run: RunProgram) -> Iterator[Trust]:
        """Make what git needs, from the files as they are now; it is there for the `with` block.

        Raises `PermanentError` where a file has no such keys any more, or a program is missing.
        """
        try:
            keys = {file: signing_keys.read(file) for file in self.files}
        except UnfitKeysError as error:
            raise PermanentError(f"{self.key}: {error}") from error
        try:
            try:
                made = self._made(keys, run)
            except OSError as error:
                raise TransientError(
                    f"what {self.key} lists cannot be written to {self.folder}: {error.strerror}"
                ) from error
            yield made
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)  # the next one makes it anew

    def _made(self, keys: dict[Path, SigningKeys], run: RunProgram) -> Trust:
        if self.folder.exists():  # somebody was killed
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, mode=0o700)
        gnupg, allowed = self.folder / "gnupg", self.folder / "allowed_signers"
        gnupg.mkdir(mode=0o700)
        (gnupg / "gpg.conf").write_text(_GPG_CONF)
        (gnupg / "S.gpg-agent").write_text(_NO_AGENT)
        ssh = [key for each in keys.values() for key in each.ssh]
        # https://man.openbsd.org/ssh-keygen#ALLOWED_SIGNERS
        allowed.write_text("".join(f'* namespaces="git" {key}\n' for key in ssh))
        variables = {"GNUPGHOME": str(gnupg)}
        openpgp = [file for file, each in keys.items() if each.openpgp]
        # For signatures of a kind of which no key is listed; never one that lies in the checkout.
        nothing = shutil.which("false", path=os.defpath) or os.devnull
        gpg = self._program("gpg", "gnupg") if openpgp else nothing
        ssh_keygen = self._program("ssh-keygen", "openssh-client") if ssh else nothing
        if openpgp:
            self._import(openpgp, gpg, run, variables)
        return Trust(
            settings=(
                ("gpg.program", gpg),
                ("gpg.openpgp.program", gpg),
                ("gpg.x509.program", nothing),
                ("gpg.ssh.program", ssh_keygen),
                ("gpg.ssh.allowedSignersFile", str(allowed)),
                ("gpg.ssh.revocationFile", os.devnull),
                ("gpg.minTrustLevel", "undefined"),
            ),
            # What was put in the place of an object in the checkout would be looked at instead.
            variables=variables | {"GIT_NO_REPLACE_OBJECTS": "1"},
            kinds=frozenset(["OpenPGP"] * bool(openpgp) + ["SSH"] * bool(ssh)),
        )

    def _program(self, name: str, package: str) -> str:
        found = shutil.which(name)
        if found is None:
            raise PermanentError(
                f"{name} is needed for keys that {self.key} lists, and is not installed: install "
                f"it (on Debian and Ubuntu the package {package})"
            )
        return str(Path(found).absolute())

    def _import(
        self, files: list[Path], gpg: str, run: RunProgram, variables: dict[str, str]
    ) -> None:
        done = run(gpg, "--import", "--", *map(str, files), adding=variables, quiet=True)
        if not done.ok:
            lines = done.output.decode("utf-8", "replace").splitlines()
            said = [line.removeprefix("gpg: ") for line in lines if not _TALK.match(line)]
            why = visible(said[-1]) if said else "it does not say why"
            raise PermanentError(
                f"{self.key}: gpg does not take the keys in {', '.join(map(str, files))}: {why}. "
                "Have them exported again: gpg --armor --export WHO"
            )
