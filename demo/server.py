"""The demo's gitreload: started, heard out, and stopped whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.stage import BIN, COURSE, DemoError, Stage
from gitreload.locks import Lock

START_SECONDS = 60
# More than SHUTDOWN_GRACE_SECONDS, after which it ends by itself.
STOP_SECONDS = 60


class Server:
    """A gitreload, and what it logs to the file `log`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self._told = 0

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def news(self) -> str:
        """The whole lines that it logged since the last call."""
        text = self._log.read_text()
        lines = text[self._told : text.rfind("\n") + 1]
        self._told += len(lines)
        return lines

    def start_up(self) -> str:
        """What it says at its start, once it has said all. Raises DemoError."""
        deadline = time.monotonic() + START_SECONDS
        said = ""
        # The last thing it says is what it follows, a little after it listens.
        while f"follows {COURSE} " not in said:
            ended = self.ended
            said += self.news()
            if ended:
                raise DemoError(f"gitreload did not start. It said:\n{said.strip()}")
            if time.monotonic() > deadline:
                raise DemoError(
                    f"gitreload is not ready after {START_SECONDS} s. It said:\n{said.strip()}"
                )
            time.sleep(0.05)
        return said

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@contextmanager
def serving(stage: Stage, lock: Lock) -> Iterator[Server]:
    """A started gitreload. It keeps the stage's lock too: it may outlive a demo that is killed."""
    log = stage.server / "gitreload.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(BIN / "gitreload")],
            cwd=stage.server,
            env=stage.environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            pass_fds=(lock.fd,),
            # Ctrl-C in the terminal is for the demo, which then stops it.
            start_new_session=True,
        )
    server = Server(process, log)
    try:
        yield server
    finally:
        # Whoever presses Ctrl-C again has to wait: nothing may be left behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        server.stop()
