"""The small commands, and what all have in common."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import Result

from gitreload import __version__
from gitreload.ledger.database import FILE_NAME

from .conftest import SECRET, Book, Host


class TestConfig:
    def test_values_with_their_sources_and_no_secret(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GITRELOAD_NUM_THREADS", "3")
        shown = host.done("config")
        rows = {row.split()[0]: row.split()[1:] for row in shown.splitlines()}
        assert rows["NUM_THREADS"] == ["3", "environment", "variable", "GITRELOAD_NUM_THREADS"]
        assert rows["HOST"] == ['"127.0.0.1"', "default"]
        assert rows["REPODIR"] == [f'"{host.repodir}"', str(host.folder / "gr.env.json")]
        assert SECRET not in shown

    def test_as_json(self, host: Host) -> None:
        host.configure(WEBHOOK_SECRETS=["thirteen-char"])
        shown = host.json("config")
        assert shown["path"] == str(host.folder / "gr.env.json")
        assert shown["settings"]["PORT"] == {"value": 0, "source": shown["path"]}
        assert shown["settings"]["WEBHOOK_SECRETS"]["value"] == ["********"]
        assert "shorter than" in shown["warnings"][0]

    def test_warnings_are_told(self, host: Host) -> None:
        host.configure(WEBHOOK_SECRETS=["thirteen-char"])
        assert "shorter than" in host.run("config").stderr

    def test_the_schema(self, host: Host) -> None:
        schema = json.loads(host.done("config", "--schema"))
        assert schema["properties"]["PORT"]["default"] == 5000


class TestSend:
    """To a server that is not ours."""

    def sent(self, host: Host, answer: bytes) -> tuple[str, Result]:
        """The server's URL, and what is said when it answers with these bytes and hangs up."""

        def hang_up() -> None:
            connection, _ = listener.accept()
            with connection:
                request = b""
                while not request.endswith(b"}"):  # unread bytes would make the answer a reset
                    request += connection.recv(65536)
                connection.sendall(answer)

        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=hang_up)
            thread.start()
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            result = host.run("send", "--url", url)
            thread.join()
        assert result.exit_code == 1
        return url, result

    def test_an_answer_of_something_else(self, host: Host) -> None:
        head = b"HTTP/1.0 404 Not Found\r\nContent-Type: application/json\r\n\r\n"
        _, result = self.sent(host, head + b'{"detail": "Not Found"}')
        assert '{"detail": "Not Found"}\n' in result.stdout
        assert "look what listens there" in result.stderr

    def test_a_server_that_hangs_up(self, host: Host) -> None:
        url, result = self.sent(host, b"")
        told = result.stderr
        assert told.startswith(f"gitreload: the connection to {url}/ ended before an answer came (")
        assert "whether it is gitreload at all and speaks http" in told


class TestBackup:
    def test_a_copy_that_nobody_else_reads(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        copy = host.folder / "copy.sqlite3"
        assert "copied the ledger" in host.done("backup", str(copy))
        assert copy.stat().st_mode & 0o777 == 0o600
        with sqlite3.connect(copy) as connection:
            assert connection.execute("SELECT id, state FROM jobs").fetchall() == [(1, "queued")]

    def test_a_copy_replaces_the_one_before(self, host: Host, book: Book) -> None:
        host.clone("second")
        for count, directory in enumerate(("course", "second"), 1):
            host.done("sync", directory)
            host.done("backup", "copy")
            with closing(sqlite3.connect(host.folder / "copy")) as connection:
                assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (count,)

    def test_what_is_no_copy_stays_as_it_is(self, host: Host, book: Book) -> None:
        ledger = host.state_dir / FILE_NAME
        (host.folder / "link").symlink_to(ledger)
        for itself in (str(ledger), "link"):
            refused = host.run("backup", itself)
            assert (refused.exit_code, "is the ledger itself" in refused.stderr) == (2, True)
        (host.folder / "elsewhere").symlink_to(host.folder / "copy")
        for other in ("elsewhere", "gr.env.json"):
            assert "no copy of a ledger" in host.failed("backup", other)
        assert host.json("jobs") == []
        assert host.folder.joinpath("elsewhere").is_symlink()

    def test_a_copy_with_changes_of_its_own_is_not_replaced(self, host: Host, book: Book) -> None:
        host.done("backup", "copy")
        with closing(sqlite3.connect(host.folder / "copy")) as connection:
            connection.execute("CREATE TABLE mine (it)")
            told = "copy-wal has changes of another copy: end the program that has that open"
            assert told in host.failed("backup", "copy")


class TestAll:
    def test_changes_that_an_earlier_copy_left_behind_would_damage_the_new(
        self, host: Host, book: Book
    ) -> None:
        for left in ("copy-wal", "copy-journal"):
            (host.folder / left).write_bytes(b"x")
            assert f"{left} has changes of another copy" in host.failed("backup", "copy")
            (host.folder / left).unlink()
        host.done("backup", "copy")

    def test_help_and_version(self, host: Host) -> None:
        assert host.done("--version") == f"gitreload {__version__}\n"
        for name in ("serve", "worker", "list", "jobs", "show", "logs", "sync", "retry", "cancel",
                     "config", "send", "backup", "deliveries", "replay"):  # fmt: skip
            assert f"\n  {name} " in host.done("--help")
            assert host.done(name, "-h").startswith(f"Usage: gitreload {name} ")

    def test_slow_modules_are_left_alone(self, host: Host) -> None:
        """`--help` and `list` are to be quick: what they load is what they need."""
        code = (
            "import sys; from gitreload.cli import main; sys.argv[1:] = sys.argv[1].split()\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "heavy = 'sqlalchemy pydantic fastapi uvicorn httpx alembic rich'.split()\n"
            "print(*[name for name in heavy if name in sys.modules], file=sys.stderr)"
        )

        def loaded(command: str) -> list[str]:
            done = subprocess.run(
                [sys.executable, "-c", code, command],
                env=os.environ | host.environment,
                capture_output=True,
                text=True,
                check=True,
            )
            return done.stderr.split()

        assert loaded("--help") == []
        host.done("sync", "course")
        assert loaded("list") == ["sqlalchemy", "pydantic"]
        assert loaded("jobs") == ["sqlalchemy", "pydantic"]
        assert loaded("config") == ["pydantic"]

    def test_a_reader_that_went_away(self, host: Host) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        with host.command("config", stdout=writing) as command:
            os.close(writing)
            _, complaints = command.communicate(timeout=60)
        assert (command.returncode, complaints) == (141, "")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_a_full_disk_behind_the_output(self, host: Host) -> None:
        with Path("/dev/full").open("w") as full, host.command("config", stdout=full) as command:
            _, complaints = command.communicate(timeout=60)
        assert command.returncode == 1
        assert complaints == (
            "gitreload: the output cannot be used: No space left on device; "
            "correct that, then try again\n"
        )

    def test_ctrl_c(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        book.begin("a line")
        with host.working(), host.command("logs", "-f", "1") as command:
            assert command.stdout is not None
            command.stdout.readline()
            command.send_signal(signal.SIGINT)
            assert command.wait(timeout=60) == 130
            assert command.stderr is not None
            assert command.stderr.read() == ""

    def test_a_locale_without_the_characters(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        book.fail(book.begin(), "café → ☕")
        with host.command("jobs", env={"PYTHONIOENCODING": "ascii"}) as command:
            told, complaints = command.communicate(timeout=60)
        assert (command.returncode, complaints) == (0, "")
        assert r"caf\xe9 \u2192 \u2615" in told
