from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitreload import process
from gitreload.locks import Lock
from gitreload.model import Group, Interrupted, PermanentError, TransientError
from gitreload.process import MARKER, Completed, Runner, end_run, environment, proc
from helpers import wait_until

IGNORES_SIGTERM = "import signal, time; signal.signal(15, signal.SIG_IGN); "


class Log(list[str]):
    """The lines of a run, and waiting for one of them in another thread."""

    def wait_for(self, text: str) -> None:
        wait_until(lambda: any(text in line for line in self), what=f"a line with {text!r}")


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(process, "LEFTOVER_SECONDS", 0.2)


@pytest.fixture
def shell(log: Log, tmp_path: Path) -> Callable[..., Completed]:
    """Run a shell script in a directory of its own."""

    def run(script: str, *, runner: Runner | None = None, timeout: float = 60) -> Completed:
        used = runner or Runner(log=log.append)
        return used.run(
            ["sh", "-c", script],
            cwd=str(tmp_path),
            env={"PATH": os.environ["PATH"]},
            timeout=timeout,
        )

    return run


@pytest.fixture
def marker() -> Iterator[str]:
    """A marker of this test alone; what carries it is gone afterwards."""
    value = os.urandom(8).hex()
    yield value
    for left in proc.marked(MARKER, value):
        left.signal(signal.SIGKILL)


def _python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def _sleeper(tmp_path: Path) -> subprocess.Popen[bytes]:
    """The leader of a group that ignores SIGTERM by now."""
    ready = tmp_path / "ready"
    code = f"{IGNORES_SIGTERM}open({str(ready)!r}, 'w'); time.sleep(600)"
    child = subprocess.Popen(_python(code), env={}, start_new_session=True)
    wait_until(ready.exists)
    return child


# How a run ends


def test_a_run_tells_exit_code_output_and_time(shell: Callable[..., Completed], log: Log) -> None:
    done = shell("echo out; echo err >&2; exit 3")
    assert (done.exit_code, done.signal, done.timed_out, done.ok) == (3, None, False, False)
    assert done.output == b"out\nerr\n"
    assert log == ["out", "err"]
    assert shell("true").ok


def test_a_child_that_a_signal_ends_is_told_by_the_signal(shell: Callable[..., Completed]) -> None:
    done = shell("kill -KILL $$")
    assert (done.exit_code, done.signal, done.ok) == (None, signal.SIGKILL, False)


def test_a_timeout_ends_children_that_ignore_sigterm(
    shell: Callable[..., Completed], tmp_path: Path
) -> None:
    done = shell(
        "trap '' TERM; (sleep 600; :) & echo $! >pid; while :; do sleep 0.1; done", timeout=0.5
    )
    assert done.timed_out
    assert not done.ok
    assert done.signal == signal.SIGKILL
    grandchild = int((tmp_path / "pid").read_text())
    wait_until(lambda: _gone(grandchild))


def test_a_child_that_heeds_sigterm_may_say_goodbye(
    shell: Callable[..., Completed], log: Log
) -> None:
    done = shell("trap 'echo bye; exit 0' TERM; while :; do :; done", timeout=0.3)
    assert (done.timed_out, done.exit_code, done.ok) == (True, 0, False)
    assert log == ["bye"]


def test_a_stop_ends_the_run(shell: Callable[..., Completed], log: Log) -> None:
    stop = threading.Event()
    runner = Runner(log=log.append, stop=stop)

    def stop_it() -> None:
        log.wait_for("begun")
        stop.set()

    thread = threading.Thread(target=stop_it)
    thread.start()
    with pytest.raises(Interrupted, match="has to stop"):
        shell("echo begun; exec sleep 600", runner=runner)
    thread.join()
    with pytest.raises(Interrupted, match="not started"):
        shell("echo never", runner=runner)
    assert log == ["begun"]


def test_a_grandchild_that_keeps_the_pipe_open_does_not_keep_the_run_open(
    shell: Callable[..., Completed], tmp_path: Path, log: Log
) -> None:
    done = shell("sleep 600 & echo $! >pid; echo done")
    assert done.ok
    assert log[0] == "done"
    pid = int((tmp_path / "pid").read_text())
    assert log[1] == f"sh left processes behind, which are ended now: {pid} (sleep)"
    assert _gone(pid)


def test_a_grandchild_that_ends_soon_is_waited_for(
    shell: Callable[..., Completed], log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LEFTOVER_SECONDS", 30)
    assert shell("(sleep 0.3; echo late) & echo done").ok
    assert log == ["done", "late"]


def test_a_grandchild_in_a_session_of_its_own_is_found_by_the_marker(
    shell: Callable[..., Completed], tmp_path: Path, log: Log, marker: str
) -> None:
    runner = Runner(log=log.append, marker=marker)
    assert shell(
        "setsid sh -c 'echo $$ >pid; exec sleep 600' & until [ -s pid ]; do :; done", runner=runner
    ).ok
    assert _gone(int((tmp_path / "pid").read_text()))


def test_so_is_one_that_closed_its_output_but_keeps_a_lock(
    shell: Callable[..., Completed], tmp_path: Path, log: Log, marker: str
) -> None:
    lock = Lock.take(tmp_path / "lock")
    assert lock is not None
    with lock:
        assert shell(
            "setsid sh -c 'echo $$ >pid; exec sleep 600' >/dev/null 2>&1 & "
            "until [ -s pid ]; do :; done",
            runner=Runner(log=log.append, marker=marker, inherit=(lock.fd,)),
        ).ok
    assert _gone(int((tmp_path / "pid").read_text()))
    again = Lock.take(tmp_path / "lock")
    assert again is not None
    again.release()


def test_a_callback_that_fails_leaves_no_child(tmp_path: Path) -> None:
    groups: list[Group] = []

    def fail(line: str) -> None:
        raise RuntimeError(line)

    runner = Runner(log=fail, started=groups.append)
    with pytest.raises(RuntimeError, match="begun"):
        runner.run(
            ["sh", "-c", "echo begun; sleep 600"],
            cwd=str(tmp_path),
            env=dict(os.environ),
            timeout=60,
        )
    assert _gone(groups[0].pgid)


def test_an_exit_code_that_somebody_else_took_is_no_success(
    shell: Callable[..., Completed],
) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(TransientError, match="exit code of sh is lost"):
            shell("exit 1")
    finally:
        signal.signal(signal.SIGCHLD, before)


# What a child gets


def test_a_child_gets_its_environment_no_terminal_and_no_descriptors_but_those_passed_on(
    log: Log, tmp_path: Path
) -> None:
    lock = Lock.take(tmp_path / "lock")
    assert lock is not None
    code = """if True:
        import os
        print(*sorted(os.environ))
        print(os.getsid(0) == os.getpid() == os.getpgid(0))
        links = {fd: os.path.realpath(f"/dev/fd/{fd}") for fd in os.listdir("/proc/self/fd")}
        print(*(fd for fd in links if os.path.exists(f"/dev/fd/{fd}") and "pipe:" not in links[fd]))
        print(sum("pipe:" in link for link in links.values()))
        print(os.read(0, 1))
    """
    with lock, (tmp_path / "other").open("w") as other:
        os.set_inheritable(other.fileno(), True)
        runner = Runner(log=log.append, inherit=[lock.fd], marker="m-1")
        runner.run(_python(code), cwd=str(tmp_path), env={"LC_ALL": "C.UTF-8"}, timeout=60)
        # The pipes are its output, twice, and the one whose end tells that all let go of the lock.
        assert log == ["GITRELOAD_ATTEMPT LC_ALL", "True", f"0 {lock.fd}", "3", "b''"]


def test_git_gets_only_what_it_is_allowed() -> None:
    given = {"HOME": "h", "GIT_SSH_COMMAND": "s", "GIT_SSL_CAINFO": "c", "https_proxy": "p"}
    refused = {
        "GIT_DIR": "d",
        "LD_PRELOAD": "l",
        "WEBHOOK_SECRET": "s",
        "GIT_CONFIG_COUNT": "1",
        "HTTP_PROXY_": "",
    }
    assert environment({**given, **refused}) == given


def test_the_group_is_told_at_the_start(shell: Callable[..., Completed], log: Log) -> None:
    groups: list[Group] = []
    shell("echo $$", runner=Runner(log=log.append, started=groups.append))
    assert [str(group.pgid) for group in groups] == log
    assert groups[0].started > 0


def test_records_come_by_a_pipe_of_their_own(log: Log, tmp_path: Path) -> None:
    taken: list[str] = []
    code = (
        "import os; fd = int(os.environ['GITRELOAD_EVIDENCE_FD']); print('out', flush=True); "
        "os.write(fd, b'proof\\n' * 30000)"
    )
    done = Runner(log=log.append).run(
        _python(code), cwd=str(tmp_path), env={}, timeout=60, records=taken.append
    )
    assert done.ok
    assert (log, taken) == (["out"], ["proof"] * 30000)


# Output


def test_a_gigabyte_of_output_is_taken_in_bounded_space(
    shell: Callable[..., Completed], log: Log
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = shell(
        "yes 0123456789012345678901234567890123456789 | head -c 1000000000; echo; echo end"
    )
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert done.ok
    assert log[-1] == "end"
    assert len(done.output) < 1.1 * 1024**2
    assert grown < 64 * 1024


def test_credentials_are_masked_everywhere(shell: Callable[..., Completed], log: Log) -> None:
    runner = Runner(log=log.append, secrets=["", "hunter2", "hunter2-long"])
    done = shell(
        "echo https://ada:token@example.org/x; printf 'hun'; sleep 0.05; echo ter2-long",
        runner=runner,
    )
    assert log == ["https://***@example.org/x", "***"]
    assert done.output == b"https://***@example.org/x\n***\n"


def test_output_is_shown_while_the_child_runs(
    shell: Callable[..., Completed], log: Log, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"

    def let_it_go_on() -> None:
        log.wait_for("no newline")
        go_on.touch()

    thread = threading.Thread(target=let_it_go_on)
    thread.start()
    assert shell("printf 'no newline'; until [ -e go-on ]; do sleep 0.02; done; echo; echo end").ok
    thread.join()
    assert log == ["no newline", "", "end"]


def test_a_quiet_run_logs_nothing(log: Log, tmp_path: Path) -> None:
    done = Runner(log=log.append).run(
        ["echo", "hello"], cwd=str(tmp_path), env=dict(os.environ), timeout=60, quiet=True
    )
    assert (log, done.output) == ([], b"hello\n")


# What cannot be started


@pytest.mark.parametrize(
    ("program", "content", "mode", "message"),
    [
        (
            "gitreload-absent",
            None,
            0,
            r"no program gitreload-absent on the PATH \(.+\); install it",
        ),
        ("./absent", None, 0, "no program ./absent; install it, or correct the configuration"),
        ("./dull", "#!/bin/sh\n", 0o644, "./dull cannot be run: Permission denied"),
        ("./orphan", "#!/absent/python\n", 0o755, "./orphan cannot be run: the interpreter"),
        ("./empty", "\0", 0o755, "./empty cannot be run: Exec format error"),
    ],
)
def test_a_program_that_cannot_be_run_is_told_by_name_and_cure(
    program: str,
    content: str | None,
    mode: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path(program).write_text(content)
        Path(program).chmod(mode)
    with pytest.raises(PermanentError, match=message):
        Runner(log=print).run([program], cwd=str(tmp_path), env=dict(os.environ), timeout=60)


@pytest.mark.parametrize("kind", ["absent", "file"])
def test_a_directory_that_is_none_is_told_apart_from_the_program(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cwd = str(tmp_path / kind)
    with pytest.raises(PermanentError, match=f"sh cannot be run in {cwd}: N.+; that must be a dir"):
        Runner(log=print).run(["sh"], cwd=cwd, env=dict(os.environ), timeout=60)


def test_a_shortage_is_transient(tmp_path: Path) -> None:
    """With no descriptor left, in a process of its own."""
    code = """
import os, resource
from gitreload.model import TransientError
from gitreload.process import Runner
lowest = os.dup(0)
resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + SPARE, lowest + SPARE))
try:
    Runner(log=print).run(["true"], cwd="/", env={"PATH": os.defpath}, timeout=60)
except TransientError as error:
    print(error)
"""
    for spare in (0, 1, 2, 3):
        script = code.replace("SPARE", str(spare))
        told = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert f"true cannot be started now: {os.strerror(errno.EMFILE)}" in told.stdout, spare


# After a crash


def test_a_run_of_a_dead_worker_is_ended_by_its_group(tmp_path: Path, marker: str) -> None:
    leader = _sleeper(tmp_path)
    group = Group(leader.pid, proc.started_ticks(leader.pid) or 0)
    end_run(group, marker, grace=0.1)
    assert leader.wait() == -signal.SIGKILL


def test_a_recycled_process_id_is_left_alone(tmp_path: Path, marker: str) -> None:
    stranger = _sleeper(tmp_path)
    try:
        end_run(Group(stranger.pid, (proc.started_ticks(stranger.pid) or 0) - 1), marker, grace=0.1)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_members_of_a_group_without_its_leader_are_ended_only_if_marked(
    tmp_path: Path, marker: str
) -> None:
    script = (
        f"env {MARKER}={marker} sleep 600 & echo $!; "
        f"env {MARKER}={marker} setsid sleep 600 & echo $!; sleep 600 & echo $!"
    )
    with subprocess.Popen(
        ["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True
    ) as leader:
        assert leader.stdout is not None
        marked, escaped, unmarked = (int(leader.stdout.readline()) for _ in range(3))
        started = proc.started_ticks(leader.pid) or 0
        leader.wait()
        wait_until(lambda: len(proc.marked(MARKER, marker)) == 2)
        end_run(Group(leader.pid, started), marker, grace=0.1)
        assert _gone(marked)
        assert _gone(escaped)
        assert not _gone(unmarked)
        os.kill(unmarked, signal.SIGKILL)


def test_a_member_that_outlives_its_leader_is_not_forgotten(tmp_path: Path, marker: str) -> None:
    code = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-S', '-c', "
        f"'{IGNORES_SIGTERM}print(1, flush=True); time.sleep(600)']); import time; time.sleep(600)"
    )
    leader = subprocess.Popen(_python(code), stdout=subprocess.PIPE, env={}, start_new_session=True)
    assert leader.stdout is not None
    leader.stdout.readline()
    threading.Thread(target=leader.wait).start()
    member = next(iter(each for each in proc.in_group(leader.pid) if each.pid != leader.pid))
    end_run(Group(leader.pid, proc.started_ticks(leader.pid) or 0), marker, grace=0.3)
    assert not member.alive
    leader.stdout.close()


def test_ending_a_run_never_ends_ourselves(marker: str) -> None:
    code = f"""if True:
        import os
        from gitreload.model import Group
        from gitreload.process import end_run, proc
        end_run(Group(os.getpid(), proc.started_ticks(os.getpid())), {marker!r})
        print("alive")
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={MARKER: marker},
        capture_output=True,
        start_new_session=True,
        check=True,
    )
    assert done.stdout == b"alive\n"


def _gone(pid: int) -> bool:
    """Whether no process has this id any more, or only a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
