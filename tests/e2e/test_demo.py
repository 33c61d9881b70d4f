"""The demo, played as CI plays it, as a person does, and as somebody in a hurry does."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from gitreload.locks import Lock
from helpers import wait_until

ROOT = Path(__file__).resolve().parents[2]
CTRL_C = b"\x03"
# What a terminal acts on and does not show.
_PAINT = re.compile(r"\x1b\[[\d;]*[a-zA-Z]|\r")


class Play:
    """A running demo whose stage is `stage`, in a terminal of its own or with its output piped."""

    def __init__(self, stage: Path, *options: str, terminal: bool = False, **variables: str):
        self.stage = stage
        self._text = ""
        if terminal:
            self._ours, theirs = pty.openpty()
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        else:
            self._ours, theirs = os.pipe()
        os.set_blocking(self._ours, False)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "demo", "--stage", str(stage), *options],
            cwd=ROOT,
            env={**os.environ, "CI": "" if terminal else "true", **variables},
            stdin=theirs if terminal else subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            # One system call, which takes no lock that another thread might hold.
            preexec_fn=_take_terminal if terminal else None,  # noqa: PLW1509
        )
        os.close(theirs)

    @property
    def text(self) -> str:
        """All that it printed so far."""
        try:
            while piece := os.read(self._ours, 65536):
                self._text += _PAINT.sub("", piece.decode())
        except OSError:
            pass  # nothing more now, or nothing more ever
        return self._text

    @property
    def address(self) -> str:
        found = re.search(r"serves (http://[^;\s]+)", self.text)
        assert found, self.text
        return found[1]

    def says(self, what: str) -> None:
        wait_until(lambda: what in self.text or self.process.poll() is not None, seconds=120)
        assert what in self.text, self.text

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        wait_until(lambda: self.text and self.process.poll() is not None, seconds=120)
        return self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        os.close(self._ours)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    return tmp_path / "stage"


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def serves(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz", trust_env=False).status_code == 200
    except httpx.ConnectError:
        return False


def test_it_plays_and_ends_by_itself(stage: Path, home: Path, closing: ExitStack) -> None:
    play = Play(stage)
    closing.callback(play.close)
    assert play.ended() == 0, play.text
    assert not serves(play.address)
    before, pushed, failed, now = re.findall(
        r"learners see it (?:before|after|as before|now).*\n((?: +\d\. .+\n)+)", play.text
    )
    assert "Deltas" not in before
    assert re.search(r"Deltas .+\(new\)", pushed)
    assert "Lakes" not in failed
    assert re.search(r"Lakes .+\(new\)", now)
    accepted, fetched, imported, total = map(
        int,
        re.findall(
            r"^ (?:accepted in|fetched in|imported in|total) +(\d+) ms", play.text, re.MULTILINE
        ),
    )
    assert min(accepted, fetched, imported) > 0
    assert total + 1 >= fetched + imported, "each is rounded"
    assert "Traceback" not in play.text
    assert list(home.iterdir()) == [], "nothing outside the stage is touched"


def test_in_a_terminal_it_runs_on_until_ctrl_c(stage: Path, closing: ExitStack) -> None:
    play = Play(stage, terminal=True)
    closing.callback(play.close)
    play.says("Ctrl-C ends it.")
    assert serves(play.address)
    for block in ("As the author", "As the operator"):
        commands = re.search(rf"^{block}.*\n((?:  .+\n)+)", play.text, re.MULTILINE)
        assert commands, play.text
        subprocess.run(["bash", "-ec", commands[1]], cwd="/", check=True, capture_output=True)
    play.says("job 5 (import of rivers): ")
    play.press(CTRL_C)
    assert play.ended() == 0, play.text
    assert "Stopping the server." in play.text, "as a signal, the key would end make too"
    assert not serves(play.address)
    assert "Traceback" not in play.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_any_moment(
    number: signal.Signals, stage: Path, closing: ExitStack
) -> None:
    play = Play(stage)
    closing.callback(play.close)
    play.says("gitreload sync rivers")
    os.killpg(play.process.pid, number)
    assert play.ended() == 1, "it was not played to its end"
    assert play.text.endswith("Stopped, and the server with it. `make demo` begins anew.\n")
    assert "Traceback" not in play.text
    assert not serves(play.address)


class TestRefusals:
    def test_a_second_demo(self, stage: Path, closing: ExitStack) -> None:
        lock = Lock.take(stage / "demo.lock")
        assert lock is not None
        closing.enter_context(lock)
        assert "another demo runs in" in self.refusal(Play(stage), closing)

    def test_a_directory_with_other_things(self, stage: Path, closing: ExitStack) -> None:
        (stage / "server").mkdir(parents=True)
        assert "is no demo's" in self.refusal(Play(stage), closing)
        assert (stage / "server").exists()

    def test_a_taken_port(self, stage: Path, closing: ExitStack) -> None:
        taken = closing.enter_context(socket.create_server(("127.0.0.1", 0)))
        play = Play(stage, "--port", str(taken.getsockname()[1]))
        assert "is taken by another program" in self.refusal(play, closing)

    def test_no_git(self, stage: Path, closing: ExitStack) -> None:
        play = Play(stage, PATH=str(stage.parent))
        assert "there is no git on the PATH" in self.refusal(play, closing)

    def refusal(self, play: Play, closing: ExitStack) -> str:
        closing.callback(play.close)
        assert play.ended() == 1, play.text
        assert "The demo stops: " in play.text
        assert "Traceback" not in play.text
        return play.text
