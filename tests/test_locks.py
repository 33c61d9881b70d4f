"""Locks between real processes: who keeps them, and who does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitreload.locks import ForkGate, Lock, checkout_lock_path
from helpers import wait_until


def free(path: Path) -> bool:
    lock = Lock.take(path)
    if lock is None:
        return False
    lock.release()
    return True


def taken(path: Path) -> Lock:
    lock = Lock.take(path)
    assert lock is not None
    return lock


class Script:
    """A Python process that runs `code`, says lines and ends when its input is closed."""

    def __init__(self, code: str, *arguments: Path | str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.communicate(timeout=30)


HOLD = """
import sys
from pathlib import Path
from gitreload.locks import Lock
lock = Lock.take(Path(sys.argv[1]))
print("held" if lock else "busy", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Script]:
    script = Script(HOLD, tmp_path / "a.lock")
    assert script.line() == "held"
    yield script
    script.process.kill()
    script.process.communicate()


def test_one_holds_it_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "made" / "on the way" / "a.lock"
    with taken(path) as lock:
        assert Lock.take(path) is None, "not even in the same process"
        assert path.stat().st_mode & 0o777 == 0o600
    assert lock.fd == -1
    lock.release()  # again, as after a `with`
    assert free(path)


def test_other_processes_are_kept_out(tmp_path: Path, holder: Script) -> None:
    assert Lock.take(tmp_path / "a.lock") is None
    assert free(tmp_path / "b.lock")
    holder.end()
    assert free(tmp_path / "a.lock")


def test_it_is_free_when_its_holder_is_killed(tmp_path: Path, holder: Script) -> None:
    holder.process.send_signal(signal.SIGKILL)
    holder.process.wait()
    assert free(tmp_path / "a.lock")


def test_waiting_ends_when_it_is_free(tmp_path: Path, holder: Script) -> None:
    got: list[Lock | None] = []
    waiter = threading.Thread(
        target=lambda: got.append(Lock.take(tmp_path / "a.lock", wait=True)), daemon=True
    )
    waiter.start()
    waiter.join(0.05)
    assert waiter.is_alive()
    holder.process.kill()
    waiter.join(30)
    assert got
    assert got[0] is not None
    got[0].release()


def test_a_child_that_inherits_it_keeps_it_beyond_its_parents_death(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    script = Script(
        """
import subprocess, sys
from pathlib import Path
from gitreload.locks import Lock
lock = Lock.take(Path(sys.argv[1]))
child = subprocess.Popen(["sleep", "60"], pass_fds=[lock.fd], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
sys.stdin.read()
""",
        path,
    )
    child = int(script.line())
    script.process.kill()
    script.process.communicate()
    assert Lock.take(path) is None
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: free(path))


def test_a_child_that_does_not_inherit_it_does_not_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    lock = taken(path)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        lock.release()
        assert free(path)
        child.kill()


def test_a_fork_does_not_keep_its_parents_locks(tmp_path: Path) -> None:
    """The child of a server's fork: it would hold the locks of a parent that was killed."""
    script = Script(
        """
import os, sys, time
from pathlib import Path
from gitreload.locks import Lock
lock = Lock.take(Path(sys.argv[1]))
other = Lock.take(Path(sys.argv[2]))
child = os.fork()
if child == 0:
    own = Lock.take(Path(sys.argv[3]))
    print(os.getpid(), lock.fd, own is not None, flush=True)
    time.sleep(60)
sys.stdin.read()
""",
        *(tmp_path / name for name in ("a.lock", "b.lock", "c.lock")),
    )
    child, fd, own = script.line().split()
    try:
        assert (fd, own) == ("-1", "True")
        assert Lock.take(tmp_path / "a.lock") is None, "the parent lives"
        script.process.kill()
        script.process.wait()
        assert free(tmp_path / "a.lock")
        assert free(tmp_path / "b.lock")
        assert Lock.take(tmp_path / "c.lock") is None, "the child's own"
    finally:
        os.kill(int(child), signal.SIGKILL)
        script.process.communicate()


def test_a_lock_on_a_deleted_file_keeps_nobody_out_and_is_not_given(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    first = taken(path)
    waiting: list[Lock | None] = []
    waiter = threading.Thread(target=lambda: waiting.append(Lock.take(path, wait=True)))
    waiter.start()
    wait_until(lambda: len([lock for lock in _held() if lock.path == path]) == 2)
    path.unlink()
    second = taken(path)
    first.release()
    waiter.join(0.1)
    assert waiter.is_alive(), "what it waited for has no name any more: it goes on waiting"
    second.release()
    waiter.join(30)
    assert waiting[0] is not None
    assert not free(path)
    waiting[0].release()


def _held() -> set[Lock]:
    from gitreload import locks

    return set(locks._held)


def test_what_cannot_be_opened_raises_and_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "a.lock").mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(IsADirectoryError):
        Lock.take(tmp_path / "a.lock")
    with taken(tmp_path / "b.lock"):
        assert Lock.take(tmp_path / "b.lock") is None
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_each_checkout_has_a_lock_of_its_own(tmp_path: Path) -> None:
    paths = ["/repos/a", "/repos/a/b", "/repos/a.b", "/repos/caf\udce9"]
    locks = {checkout_lock_path(tmp_path, path) for path in paths}
    assert len(locks) == 4
    assert {path.parent for path in locks} == {tmp_path / "locks"}
    assert checkout_lock_path(tmp_path, "/repos/a") in locks


class TestForkGate:
    def test_many_pass_while_it_is_open(self) -> None:
        gate = ForkGate()
        with gate.passing(), gate.passing():
            pass

    def test_closing_waits_for_all_inside_and_keeps_newcomers_out(self) -> None:
        gate = ForkGate()
        leave, steps = threading.Event(), []
        entered = threading.Event()

        def inside() -> None:
            with gate.passing():
                entered.set()
                leave.wait()
                steps.append("left")

        def close() -> None:
            gate.close()
            steps.append("closed")

        def late() -> None:
            with gate.passing():
                steps.append("came in")

        threads = [threading.Thread(target=inside)]
        threads[0].start()
        entered.wait()
        threads.append(threading.Thread(target=close))
        threads[1].start()
        wait_until(lambda: gate._closed)
        threads.append(threading.Thread(target=late))
        threads[2].start()
        threads[2].join(0.05)
        assert steps == []
        leave.set()
        threads[1].join()
        threads[2].join(0.05)
        assert steps == ["left", "closed"]
        gate.open()
        threads[2].join()
        assert steps == ["left", "closed", "came in"]

    def test_it_opens_again_after_an_error_inside(self) -> None:
        gate = ForkGate()
        with pytest.raises(ValueError, match="inside"), gate.passing():
            raise ValueError("inside")
        gate.close()
        gate.open()
        with gate.passing():
            pass

    def test_a_fork_while_the_ledger_is_busy_leaves_a_child_that_can_use_its_own(
        self, tmp_path: Path
    ) -> None:
        """Without the gate, a child would now and then inherit a mutex that is held for ever."""
        script = Script(
            """
import os, sys, threading
from pathlib import Path
from gitreload.ledger import Ledger
from gitreload.model import Action, Checkout, Reason

folder = Path(sys.argv[1])
ledger = Ledger.open(folder, "pool")
checkout = Checkout("a", "/repos/a", None, frozenset(), "main", "main")
os.register_at_fork(
    before=ledger.database.gate.close,
    after_in_parent=ledger.database.gate.open,
)
stopping = threading.Event()

def work(ledger=ledger):
    while not stopping.is_set():
        ledger.enqueue([checkout], Action.UPDATE, Reason.SYNC)
        ledger.unfinished()

threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
for thread in threads:
    thread.start()
for number in range(10):
    child = os.fork()
    if child == 0:
        own = Ledger.open(folder, "pool")
        own.enter_worker(f"child-{number}")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stopping.set()
for thread in threads:
    thread.join()
with ledger.database.read() as connection:
    print(connection.exec_driver_sql("SELECT count(*) FROM workers").scalar_one(), flush=True)
""",
            tmp_path / "state",
        )
        assert script.line() == "10"
        script.end()
        assert script.process.returncode == 0
