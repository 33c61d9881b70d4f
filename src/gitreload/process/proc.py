"""Processes of this host, as /proc shows them (Linux, `man 5 proc`), and how to end the right ones.

A process is known by its id and its start time: ids are given away again, so an id alone may name
a stranger by the time a signal arrives.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gitreload.model import TransientError

# How often processes that were told to end are looked at.
POLL_SECONDS = 0.05
# How long the kernel may take to carry out SIGKILL before we say that it does not.
KILL_SECONDS = 10.0

_DEAD = ("Z", "X")


@dataclass(frozen=True, slots=True)
class Process:
    """One process: `started` is in clock ticks since boot, `name` at most 15 bytes long."""

    pid: int
    started: int
    name: str = field(compare=False)

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        stat = _stat(self.pid)
        return stat is not None and stat.started == self.started and stat.state not in _DEAD

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, and never send it to another process that has its id now."""
        try:
            pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if started_ticks(self.pid) == self.started:
                signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            return
        except PermissionError:
            return  # another user's, by set-user-id; `end` reports whatever does not go
        finally:
            os.close(pidfd)

    def command(self) -> str:
        """Its command line, cut short; its name where that cannot be read."""
        words = os.fsdecode(_read(Path(f"/proc/{self.pid}/cmdline"))).split("\0")
        return " ".join(words).strip()[:100] or self.name

    def __str__(self) -> str:
        return f"{self.pid} ({self.name})"


def started_ticks(pid: int) -> int | None:
    """When the process `pid` started, in clock ticks since boot; None where there is none."""
    stat = _stat(pid)
    return None if stat is None else stat.started


def in_group(pgid: int) -> set[Process]:
    """The living processes of a process group."""
    return {process for process, group in _living() if group == pgid}


def marked(variable: str, value: str) -> set[Process]:
    """The living processes that were started with `variable` set to `value`, whatever their group.

    Those of other users cannot be looked into; they are left out.
    """
    entry = os.fsencode(f"{variable}={value}")
    return {
        process
        for process, _ in _living()
        if entry in _read(Path(f"/proc/{process.pid}/environ")).split(b"\0")
    }


def git_at_work(directories: Iterable[str]) -> Process | None:
    """A living process that may hold a git lock below one of the resolved `directories`.

    That is a git command which runs there or names it in its arguments, or any program that has a
    lock file below it open. A shell, an editor or a server whose current directory is there holds
    no lock, and would keep a stale one for as long as it lives.
    """
    roots = [directory.rstrip("/") for directory in directories]

    def below(path: str) -> bool:
        return any(path == root or path.startswith(f"{root}/") for root in roots)

    for process, _ in _living():
        folder = Path(f"/proc/{process.pid}")
        if process.name == "git" or process.name.startswith("git-"):
            arguments = os.fsdecode(_read(folder / "cmdline")).split("\0")
            places = [_link(folder / "cwd"), *(word.rpartition("=")[2] for word in arguments)]
            if any(below(place) for place in places):
                return process
        elif any(below(path) and path.endswith(".lock") for path in _open_files(folder)):
            return process
    return None


def end(find: Callable[[], set[Process]], *, grace: float) -> None:
    """End all processes that `find` finds, SIGTERM first and SIGKILL after `grace` seconds.

    `find` is asked again and again, as what it found may start others meanwhile. Raises
    `TransientError` where some do not go.
    """
    began = time.monotonic()
    told: dict[Process, signal.Signals] = {}
    while True:
        # Once its leader is gone, a member of the group may not be found again.
        left = {process for process in find() | told.keys() if process.alive}
        if not left:
            return
        waited = time.monotonic() - began
        number = signal.SIGTERM if waited < grace else signal.SIGKILL
        for process in left:
            if told.get(process) != number:
                process.signal(number)
                told[process] = number
        if waited > grace + KILL_SECONDS:
            names = ", ".join(str(process) for process in sorted(left, key=lambda each: each.pid))
            raise TransientError(
                f"these processes do not end, even by SIGKILL: {names}; they wait for a disk or "
                "network file system, or run as another user"
            )
        time.sleep(POLL_SECONDS)


@dataclass(frozen=True, slots=True)
class _Stat:
    name: str
    state: str
    group: int
    started: int


def _stat(pid: int) -> _Stat | None:
    """The fields of /proc/PID/stat that we need; the name may hold spaces and parentheses."""
    name, _, rest = _read(Path(f"/proc/{pid}/stat")).rpartition(b")")
    fields = rest.split()
    if len(fields) < 20:
        return None
    return _Stat(
        name=os.fsdecode(name.partition(b"(")[2]),
        state=fields[0].decode("ascii", "replace"),
        group=int(fields[2]),
        started=int(fields[19]),
    )


def _living() -> Iterator[tuple[Process, int]]:
    """Every living process but this one, with its process group."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    for pid in pids:
        stat = _stat(pid)
        if pid != os.getpid() and stat is not None and stat.state not in _DEAD:
            yield Process(pid, stat.started, stat.name), stat.group


def _open_files(folder: Path) -> list[str]:
    try:
        return [_link(descriptor) for descriptor in (folder / "fd").iterdir()]
    except OSError:  # it ended just now, or is another user's
        return []


def _read(path: Path) -> bytes:
    """The file's content, empty where it cannot be had: the process ended, or is another user's."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
