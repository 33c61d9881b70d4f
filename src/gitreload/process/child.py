"""One child: started in a session of its own, its pipes read without waiting, and reaped.

Its end is told by a pidfd (Linux 5.3), not by the end of its output: a grandchild that stays
behind may keep that open for ever.
"""

from __future__ import annotations

import errno
import os
import pwd
import selectors
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from gitreload import forks
from gitreload.model import GitreloadError, Group, PermanentError, TransientError
from gitreload.process import proc

# The number of the descriptor that a child writes records to.
RECORDS = "GITRELOAD_EVIDENCE_FD"

# The machine is short of something; with any other error, the call or the configuration is wrong.
_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)

_CHUNK = 64 * 1024
# A pipe holds a MiB at most: what comes after that was written after the child's end.
_DRAINED_CHUNKS = 32


class Sink(Protocol):
    """Takes what comes through a pipe; `tick` is called a few times a second besides."""

    def feed(self, data: bytes) -> None: ...
    def tick(self) -> None: ...


class _Nothing:
    """Of a pipe that nobody writes to: it only tells, by its end, that all are gone who had it."""

    def feed(self, data: bytes) -> None:
        """Whoever writes there means somebody else."""

    def tick(self) -> None:
        """Nothing waits."""


class Pipes:
    """What is awaited of a child: that it writes, and that it ends."""

    def __init__(self) -> None:
        self._selector = selectors.PollSelector()
        self._given: list[int] = []
        self.ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close_given()
        for key in list(self._selector.get_map().values()):
            self._close(key.fd)

    @property
    def open(self) -> bool:
        """Whether somebody may still write, or keeps what was inherited."""
        return any(key.data is not None for key in self._selector.get_map().values())

    def into(self, sink: Sink) -> int:
        """The write end, to be given to a child, of a new pipe into `sink`."""
        reading, writing = os.pipe()
        self._selector.register(reading, selectors.EVENT_READ, sink)
        self._given.append(writing)
        return writing

    def close_given(self) -> None:
        """Close our copies of what the child was given, so that its end can be seen."""
        while self._given:
            os.close(self._given.pop())

    def watch(self, pidfd: int) -> None:
        """Set `ended` once the process of `pidfd` has ended."""
        self._selector.register(pidfd, selectors.EVENT_READ)

    def pump(self, seconds: float) -> bool:
        """Take what comes within `seconds`, one chunk a pipe; whether anything came."""
        keys = [key for key, _ in self._selector.select(seconds)]
        for key in keys:
            if key.data is None:
                self.ended = True
                self._close(key.fd)
            elif data := os.read(key.fd, _CHUNK):
                key.data.feed(data)
            else:
                self._close(key.fd)
        for key in self._selector.get_map().values():
            if key.data is not None:
                key.data.tick()
        return bool(keys)

    def drain(self) -> None:
        """Take what is in the pipes by now; somebody else may go on writing into them."""
        for _ in range(_DRAINED_CHUNKS):
            if not self.pump(0):
                return

    def _close(self, fd: int) -> None:
        self._selector.unregister(fd)
        os.close(fd)


class Child:
    """A started child, the leader of its session and process group."""

    def __init__(self, popen: subprocess.Popen[bytes], name: str, pipes: Pipes) -> None:
        self._popen = popen
        self.name = name
        self.pipes = pipes
        self.group = Group(popen.pid, proc.started_ticks(popen.pid) or 0)

    def signal(self, number: signal.Signals) -> None:
        """Send the whole group a signal. Only before it is reaped: others may get its id then."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.group.pgid, number)

    def reap(self) -> int:
        """The exit code, or the signal as a negative number, of a child that has ended.

        Raises `TransientError` where somebody else took it.
        """
        try:
            os.waitid(os.P_PID, self.group.pgid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError as error:
            self._popen.wait()  # reports success, as it knows nothing
            raise _lost(self.name) from error
        return self._popen.wait()

    def abandon(self) -> None:
        """End the group at once, where the child was not reaped."""
        if self._popen.returncode is None:
            self.signal(signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(proc.KILL_SECONDS)

    def group_exists(self) -> bool:
        """Whether anybody of its group is left, right after it was reaped."""
        try:
            os.killpg(self.group.pgid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


@contextmanager
def started(
    argv: Sequence[str],
    *,
    cwd: str,
    env: Mapping[str, str],
    inherit: Sequence[int],
    output: Sink,
    records: Sink | None,
) -> Iterator[Child]:
    """A child for the length of the block; whoever leaves that without reaping it ends it.

    It keeps the descriptors in `inherit`, and none besides. Raises `PermanentError` where it
    cannot be started, `TransientError` where the machine has no room for it now.
    """
    with Pipes() as pipes:
        try:
            child = _start(argv, cwd, env, inherit, pipes, output, records)
        except OSError as error:
            raise _unstartable(argv[0], cwd, env, error) from error
        pipes.close_given()
        try:
            yield child
        finally:
            child.abandon()


def user_name() -> str:
    """Whom children run as, for messages: the name, or the number where it has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"#{os.geteuid()}"


def _start(
    argv: Sequence[str],
    cwd: str,
    env: Mapping[str, str],
    inherit: Sequence[int],
    pipes: Pipes,
    output: Sink,
    records: Sink | None,
) -> Child:
    if records is not None:
        write_end = pipes.into(records)
        inherit = (*inherit, write_end)
        env = {**env, RECORDS: str(write_end)}
    if inherit:
        # Who leaves the group and closes its output, but keeps a lock, keeps this one open too.
        inherit = (*inherit, pipes.into(_Nothing()))
    # It waits for the end of a pipe, which another fork would keep open.
    with forks.whole:
        popen = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=pipes.into(output),
            stderr=subprocess.STDOUT,
            pass_fds=inherit,
            start_new_session=True,
        )
    child = Child(popen, Path(argv[0]).name, pipes)
    try:
        pipes.watch(os.pidfd_open(popen.pid))
    except ProcessLookupError as error:
        popen.wait()
        raise _lost(child.name) from error
    except OSError:
        child.abandon()
        raise
    return child


def _lost(name: str) -> TransientError:
    return TransientError(
        f"the exit code of {name} is lost: the server that gitreload runs in ignores SIGCHLD, or "
        "takes the exit codes of children that are not its own"
    )


def _unstartable(program: str, cwd: str, env: Mapping[str, str], error: OSError) -> GitreloadError:
    """What the system's refusal means; its `filename` tells the program from the directory."""
    if error.errno in _SHORTAGES:
        return TransientError(
            f"{program} cannot be started now: {error.strerror}; the machine or the limits of the "
            f"user {user_name()} leave no room for it"
        )
    if error.filename == cwd:
        return PermanentError(
            f"{program} cannot be run in {cwd}: {error.strerror}; that must be a directory which "
            f"the user {user_name()} may enter"
        )
    found = shutil.which(program, mode=os.F_OK, path=env.get("PATH", os.defpath))
    if found is None:
        where = "" if "/" in program else f" on the PATH ({env.get('PATH', os.defpath)})"
        return PermanentError(
            f"there is no program {program}{where}; install it, or correct the configuration"
        )
    if error.errno == errno.ENOENT:
        return PermanentError(
            f"{found} cannot be run: the interpreter that its first line names does not exist"
        )
    return PermanentError(
        f"{found} cannot be run: {error.strerror}; it must be a program that the user "
        f"{user_name()} may execute"
    )
