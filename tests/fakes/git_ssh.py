"""A git server over ssh: OpenSSH's own sshd on a high port, with a host key of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from helpers import wait_until

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")

_CONFIG = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PermitUserEnvironment no
LogLevel ERROR
"""


class SshServer:
    """Serves whatever this user can read to those whose public key was `let_in`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        folder.mkdir()
        self.host_key = key(folder / "host")
        (folder / "config").write_text(_CONFIG.format(port=self.port, folder=folder))
        (folder / "authorized").touch()

    def url(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    def let_in(self, private: Path) -> None:
        with (self.folder / "authorized").open("a") as file:
            file.write(private.with_suffix(".pub").read_text())

    @property
    def known_host(self) -> str:
        """Its line for a known_hosts file."""
        return f"[127.0.0.1]:{self.port} {self.host_key.with_suffix('.pub').read_text()}"

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as there:
            return there.recv(4) == b"SSH-"
        return False


def key(path: Path) -> Path:
    """A new private key at `path`, its public half beside it."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    assert SSHD is not None
    server = SshServer(folder)
    if os.geteuid() == 0:
        # Where Debian's sshd confines those who are not let in yet; its init script makes it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", folder / "config"], stdin=subprocess.DEVNULL, stderr=log
        )
    try:
        wait_until(server.answers, what=f"sshd, which says {folder / 'log'}")
        yield server
    finally:
        process.terminate()
        process.wait()
