"""Forks by a server: they wait for what they must not divide."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_fork_waits_and_the_child_may_go_on() -> None:
    code = """
import os, threading
from gitreload import forks
order, held = [], threading.Event()
def hold():
    with forks.whole:
        held.set()
        threading.Event().wait(0.1)  # long enough for a fork that does not wait
        order.append("let go")
threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if child == 0:
    os._exit(order != ["let go"] or forks.whole.locked())
print(os.waitpid(child, 0)[1], forks.whole.locked())
"""
    assert run(code) == "0 False\n"


def test_a_fork_during_the_first_request_leaves_the_child_its_own() -> None:
    code = """
import os, signal, threading
from gitreload.web import wsgi
begun, parent, build = threading.Event(), os.getpid(), wsgi.build
def slow(*args, **options):
    if os.getpid() == parent:
        begun.set()
        threading.Event().wait()
    return build(*args, **options)
wsgi.build = slow
threading.Thread(target=wsgi.application, args=({}, None), daemon=True).start()
begun.wait()
child = os.fork()
if child == 0:
    signal.alarm(30)
    wsgi._adapter.get()
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""
    assert run(code) == "0\n"


def test_nobody_forks_while_a_child_is_started() -> None:
    code = """
import os, sys
from gitreload import forks
from gitreload.process import Runner
def hook(event, _):
    if event == "subprocess.Popen":
        print(forks.whole.locked())
sys.addaudithook(hook)
Runner(log=lambda _: None).run(["true"], cwd="/", env=os.environ, timeout=30)
print(forks.whole.locked())
"""
    assert run(code) == "True\nFalse\n"
