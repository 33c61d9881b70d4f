"""Runs a management command inside the platform's container; `relay.py` sends it there.

It is the whole program of a `python -c`, so: standard library only, Python 3.8 or newer. What it is
to do comes through stdin, which stays open for as long as somebody waits for the result. Once that
ends, the command is ended too: Docker and Kubernetes themselves would let it go on
(https://github.com/moby/moby/issues/9098).

It writes to stdout what the command writes. Lines of its own begin with a word that was made for
this run and that the command is not told, so that nothing in a course can pass for them:

    WORD {"tutor": {"began": true}}                   it has its order
    WORD {"tutor": {"refused": "busy", "why": "…"}}   it did not start the command
    WORD {"tutor": {"ended": 0}}                      exit code, or the signal as a negative number
    WORD {"logger": …, "level": …, "message": …}      a record of `launcher.py`
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import selectors
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

GRACE_SECONDS = 5.0
TICK_SECONDS = 0.2
_CHUNK = 64 * 1024


class Refused(Exception):  # noqa: N818 (the word for it)
    """The command is not started; `word` says in which way."""

    def __init__(self, word: str, why: str) -> None:
        super().__init__(why)
        self.word = word


def digest(folder: str) -> str:
    """SHA-256 of all names, contents and links below `folder`, without git's own.

    Raises OSError.
    """
    total = hashlib.sha256()

    def fail(error: OSError) -> None:
        raise error

    for parent, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted({*files, *folders} - {".git"}):
            path = Path(parent, name)
            if name in folders and not path.is_symlink():
                continue
            told = os.fsencode(os.path.relpath(path, folder)) + b"\0"
            total.update(hashlib.sha256(told).digest() + _content(path))
    return total.hexdigest()


def _content(path: Path) -> bytes:
    mode = path.lstat().st_mode
    found = hashlib.sha256(b"link\0" if stat.S_ISLNK(mode) else b"file\0")
    if stat.S_ISLNK(mode):
        found.update(os.fsencode(os.readlink(path)))  # noqa: PTH115 (Path knows that since 3.9)
    elif stat.S_ISREG(mode):
        with path.open("rb") as file:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                found.update(chunk)
    return found.digest()


class Voice:
    """What is written to stdout: the command's own bytes, and lines that begin with `word`."""

    def __init__(self, word: str) -> None:
        self._word = word.encode("ascii")
        self._line_begins = True

    def pass_on(self, data: bytes) -> None:
        self._line_begins = data.endswith(b"\n")
        self._write(data)

    def say(self, **what: Any) -> None:
        self.say_line(json.dumps({"tutor": what}).encode("ascii"))

    def say_line(self, line: bytes) -> None:
        before = b"" if self._line_begins else b"\n"
        self._line_begins = True
        self._write(before + self._word + b" " + line + b"\n")

    def _write(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@contextlib.contextmanager
def turn(course: str) -> Iterator[None]:
    """Hold the lock of `course` in this container: what was started before may still be ending."""
    name = hashlib.sha256(course.encode()).hexdigest()[:16]
    with Path(tempfile.gettempdir(), f"gitreload-{name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("busy", "another import of it still runs in the container") from None
        yield


def lay_out(order: dict[str, Any], source: IO[bytes]) -> None:
    """Take in what is copied into the container; make sure that the files are the right ones."""
    folder = order["folder"]
    try:
        if order["copied"]:
            with tarfile.open(fileobj=source, mode="r|") as packed:
                # Early Pythons know no filter; what is sent was looked at by the precheck.
                packed.extraction_filter = getattr(tarfile, "data_filter", None)
                packed.extractall(folder)  # noqa: S202
        found = digest(folder)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Refused("missing", str(error)) from error
    except OSError as error:
        raise Refused("unreadable", str(error)) from error
    except tarfile.TarError as error:
        raise Refused("unpackable", str(error)) from error
    if found != order["digest"]:
        raise Refused("different", f"{folder} holds other files")


class Command:
    """The command while it runs, in a session of its own."""

    def __init__(self, argv: list[str], environment: dict[str, str], launcher: Path) -> None:
        self._records, writing = os.pipe()
        self._pending = b""
        try:
            self._child = subprocess.Popen(
                [sys.executable, str(launcher), *argv],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment, "GITRELOAD_EVIDENCE_FD": str(writing)},
                pass_fds=[writing],
                start_new_session=True,
            )
        finally:
            os.close(writing)

    def wait(self, seconds: float, voice: Voice) -> int:
        """Pass on what it writes until it has ended; ends it after `seconds`, or without stdin."""
        assert self._child.stdout is not None
        output, client = self._child.stdout.fileno(), sys.stdin.fileno()
        selector = selectors.PollSelector()
        for descriptor in (output, self._records, client):
            selector.register(descriptor, selectors.EVENT_READ)
        ends_at, kill_at = time.monotonic() + seconds, float("inf")
        try:
            while True:
                ended = self._child.poll() is not None
                ready = selector.select(0 if ended else TICK_SECONDS)
                for key, _ in ready:
                    data = os.read(key.fd, _CHUNK)
                    if not data:
                        selector.unregister(key.fd)
                        ends_at = 0 if key.fd == client else ends_at
                    elif key.fd == output:
                        voice.pass_on(data)
                    elif key.fd == self._records:
                        self._tell_records(data, voice)
                if ended and not any(key.fd != client for key, _ in ready):
                    return self._child.returncode
                now = time.monotonic()
                if now >= kill_at:
                    self._signal(signal.SIGKILL)
                elif now >= ends_at and kill_at == float("inf"):
                    self._signal(signal.SIGTERM)
                    kill_at = now + GRACE_SECONDS
        finally:
            self._signal(signal.SIGKILL)  # what it left behind, or all of it

    def _tell_records(self, data: bytes, voice: Voice) -> None:
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            voice.say_line(line)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, number)


def carry_out(order: dict[str, Any], source: IO[bytes], voice: Voice) -> None:
    """Do what is ordered, and leave nothing behind in the container."""
    scratch = Path(order["scratch"])
    try:
        with turn(order["course"]):
            scratch.mkdir(0o700)
            if order["folder"]:
                lay_out(order, source)
            launcher = scratch / "launcher.py"
            launcher.write_text(order["launcher"])
            command = Command(order["argv"], order["environment"], launcher)
            voice.say(ended=command.wait(order["seconds"], voice))
    except Refused as refusal:
        voice.say(refused=refusal.word, why=str(refusal))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def main() -> None:
    # As the first process of a container it would not be ended by a signal that it does not take.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    source = sys.stdin.buffer
    order = json.loads(source.read(int(source.readline())))
    voice = Voice(order["word"])
    voice.say(began=True)
    carry_out(order, source, voice)


if __name__ == "__main__":
    main()
