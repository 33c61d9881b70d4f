"""The host keys that ssh has to know: whether it does, what a host shows, and trusting that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gitreload.git.access import Access
from gitreload.git.deploy_key import sha256
from gitreload.locks import Lock
from gitreload.model import GitreloadError
from gitreload.process import Runner, environment
from gitreload.remotes import ssh_host, ssh_port
from gitreload.visible import visible

_SECONDS = 30.0
# As ssh-keyscan prints it: https://man.openbsd.org/ssh-keyscan
_LINE = re.compile(r"\S+ ((?:ssh|ecdsa|sk)-\S+) ([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class Host:
    """A host as ssh resolves it: the address it calls, and under which name it looks up the key."""

    address: str
    port: int
    name: str
    users_files: tuple[str, ...]

    @classmethod
    def of(cls, url: str) -> Host | None:
        """That of a URL for ssh; None for others. Raises `GitreloadError`."""
        named, port = ssh_host(url), ssh_port(url)
        if named is None:
            return None
        options = [] if port is None else ["-p", str(port)]
        lines = _output("ssh", "-G", *options, "--", named).splitlines()
        said = dict(line.split(" ", 1) for line in lines if " " in line)
        address, resolved = said.get("hostname", named), int(said.get("port", 22))
        alias = said.get("hostkeyalias", address)
        name = alias if resolved == 22 or "hostkeyalias" in said else f"[{alias}]:{resolved}"
        files = said.get("userknownhostsfile", "").split()
        return cls(address, resolved, name, tuple(files))

    def known(self, access: Access) -> bool:
        """Whether any file that ssh reads has a key for it, right or wrong."""
        files = [Path(file).expanduser() for file in (*self.users_files, *access.known_hosts_files)]
        return any(
            _output("ssh-keygen", "-F", self.name, "-f", str(file)).strip()
            for file in files
            if file.is_file()
        )

    def shown(self) -> tuple[HostKey, ...]:
        """The keys that it shows now. Raises `GitreloadError` where there are none."""
        said = _output(
            *("ssh-keyscan", "-T", "10", "-p", str(self.port), "--", self.address), failing=True
        )
        found = [_LINE.fullmatch(line.strip()) for line in said.splitlines()]
        keys = sorted({HostKey(self.name, each[1], each[2]) for each in found if each})
        if not keys:
            raise GitreloadError(
                f"the host {visible(self.address)} shows no key at port {self.port}: is that the "
                "right address, and can it be reached from here?"
            )
        return tuple(keys)


@dataclass(frozen=True, slots=True, order=True)
class HostKey:
    """A public key of a host: its kind ("ssh-ed25519"), and the key as Base64."""

    name: str
    kind: str
    key: str

    @property
    def fingerprint(self) -> str:
        """As ssh shows it, and as hosts publish it."""
        return sha256(self.key)

    @property
    def line(self) -> str:
        """For a known_hosts file."""
        return f"{self.name} {self.kind} {self.key}"


def trust(file: Path, keys: tuple[HostKey, ...]) -> None:
    """Have `file` know these keys of a host, and none that it knew of that host before.

    Two commands at once do so one after the other.
    """
    name = keys[0].name
    lock = Lock.take(file.with_name(f".{file.name}.lock"), wait=True)
    assert lock is not None, "it was waited for"
    with lock:
        before = file.read_text().splitlines() if file.exists() else []
        kept = [line for line in before if line.partition(" ")[0] != name]
        draft = file.with_name(f".{file.name}.new")
        draft.write_text("".join(f"{line}\n" for line in [*kept, *(key.line for key in keys)]))
        draft.replace(file)


def _output(*argv: str, failing: bool = False) -> str:
    """What a command says; nothing where it exits with 1, as where nothing is found."""
    runner = Runner(log=lambda _line: None)
    done = runner.run(argv, cwd="/", env=environment() | {"LC_ALL": "C"}, timeout=_SECONDS)
    text = done.output.decode("utf-8", "replace")
    if not done.ok and not failing and done.exit_code != 1:
        raise GitreloadError(f"`{argv[0]}` failed: {visible(text.strip()[-200:])}")
    return text
