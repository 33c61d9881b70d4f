"""Short questions to git and ssh, about configuration only. No remote is reached."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass

from gitreload import forks
from gitreload.process import environment

# They read a few local files; on a machine under load even that may take a moment.
PATIENCE_SECONDS = 10.0


class AskingError(Exception):
    """No answer could be had. The text says why, without a name of the checkout."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`complaint` is the first line of what went to standard error."""

    exit_code: int
    output: bytes
    complaint: str


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of `git config --list`. `file` is None where no file has the setting."""

    scope: str
    file: str | None
    key: str
    value: str | None

    @property
    def own(self) -> bool:
        """Whether it belongs to the checkout, not to the operator or the machine."""
        return self.scope in ("local", "worktree")


def ask(*argv: str) -> Answer:
    """Run a command in `/` without a terminal; raises AskingError where it cannot be run."""
    # A group of its own: ssh's configuration may start further commands.
    try:
        with forks.whole:
            child = subprocess.Popen(
                argv,
                cwd="/",
                env={**environment(), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
    except OSError as error:
        raise AskingError(f"{argv[0]} cannot be run: {error.strerror}") from error
    with child:
        try:
            output, errors = child.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            raise AskingError(f"{argv[0]} gave no answer in {PATIENCE_SECONDS:.0f} s") from None
    # What git warns of comes before what it stops at.
    complaint = " ".join(errors.decode("utf-8", "replace").split("fatal: ")[-1].split())
    return Answer(child.returncode, output, complaint[:300])


def listed(output: bytes) -> list[Listed]:
    """What `git config -z --show-scope --show-origin` prints for `--list` and `--get-regexp`."""
    fields = output.decode("utf-8", "surrogateescape").split("\0")[:-1]
    return [
        Listed(scope, _file(origin), *_setting(setting))
        for scope, origin, setting in zip(fields[::3], fields[1::3], fields[2::3], strict=True)
    ]


def _file(origin: str) -> str | None:
    kind, _, name = origin.partition(":")
    return os.path.join("/", name) if kind == "file" else None


def _setting(text: str) -> tuple[str, str | None]:
    key, newline, value = text.partition("\n")
    return key, value if newline else None
