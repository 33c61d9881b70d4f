"""The server and the worker as processes, with their signals. Through the installed command."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gitreload.ledger import Ledger
from helpers import git, wait_until

from .conftest import COMMAND, SECRET, Book, Host

BEGINS = re.compile(r"serves (http://[^\s,;]+)[,;]|works on the queue;")


class Running:
    """A started `serve` or `worker`, and its log."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self._log = log
        wait_until(lambda: BEGINS.search(self.log) or process.poll() is not None)
        begun = BEGINS.search(self.log)
        assert begun is not None, self.log
        self.url = begun[1]

    @property
    def log(self) -> str:
        return self._log.read_text()

    def logs(self, text: str) -> None:
        try:
            wait_until(lambda: text in self.log)
        except AssertionError as error:
            raise AssertionError(f"{text!r} is not in the log:\n{self.log}") from error

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@contextmanager
def running(host: Host, *command: str, program: str | Path = COMMAND) -> Iterator[Running]:
    path = host.folder / "log"
    with (
        path.open("w") as log,
        host.command(*command, program=program, stdout=log, stderr=log) as process,
    ):
        try:
            yield Running(process, path)
        finally:
            process.kill()


class TestServe:
    def test_from_start_to_end(self, host: Host) -> None:
        git("checkout", "-q", "--detach", cwd=host.clone("detached"))
        host.configure(EDX_PLATFORM="/no/such/platform")
        with running(host) as server:
            server.logs("imports will fail until this is mended: there is no Open edX platform")
            for line in (
                f"configuration: {host.folder}/gr.env.json\n",
                "deliveries: must be proven by the secret\n",
                f"ledger: {host.state_dir}/ledger.sqlite3; workers on this host: 1\n",
                f"checkouts followed below {host.repodir}: 1\n",
                f"follows course ← {host.remote.url} (main)\n",
                "WARNING gitreload.summary: detached has a detached HEAD",
            ):
                assert line in server.log
            with urllib.request.urlopen(f"{server.url}/queue") as answer:
                assert json.load(answer) == {"queue_length": 0, "queue": []}
            assert server.end() == 0
        assert server.log.endswith("stopped\n")

    def test_that_everybody_may_send_is_a_warning(self, host: Host) -> None:
        host.configure(WEBHOOK_SECRETS=[], ALLOW_UNSIGNED=True, HOST="0.0.0.0")
        with running(host) as server:
            server.logs("WARNING gitreload.start: deliveries: accepted unsigned from every host")
            assert server.end() == 0

    def test_options_come_before_the_configuration(self, host: Host) -> None:
        host.configure(HOST="192.0.2.1", PORT=1, REPODIR="/no/such/repos")
        with running(host, "serve", "--host", "::1", "--port", "0") as server:
            assert re.fullmatch(r"http://\[::1\]:\d+", server.url)
            server.logs("environment variable GITRELOAD_HOST")
            server.logs("WARNING gitreload.summary: REPODIR /no/such/repos does not exist")
            assert server.end(signal.SIGINT) == 0

    def test_a_sent_push_and_ping(self, host: Host) -> None:
        tip = host.remote.commit({"new.txt": "new\n"})
        with running(host, "serve") as server:
            to = ("--url", server.url)
            told = host.done("send", "--route", "/update", *to)
            assert told.splitlines() == [
                f"push for course as github sends it to {server.url}/update: 200",
                "queued update of course at main",
                "follow it: gitreload logs -f 1",
            ]
            with host.command("logs", "-f", "1") as following:
                assert following.wait(timeout=60) == 0
            assert git("rev-parse", "HEAD", cwd=host.repodir / "course") == tip
            pong = host.json("send", "course", "--event", "ping", *to)
            assert (pong["status"], pong["answer"]["outcome"]) == (200, "pong")
            wrong = host.folder / "wrong"
            wrong.write_text("another-secret-of-good-length")
            refused = host.run("send", "--secret-file", str(wrong), *to)
            assert refused.exit_code == 1
            assert "/: 401" in refused.stdout

    def test_sighup_reads_the_configuration_again(self, host: Host) -> None:
        with running(host, "serve") as server:
            host.configure(WEBHOOK_SECRETS=["an-entirely-different-secret"], PORT=1, LOG_LEVEL="X")
            server.process.send_signal(signal.SIGHUP)
            server.logs("the configuration in force stays: ")
            assert "LOG_LEVEL is" in server.log
            old = host.folder / "old"
            old.write_text(SECRET)
            send = ("send", "--event", "ping", "--url", server.url, "--secret-file", str(old))
            host.configure()
            host.done(*send)
            host.configure(WEBHOOK_SECRETS=["an-entirely-different-secret"], PORT=1)
            server.process.send_signal(signal.SIGHUP)
            server.logs("the configuration was read again")
            server.logs("PORT has changed: that needs a restart, the old value stays")
            assert host.run(*send).exit_code == 1
            host.done(*send[:-2])
            assert server.end() == 0

    def test_sighup_must_not_open_the_server_to_everybody(self, host: Host) -> None:
        host.configure(HOST="0.0.0.0")
        with running(host, "serve") as server:
            host.configure(HOST="0.0.0.0", WEBHOOK_SECRETS=[])
            server.process.send_signal(signal.SIGHUP)
            server.logs("the configuration in force stays: HOST is 0.0.0.0")

    def test_a_start_that_has_to_wait_says_so_and_ends_when_it_can_never_be(
        self, host: Host
    ) -> None:
        Ledger.open(host.folder / "newer").close()
        with closing(sqlite3.connect(host.folder / "newer/ledger.sqlite3")) as ledger:
            ledger.execute("UPDATE alembic_version SET version_num = '9999'")
            ledger.commit()
        host.state_dir.write_text("in the way")
        quicker = (
            "from gitreload import cli, runtime; runtime.START_RETRY_SECONDS = 0.1; cli.main()"
        )
        with running(host, "-c", quicker, "serve", program=sys.executable) as server:
            why = f"STATE_DIR {host.state_dir} cannot be made"
            assert f"{server.url}, but takes neither pushes nor jobs yet: {why}" in server.log
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{server.url}/readyz")
            with refused.value as answer:
                assert answer.code == 503
                assert f"the ledger is not open yet: {why}" in json.load(answer)["msg"]
            host.state_dir.unlink()
            (host.folder / "newer").rename(host.state_dir)
            assert server.process.wait(timeout=60) == 2
            assert "cannot start: the ledger" in server.log
            assert "was written by a newer gitreload" in server.log

    def test_a_port_in_use_is_said(self, host: Host) -> None:
        with running(host, "serve") as server:
            port = server.url.rpartition(":")[2]
            with host.command("serve", "--port", port) as second:
                _, complaints = second.communicate(timeout=60)
            assert second.returncode == 1
            assert f"port {port} of 127.0.0.1 is taken" in complaints


class TestWorker:
    def test_works_and_reloads_until_it_is_told_to_stop(self, host: Host) -> None:
        with running(host, "worker") as worker:
            tip = host.remote.commit({"new.txt": "new\n"})
            with host.command("sync", "course", "--update", "--wait") as waiting:
                _, complaints = waiting.communicate(timeout=60)
            assert (waiting.returncode, complaints) == (0, "")
            assert git("rev-parse", "HEAD", cwd=host.repodir / "course") == tip
            worker.process.send_signal(signal.SIGHUP)
            worker.logs("the configuration was read again")
            assert worker.end() == 0
        assert worker.log.endswith("stopped\n")

    def test_a_second_signal_ends_what_runs(self, host: Host, book: Book) -> None:
        # A remote that never answers, and nearly endless patience.
        host.configure(SHUTDOWN_GRACE_SECONDS=3600)
        stalled = host.folder / "stalled"
        stalled.write_text("#!/bin/sh\nexec sleep 3600\n")
        stalled.chmod(0o755)
        course = host.repodir / "course"
        git("remote", "set-url", "origin", "ssh://git@stalled.example/a/b.git", cwd=course)
        git("config", "core.sshCommand", str(stalled), cwd=course)
        host.done("sync", "course", "--update")
        with running(host, "worker") as worker:
            wait_until(book.ledger.running_attempts)
            wait_until(lambda: book.ledger.running_attempts()[0][1].group)
            worker.process.send_signal(signal.SIGTERM)
            worker.logs("stopping; running attempts may go on for 3600 s")
            assert worker.end() == 0
        assert "stopping at once" in worker.log
        [job] = book.ledger.unfinished()
        assert job.state == "queued"
