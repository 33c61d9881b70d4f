"""`gitreload trust`: have ssh know the key of a host, after a look at its fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gitreload.cli.errors import UsageError
from gitreload.cli.output import note, say
from gitreload.cli.state import load_settings
from gitreload.model import GitreloadError

if TYPE_CHECKING:
    from gitreload.git.host_keys import Host

HostKeyOption = Annotated[
    str | None,
    typer.Option(
        metavar="FINGERPRINT",
        help="Trust the host if it shows the key with this one, SHA256:…, without a question.",
    ),
]


def trust(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="A repository's URL for ssh, git@host:org/course.")
    ],
    host_key: HostKeyOption = None,
) -> None:
    """Show an ssh host's fingerprints, and trust them if right."""
    from gitreload.git.access import ADDED_KNOWN_HOSTS
    from gitreload.git.host_keys import Host
    from gitreload.ledger import statedir

    settings = load_settings()
    host = Host.of(url)
    if host is None:
        raise UsageError(f"{url} is no URL for ssh: other protocols need no host key")
    statedir.prepare(settings.state_dir)
    accept(host, settings.state_dir / ADDED_KNOWN_HOSTS, host_key)


def accept(host: Host, file: Path, expected: str | None) -> None:
    """Have `file` know what the host shows now, if its user says that it is right.

    `expected` is a fingerprint that stands for the answer. Raises `GitreloadError` where it is not
    accepted.
    """
    from gitreload.git.host_keys import trust as write

    keys = host.shown()
    say(f"{host.address} shows these host keys:")
    for key in keys:
        say(f"  {key.fingerprint}  {key.kind}")
    if expected is not None:
        keys = tuple(key for key in keys if key.fingerprint == expected)
        if not keys:
            raise GitreloadError(
                f"none of them is {expected}: somebody may be in between, or it has new ones; "
                "nothing was trusted"
            )
    elif not confirmed("Does the host publish one of them? Trust it"):
        raise GitreloadError(
            "not trusted: compare with what the host publishes; `--host-key SHA256:…` answers in "
            "a script"
        )
    write(file, keys)
    say(f"{host.name} is trusted: {file}")


def confirmed(question: str) -> bool:
    """Ask on the terminal; no answer is a no."""
    try:
        return typer.confirm(question, default=False, err=True)
    except typer.Abort:
        note("")  # it ends the line of the question
        return False
