"""`gitreload.web:app`: found by every server, the same for all, and begun when it is taken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# uWSGI itself has to be compiled. This is what it does: https://uwsgi-docs.readthedocs.io
UWSGI = """
import sys, threading, types
uwsgi = types.ModuleType("uwsgi")
uwsgi.has_threads, uwsgi.worker_id = %d, lambda: %d
sys.modules["uwsgi"] = uwsgi
import gitreload.web
app = vars(gitreload.web)["app"]
begun = [threading.active_count() > 1]
if not uwsgi.worker_id():
    uwsgi.post_fork_hook()
    begun.append(threading.active_count() > 1)
print(callable(app), begun)
"""


@pytest.fixture
def gr_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "gr.env.json"
    (tmp_path / "repos").mkdir()
    values = {"REPODIR": str(tmp_path / "repos"), "STATE_DIR": str(tmp_path / "state")}
    file.write_text(json.dumps(values))
    monkeypatch.setenv("GITRELOAD_CONFIG", str(file))
    return file


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ
    )


def test_importing_starts_nothing(gr_env: Path) -> None:
    done = run("import threading, gitreload.web, gitreload.asgi; print(threading.active_count())")
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert not (gr_env.parent / "state").exists()


def test_it_is_the_same_whatever_was_imported_before(gr_env: Path) -> None:
    done = run(
        "from gitreload.web import app as first\n"
        "import gitreload.web.application, gitreload.web.hooks, gitreload.web.wsgi\n"
        "from gitreload.web import app as second\n"
        "print(callable(first), first is second)"
    )
    assert done.stdout == "True True\n", done.stderr


class TestUWSGI:
    def test_a_worker_begins_after_its_fork(self, gr_env: Path) -> None:
        done = run(UWSGI % (1, 0))
        assert done.stdout == "True [False, True]\n", done.stderr

    def test_a_worker_that_loads_by_itself_begins_at_once(self, gr_env: Path) -> None:
        done = run(UWSGI % (1, 1))
        assert done.stdout == "True [True]\n", done.stderr

    def test_without_threads_it_ends_with_a_sentence(self, gr_env: Path) -> None:
        done = run(UWSGI % (0, 0))
        assert done.returncode == 3
        assert "start it with --enable-threads" in done.stderr

    def test_a_worker_that_cannot_serve_ends(self, gr_env: Path) -> None:
        gr_env.write_text('{"PORT": "no"}')
        done = run(UWSGI % (1, 0))
        assert done.returncode == 3
        assert "cannot start: " in done.stderr
        assert "PORT" in done.stderr
