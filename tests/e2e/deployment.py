"""A whole gitreload for end-to-end tests: forge, checkouts, platform, and installed servers."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes import course, github, platform
from gitreload.ledger.database import FILE_NAME
from helpers import Remote, empty_ledger, git, run_command, wait_until

SECRET = "correct-horse-battery-staple"
COMMAND = Path(sys.executable).with_name("gitreload")


@dataclass(frozen=True)
class Answer:
    """What a sender got."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def body(self) -> dict[str, Any]:
        return dict(json.loads(self.text))


class Deployment:
    """Everything below one folder. Start what you need; `close` ends all of it.

    It has a ledger with nothing in it, unless its STATE_DIR is elsewhere.
    """

    def __init__(self, folder: Path, **config: Any) -> None:
        self.folder = folder
        self.repodir = folder / "repos"
        self.repodir.mkdir(parents=True)
        self.state_dir = folder / "state"
        self.state_dir.mkdir(mode=0o700)
        (self.state_dir / FILE_NAME).write_bytes(empty_ledger())
        self.platform = platform.build(folder / "platform", repodir=self.repodir)
        self.port = free_port()
        self.config: dict[str, Any] = {
            "REPODIR": str(self.repodir),
            "STATE_DIR": str(self.state_dir),
            "PORT": self.port,
            "WEBHOOK_SECRETS": [SECRET],
            "LOG_LEVEL": "INFO",
            "RECONCILE_MINUTES": 0,  # jobs come of deliveries alone, unless a test wants more
            **self.platform.keys(),
            **config,
        }
        self.config = {key: value for key, value in self.config.items() if value is not None}
        self.secret = SECRET.encode()
        self.unix_socket: Path | None = None  # where it listens, if not on its port
        self.log = folder / "server.log"
        self.variables: dict[str, str] = {}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.write_config()

    def write_config(self, **changes: Any) -> None:
        self.config |= changes
        (self.folder / "gr.env.json").write_text(json.dumps(self.config))

    @property
    def environment(self) -> dict[str, str]:
        path = f"{COMMAND.parent}:{os.environ['PATH']}"
        config = str(self.folder / "gr.env.json")
        return {**os.environ, "PATH": path, "GITRELOAD_CONFIG": config, **self.variables}

    def course(self, name: str, run: str = "2026") -> Remote:
        """A remote with a small course, and its checkout below REPODIR."""
        remote = Remote(self.folder / "forge", name)
        course.write_course(remote.work, course=name, run=run)
        remote.commit({}, "first")
        remote.clone(self.repodir / name)
        return remote

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start the server (or another command), and wait until it answers."""
        argv = command or (str(COMMAND), "serve")
        process = self.start_unasked(*argv)
        if "worker" not in argv:
            wait_until(lambda: self.answers(process), what=f"an answer of {argv}")
        return process

    def start_unasked(self, *argv: str) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                argv,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def answers(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, f"it ended: {self.log.read_text()}"
        try:
            return self.get("/healthz").status == 200
        except OSError:
            return False

    def run(self, *args: str) -> str:
        """What a command prints that succeeds, run in this process."""
        config = {"GITRELOAD_CONFIG": str(self.folder / "gr.env.json")}
        done = run_command(*args, env={**config, **self.variables})
        assert done.exit_code == 0, done.output
        return done.stdout

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        if self.unix_socket is not None:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(30)
        try:
            if self.unix_socket is not None:
                connection.sock.connect(str(self.unix_socket))
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            shown = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, response.read().decode(), shown)
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def deliver(
        self,
        remote: Remote,
        revision: str | None = None,
        *,
        branch: str = "main",
        route: str = "/",
        delivery: str | None = None,
        secret: str | None = SECRET,
        form: bool = False,
        **changes: Any,
    ) -> Answer:
        """Deliver a push of `remote` as GitHub does; `changes` replace fields of the payload."""
        revision = revision or git("rev-parse", branch, cwd=remote.work)
        payload = github.github_push(remote.url, f"refs/heads/{branch}", after=revision, **changes)
        headers, body = github.signed(
            payload, secret.encode() if secret else None, delivery=delivery, form=form
        )
        return self.request("POST", route, body, headers)

    def queue(self) -> list[dict[str, Any]]:
        return list(self.get("/queue").body["queue"])

    def logs(self, text: str, times: int = 1) -> None:
        """Wait until its log has the text, so many times: an answer may be there before it."""
        wait_until(
            lambda: self.log.read_text().count(text) >= times, what=f"{text!r} in the server's log"
        )

    def settle(self, seconds: float = 60) -> None:
        """Wait until nothing is queued or running."""
        wait_until(lambda: not self.queue(), seconds=seconds, what="an empty queue")

    def jobs(self, *options: str) -> list[dict[str, Any]]:
        return list(json.loads(self.run("jobs", "--json", "--limit", "100000", *options)))

    def running_attempts(self) -> int:
        with sqlite3.connect(self.state_dir / FILE_NAME) as connection:
            query = "SELECT count(*) FROM attempts WHERE result = 'running'"
            return int(connection.execute(query).fetchone()[0])

    def head(self, name: str) -> str:
        return git("rev-parse", "HEAD", cwd=self.repodir / name)

    def kill(self, process: subprocess.Popen[bytes], *, tree: bool = False) -> None:
        """`kill -9`: the process alone, or its whole tree of children too."""
        victims = [process.pid, *(descendants(process.pid) if tree else [])]
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait(timeout=30)

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        """SIGTERM, and the exit code that follows."""
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=60)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                self.kill(process, tree=True)


def descendants(pid: int) -> list[int]:
    """All children of a process, and theirs."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            child = int(stat.parent.name)
            found += [child, *descendants(child)]
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def deployment(folder: Path, **config: Any) -> Iterator[Deployment]:
    made = Deployment(folder, **config)
    try:
        yield made
    finally:
        made.close()
