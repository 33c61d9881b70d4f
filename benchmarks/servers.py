"""The servers that are measured: gitreload and webhook, each on a free port of the loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.deliveries import SECRET
from benchmarks.errors import BenchError

START_SECONDS = 60.0
# A server is at rest once it used less than this part of one core, over this time.
REST_SHARE = 0.05
REST_SECONDS = 0.4


class Server:
    """A process that listens on `port`; leaving the context ends it and all its children."""

    def __init__(
        self, command: list[str], port: int, log: Path, environ: Mapping[str, str]
    ) -> None:
        self.port = port
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environ},
                start_new_session=True,
            )
        try:
            wait_until(self._listens, f"{command[0]} to listen", START_SECONDS)
        except BenchError:
            self.stop()
            raise

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def _listens(self) -> bool:
        if self._process.poll() is not None:
            raise BenchError(f"a server did not start:\n{self._log.read_text()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def rest(self) -> None:
        """Wait until it has worked off what the last round of load left behind."""
        wait_until(self._rests, "a server to come to rest", START_SECONDS)

    def _rests(self) -> bool:
        before = self._seconds_used()
        time.sleep(REST_SECONDS)
        return self._seconds_used() - before < REST_SECONDS * REST_SHARE

    def wait_idle(self) -> None:
        """Wait until gitreload has no unfinished job."""
        wait_until(lambda: not self.queue_length(), "an empty queue", 120)

    def queue_length(self) -> int:
        with urllib.request.urlopen(self.url("/queue"), timeout=30) as answer:
            length: int = json.load(answer)["queue_length"]
            return length

    def _seconds_used(self) -> float:
        """Processor time of the process, of the children that it has waited for, and of others."""
        task = Path(f"/proc/{self._process.pid}/task/{self._process.pid}")
        children = (task / "children").read_text().split()
        ticks = sum(map(_ticks, [str(self._process.pid), *children]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_megabytes(self) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        kilobytes = next(line.split()[1] for line in status.splitlines() if "VmRSS" in line)
        return int(kilobytes) / 1024

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def gitreload(
    folder: Path, repodir: Path, *, processes: int = 1, source: Path | None = None, **settings: Any
) -> Server:
    """gitreload with its files in `folder`; `settings` are further keys, in lower case.

    One process is `gitreload serve`, several are gunicorn's with our worker.
    `source` has the code to run instead of this one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    keys = {
        "PORT": port,
        "REPODIR": str(repodir),
        "STATE_DIR": str(folder / "state"),
        "WEBHOOK_SECRETS": [SECRET],
        # What still runs at the end is of no interest.
        "SHUTDOWN_GRACE_SECONDS": 0,
        **{name.upper(): value for name, value in settings.items()},
    }
    configuration = folder / "gr.env.json"
    configuration.write_text(json.dumps(keys, indent=2))
    scripts = Path(sys.executable).parent
    command = [str(scripts / "gitreload"), "serve"]
    if processes > 1:
        command = [str(scripts / "gunicorn"), "-w", str(processes)]
        command += ["-k", "gitreload.web.gunicorn.Worker", "-b", f"127.0.0.1:{port}"]
        command += ["gitreload.asgi:app"]
    environ = {"GITRELOAD_CONFIG": str(configuration)}
    if source is not None:
        environ["PYTHONPATH"] = str(source)
    return Server(command, port, folder / "server.log", environ)


def webhook(folder: Path) -> Server:
    """`webhook` with one hook, `/hooks/push`, that checks GitHub's signature and runs /bin/true."""
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    signed = {
        "type": "payload-hmac-sha256",
        "secret": SECRET,
        "parameter": {"source": "header", "name": "X-Hub-Signature-256"},
    }
    hook = {"id": "push", "execute-command": "/bin/true", "trigger-rule": {"match": signed}}
    hooks = folder / "hooks.json"
    hooks.write_text(json.dumps([hook], indent=2))
    command = ["webhook", "-hooks", str(hooks), "-ip", "127.0.0.1", "-port", str(port)]
    return Server(command, port, folder / "server.log", {})


def wait_until(probe: Callable[[], bool], what: str, seconds: float, pause: float = 0.01) -> None:
    """Raises BenchError where `probe` does not come true in time."""
    deadline = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(pause)


def _ticks(pid: str) -> int:
    """Of a process and of its children that it has waited for; 0 once it is gone."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, after_name[11:15]))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
