"""The commands of the operator's own that run around an update."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from gitreload.model import Checkout, PermanentError, TransientError
from gitreload.process import Runner, environment
from gitreload.visible import visible


@dataclass(frozen=True, slots=True)
class Step:
    """A command for one revision of a checkout; without `argv` there is nothing to run.

    `key` is that of the configuration, for messages. `previous` is the revision before, None for
    the first. `seconds` is how long it may run.
    """

    key: str
    argv: Sequence[str]
    checkout: Checkout
    revision: str
    previous: str | None
    seconds: float

    def run(self, runner: Runner, folder: str) -> None:
        """Run it in `folder`. Exit code 0 is success.

        Raises `PermanentError` where it fails, `TransientError` where it was ended for its time or
        by a signal, and what `runner` raises.
        """
        if not self.argv:
            return
        runner.log(f"{self.key}: {shlex.join(self.argv)}")
        done = runner.run(
            self.argv, cwd=folder, env=environment() | self._variables(), timeout=self.seconds
        )
        if done.timed_out:
            raise TransientError(
                f"{self.key} took longer than {self.seconds / 60:g} minutes "
                "(SUBPROCESS_TIMEOUT_MINUTES) and was ended"
            )
        if done.signal is not None:
            raise TransientError(f"{self.key} was ended by signal {done.signal}")
        if not done.ok:
            raise PermanentError(
                f"{self.key} refused {self.revision[:12]} with exit code {done.exit_code}"
                f"{_last_words(done.output)}"
            )

    def _variables(self) -> dict[str, str]:
        return {
            "GITRELOAD_JOB_CHECKOUT": self.checkout.directory,
            "GITRELOAD_JOB_BRANCH": self.checkout.follows or "",
            "GITRELOAD_JOB_REVISION": self.revision,
            "GITRELOAD_JOB_PREVIOUS": self.previous or "",
        }


def _last_words(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return f": {visible(lines[-1][:200])}" if lines else ""
