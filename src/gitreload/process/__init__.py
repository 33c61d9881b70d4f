"""Run a child: with a timeout, its output streamed and bounded, nothing of it left behind."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from gitreload.model import Group, Interrupted, TransientError
from gitreload.process import proc
from gitreload.process.child import Child, started, user_name
from gitreload.process.output import Lines, Output, Records, plain
from gitreload.remotes import mask

__all__ = ["Completed", "Runner", "end_run", "environment", "proc", "user_name"]

# In the environment of every child: the name of its attempt.
MARKER = "GITRELOAD_ATTEMPT"

# Between SIGTERM and SIGKILL.
GRACE_SECONDS = 5.0
# What a child leaves behind may take so long to end by itself.
LEFTOVER_SECONDS = 1.0
# How late a stop, a timeout or a half line may be noticed.
TICK_SECONDS = 0.2

_PASSED_ON = re.compile(
    r"HOME|USER|PATH|LANG|SSH_AUTH_SOCK|XDG_CONFIG_HOME|GIT_SSH.*|GIT_SSL_.*"
    r"|(?:https?|all|no)_proxy|(?:HTTPS?|ALL|NO)_PROXY"
)


@dataclass(frozen=True, slots=True)
class Completed:
    """How a child ended: with an exit code or by a signal; the other one is None.

    `output` is what it wrote to stdout and stderr: head and tail, 1 MiB at most, credentials
    masked. `timed_out` is set where we ended it, however it then exited.
    """

    argv: tuple[str, ...]
    exit_code: int | None
    signal: int | None
    timed_out: bool
    output: bytes
    seconds: float

    @property
    def ok(self) -> bool:
        return self.exit_code == 0 and not self.timed_out


def environment(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What of `base` git and ssh get to see."""
    return {name: value for name, value in base.items() if _PASSED_ON.fullmatch(name)}


def end_run(group: Group | None, marker: str, grace: float = GRACE_SECONDS) -> None:
    """End whatever is left of a run that another process started; it is gone on return.

    That is its group while the leader is the recorded one, and every process that carries the
    marker. Raises `TransientError` where some of it does not go.
    """

    def left() -> set[proc.Process]:
        found = proc.marked(MARKER, marker)
        if group is not None and proc.started_ticks(group.pgid) == group.started:
            found |= proc.in_group(group.pgid)
        return found

    proc.end(left, grace=grace)


class Runner:
    """Runs the children of one attempt, one at a time.

    `log` gets each line of output; `started` the process group of each child, right after its
    start. Children keep the descriptors in `inherit` (a lock, say) and carry `marker` in their
    environment. Once `stop` is set, the child is ended and `run` raises `Interrupted`. In all
    that is shown or returned, `secrets` and the credentials in URLs are replaced by `***`.
    """

    def __init__(
        self,
        *,
        log: Callable[[str], None],
        started: Callable[[Group], None] | None = None,
        inherit: Sequence[int] = (),
        marker: str | None = None,
        stop: threading.Event | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        self.log = log
        self._started = started
        self._inherit = inherit
        self._marker = marker
        self._stop = stop
        self._secrets = tuple(filter(None, secrets))

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        timeout: float,
        quiet: bool = False,
        records: Callable[[str], None] | None = None,
        progress: Callable[[str], None] | None = None,
        secrets: Sequence[str] = (),
    ) -> Completed:
        """Run `argv` in `cwd` with just the environment `env`, for `timeout` seconds at most.

        `quiet` keeps its output out of the log. `records` gets each line that the child writes to
        the descriptor whose number is in its GITRELOAD_EVIDENCE_FD, `progress` each state of a line
        that it overwrites. `secrets` are hidden in this run besides those of the runner. At a
        timeout or stop the whole process group gets SIGTERM, and SIGKILL after 5 s.

        Raises `PermanentError` where it cannot be started, `TransientError` where the machine has
        no room for it now, `Interrupted`, and whatever the callbacks raise (the child is ended).
        """
        if self._stopping:
            raise Interrupted(f"{Path(argv[0]).name} was not started: the attempt has to stop")
        began = time.monotonic()

        def clean(line: str) -> str:
            return self.masked(plain(line), secrets)

        output = Output(Lines(_ignore if quiet else self.log, clean, progress))
        with started(
            argv,
            cwd=cwd,
            env=env if self._marker is None else {**env, MARKER: self._marker},
            inherit=self._inherit,
            output=output,
            records=None if records is None else Records(records),
        ) as child:
            if self._started is not None:
                self._started(child.group)
            ended = self._wait(child, began + timeout)
            status = child.reap()
            self._end_leftovers(child, patience=0 if ended else LEFTOVER_SECONDS)
        written = output.finish()
        if ended is _Ended.STOPPED:
            raise Interrupted(f"{child.name} was ended: the attempt has to stop")
        return Completed(
            argv=tuple(argv),
            exit_code=status if status >= 0 else None,
            signal=-status if status < 0 else None,
            timed_out=ended is _Ended.TIMED_OUT,
            output=self._masked_bytes(written, secrets),
            seconds=time.monotonic() - began,
        )

    def pause(self, seconds: float = 0.0) -> None:
        """Wait between steps that are no children; raises `Interrupted` once `stop` is set."""
        stop = self._stop or threading.Event()
        if stop.wait(seconds):
            raise Interrupted("the attempt has to stop")

    def masked(self, text: str, more: Sequence[str] = ()) -> str:
        """`text` without secrets, also those in `more`, and without the credentials in URLs."""
        for secret in sorted((*self._secrets, *more), key=len, reverse=True):
            text = text.replace(secret, "***")
        return mask(text)

    def _masked_bytes(self, data: bytes, more: Sequence[str]) -> bytes:
        text = data.decode("utf-8", "surrogateescape")
        return self.masked(text, more).encode("utf-8", "surrogateescape")

    @property
    def _stopping(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    def _wait(self, child: Child, deadline: float) -> _Ended | None:
        """Wait for the child's end. Says why we had to end it, None where we had not."""
        ended: _Ended | None = None
        kill_at = 0.0
        while not child.pipes.ended:
            child.pipes.pump(TICK_SECONDS)
            now = time.monotonic()
            if ended is None:
                ended = self._must_end(now, deadline)
                if ended is not None:
                    child.signal(signal.SIGTERM)
                    kill_at = now + GRACE_SECONDS
            elif now >= kill_at + proc.KILL_SECONDS:
                raise TransientError(
                    f"process {child.group.pgid} ({child.name}) does not end, even by SIGKILL: "
                    "it waits for a disk or a network file system"
                )
            elif now >= kill_at:
                child.signal(signal.SIGKILL)
        return ended

    def _must_end(self, now: float, deadline: float) -> _Ended | None:
        if self._stopping:
            return _Ended.STOPPED
        return _Ended.TIMED_OUT if now >= deadline else None

    def _end_leftovers(self, child: Child, patience: float) -> None:
        """End what outlives the child: its group, and who left that but keeps a pipe or a lock."""

        def left() -> set[proc.Process]:
            found = proc.in_group(child.group.pgid) if child.group_exists() else set()
            if self._marker is not None and child.pipes.open:
                found |= proc.marked(MARKER, self._marker)
            return found

        child.pipes.drain()
        until = time.monotonic() + patience
        while (found := left()) and time.monotonic() < until:
            child.pipes.pump(proc.POLL_SECONDS)
        if found:
            names = self.masked(", ".join(sorted(map(str, found))))
            self.log(f"{child.name} left processes behind, which are ended now: {names}")
            try:
                proc.end(left, grace=GRACE_SECONDS)
            except TransientError as error:
                self.log(str(error))  # how the child itself ended is known, and counts
        child.pipes.drain()


class _Ended(Enum):
    STOPPED = "stopped"
    TIMED_OUT = "timed out"


def _ignore(_: str) -> None:
    """The log of a quiet run."""
