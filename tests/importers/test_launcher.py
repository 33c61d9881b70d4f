"""The launcher under every Python that a platform may have: evidence, and no other difference."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import gitreload
from pythons import interpreter

LAUNCHER = Path(gitreload.__file__).parent / "importers/launcher.py"


@pytest.fixture(params=["2.7", "3.6", "3.8", "ours", "3.13"])
def python(request: pytest.FixtureRequest) -> str:
    found = interpreter(request.param)
    if found is None:
        pytest.skip(f"no Python {request.param} on this machine")
    return found


@dataclass
class Ran:
    code: int
    out: str
    err: str
    records: list[dict[str, Any]]

    @property
    def same(self) -> tuple[int, str, str]:
        """What must not depend on the launcher: of a traceback, its last line."""
        lines = self.err.splitlines()
        return (self.code, self.out, lines[-1] if "Traceback" in self.err else self.err)


class Script:
    """A `manage.py` in a directory of its own."""

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder
        self.python = python

    def write(self, body: str) -> None:
        head = "# -*- coding: utf-8 -*-\nfrom __future__ import print_function\n"
        text = textwrap.dedent(body).lstrip("\n")
        (self.folder / "manage.py").write_text(head + text, encoding="utf-8")

    def alone(self, *arguments: str) -> Ran:
        return self._run([self.python, "manage.py", *arguments], {}, None)

    def launched(self, *arguments: str, launcher: Path = LAUNCHER, read: bool = True) -> Ran:
        reading, writing = os.pipe()
        if not read:
            os.close(reading)
        command = [self.python, str(launcher), "manage.py", *arguments]
        ran = self._run(command, {"GITRELOAD_EVIDENCE_FD": str(writing)}, writing)
        os.close(writing)
        if read:
            with os.fdopen(reading, "rb") as pipe:
                ran.records = [json.loads(line) for line in pipe]
        return ran

    def _run(self, command: list[str], environment: dict[str, str], fd: int | None) -> Ran:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], **environment},
            pass_fds=[] if fd is None else [fd],
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr, [])


@pytest.fixture
def script(tmp_path: Path, python: str) -> Script:
    return Script(tmp_path, python)


LOGGING = {
    "production": "",
    "disabled by dictConfig": "config['disable_existing_loggers'] = True",
    "a level of its own": "config['loggers'] = {'xmodule': {'level': 'ERROR', 'propagate': False}}",
    "everything disabled": "logging.disable(logging.CRITICAL)",
    "no handlers": "config['root'] = {'level': 'CRITICAL', 'handlers': []}",
}


@pytest.mark.parametrize("configure", LOGGING.values(), ids=LOGGING)
def test_debug_records_arrive_whatever_the_logging_configuration_does(
    script: Script, configure: str
) -> None:
    (script.folder / "configure.py").write_text(
        "import logging\ndef change(config):\n    " + (configure or "pass")
    )
    script.write("""
        import logging, logging.config
        import configure
        log = logging.getLogger('xmodule.modulestore.xml_importer')
        config = {
            'version': 1,
            'disable_existing_loggers': False,
            'handlers': {'console': {'class': 'logging.StreamHandler', 'level': 'INFO'}},
            'root': {'level': 'INFO', 'handlers': ['console']},
        }
        configure.change(config)
        logging.config.dictConfig(config)
        log.debug('======> IMPORTING courselike %s', 'Org/Num/Run')
        logging.getLogger('xmodule.modulestore.xml').warning('policy lost')
        logging.getLogger('xmodule.other').debug('not asked for')
        log.setLevel(logging.DEBUG)  # as git_add_course does, and undoes
        log.debug('now it is on')
        log.setLevel(logging.NOTSET)
        log.debug('and off')
    """)
    ran = script.launched()
    assert ran.same == script.alone().same
    assert ran.code == 0
    assert [(found["logger"], found["level"], found["message"]) for found in ran.records] == [
        ("xmodule.modulestore.xml_importer", 10, "======> IMPORTING courselike Org/Num/Run"),
        ("xmodule.modulestore.xml", 30, "policy lost"),
        ("xmodule.modulestore.xml_importer", 10, "now it is on"),
        ("xmodule.modulestore.xml_importer", 10, "and off"),
    ]


SCRIPTS = {
    "names": """
        import sys
        print(sys.argv, sys.path[0], __name__, sys.modules['__main__'].__name__)
    """,
    "exit code": "import sys; sys.exit(3)",
    "exit with a message": "import sys; sys.exit('CommandError: no')",
    "exit late": "import atexit, os; atexit.register(os._exit, 7)",
    "an exception": "raise ValueError('broken')",
    "interrupted": "raise KeyboardInterrupt",
    "ended by a signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "a module beside it": "import helper; print(helper.NAME)",
    "a class found in __main__ again": """
        import pickle
        class Thing(object): pass
        print(type(pickle.loads(pickle.dumps(Thing()))) is Thing)
    """,
    "started anew": """
        import os, sys
        if 'again' in sys.argv: sys.exit(5)
        os.execv(sys.executable, [sys.executable] + sys.argv + ['again'])
    """,
    "its own children": """
        import os, subprocess, sys
        code = "import os; print(sorted(n for n in os.environ if 'GITRELOAD' in n), FDS)"
        code = code.replace('FDS', "os.listdir('/proc/self/fd')")
        subprocess.call([sys.executable, '-c', code], close_fds=False)
    """,
}


@pytest.mark.parametrize("body", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_runs_as_without_the_launcher(script: Script, body: str) -> None:
    (script.folder / "helper.py").write_text("NAME = __name__")
    script.write(body)
    alone = script.alone("import", "--dry=ü")
    assert script.launched("import", "--dry=ü").same == alone.same


def test_a_closed_pipe_does_not_touch_the_import(script: Script) -> None:
    script.write("""
        import logging
        for number in range(3):
            logging.getLogger('xmodule.modulestore.xml').debug('record %d', number)
        print('imported')
    """)
    ran = script.launched(read=False)
    assert (ran.code, ran.out, ran.err) == (0, "imported\n", "")


def test_without_a_pipe_it_only_runs_the_script(script: Script) -> None:
    script.write("import sys; print(sys.argv)")
    done = subprocess.run(
        [script.python, str(LAUNCHER), "manage.py", "x"],
        cwd=script.folder,
        env={"GITRELOAD_EVIDENCE_FD": "77"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "['manage.py', 'x']\n")


def test_any_message_becomes_one_short_line(script: Script) -> None:
    script.write("""
        import logging
        log = logging.getLogger('xmodule.modulestore.xml')
        log.debug('two\\nlines')
        log.debug(u'\\u2713 ' + 5000 * u'\\U0001f600')
        log.debug(b'\\xff bytes')
        log.debug('%s %s', 'too few')
        log.debug(ValueError('an object'))
    """)
    ran = script.launched()
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    two, long, raw, few, thing = [found["message"] for found in ran.records]
    assert (two, few, thing) == ("two\nlines", "%s %s", "an object")
    assert long.startswith("✓ 😀")
    assert len(json.dumps(long)) < 4096
    assert "bytes" in raw


def test_what_lies_beside_the_launcher_is_never_imported(script: Script, tmp_path: Path) -> None:
    folder = tmp_path / "importers"
    folder.mkdir()
    launcher = Path(shutil.copy(LAUNCHER, folder))
    (folder / "json.py").write_text("raise SystemExit('the wrong json')")
    script.write("import json; print(json.dumps(1))")
    assert script.launched(launcher=launcher).same == (0, "1\n", "")
