"""The commands of the operator's own that run around an update."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitreload.model import Checkout, Job, PermanentError, TransientError
from gitreload.process import Completed, Runner, environment
from gitreload.visible import visible


@dataclass(frozen=True, slots=True)
class Step:
    """A command that a job runs for one revision of a checkout.

    `key` is that of the configuration, for messages; `fails` what its failure is called there.
    `served` is where readers find the checkout, `previous` the revision before, None for the first.
    `seconds` is how long it may run, `course` the key of the course that it is for, if any.
    """

    key: str
    argv: Sequence[str]
    job: Job
    checkout: Checkout
    served: Path
    revision: str
    previous: str | None
    seconds: float
    fails: str = "failed for"
    course: str | None = None

    def run(self, runner: Runner, folder: Path) -> None:
        """Run it in `folder`. Exit code 0 is success.

        Raises `PermanentError` where it fails, `TransientError` where it was ended for its time or
        by a signal, and what `runner` raises.
        """
        runner.log(f"{self.key}: {shlex.join(self.argv)}")
        try:
            done = runner.run(
                self.argv,
                cwd=str(folder),
                env=environment() | self._variables(),
                timeout=self.seconds,
            )
        except (PermanentError, TransientError) as error:
            raise type(error)(f"{self.key}: {error}") from error
        self._check(done)

    def _check(self, done: Completed) -> None:
        if done.timed_out:
            raise TransientError(
                f"{self.key} took longer than {self.seconds / 60:g} minutes "
                "(SUBPROCESS_TIMEOUT_MINUTES) and was ended"
            )
        if done.signal is not None:
            raise TransientError(f"{self.key} was ended by signal {done.signal}")
        if not done.ok:
            raise PermanentError(
                f"{self.key} {self.fails} {self.revision[:12]} with exit code {done.exit_code}"
                f"{_last_words(done.output)}"
            )

    def _variables(self) -> dict[str, str]:
        variables = {
            "ACTION": self.job.action,
            "BRANCH": self.checkout.follows or "",
            "CHECKOUT": self.checkout.directory,
            "ID": str(self.job.id),
            "PATH": self.checkout.path,
            "PREVIOUS": self.previous or "",
            "REVISION": self.revision,
            "SERVED": str(self.served),
        }
        if self.course is not None:
            variables["COURSE"] = self.course
        return {f"GITRELOAD_JOB_{name}": value for name, value in variables.items()}


def _last_words(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return f": {visible(lines[-1][:200])}" if lines else ""
