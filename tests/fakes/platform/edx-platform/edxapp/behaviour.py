"""How this platform behaves: `behaviour.json` beside `manage.py`, read anew by every run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PLATFORM = Path(__file__).resolve().parents[1]

_STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(int(sys.argv[1]), b"ready")
os.close(int(sys.argv[1]))
time.sleep(600)
"""


@dataclass(frozen=True)
class Behaviour:
    """The defaults are a platform of today that is well.

    `era`: "new" (an OLX that does not load ends the command) or "old" (until 2021 it did not).
    `style`: how the command takes the directory, "option" or "positional".
    `git_error`: the name of a GitImportError to raise where it belongs, such as "CANNOT_PULL".
    `database_away`: connecting fails, as at the first query.
    `unparsable`, `missing`: files of the course, by path, that are so for the platform, whatever is
    there.
    `unsavable`: static files, by name, that the content store does not take.
    `broken_block`: the url_name of a block that does not import.
    `imports`: what becomes of a course that was read: "it", "nothing", or the key of another one.
    `meanwhile`: a command that somebody else runs in the course's directory during the import.
    `follow_up_error`: what updating the outline and the search index fail with.
    `log_level`, `disable_loggers`: what dictConfig makes of the platform's own loggers.
    `start_seconds`, `import_seconds`: how long starting and the import proper take.
    `hold`: a path; the import waits between reading and writing as long as it exists.
    `output`: written to stdout piece by piece, as latin-1, with a pause after each.
    `stubborn_child`: leaves a child behind that ignores SIGTERM and holds the output open.
    `ignore_sigterm`, `hang`, `signal`: of the command itself; the last ends it.
    """

    era: str = "new"
    style: str = "option"
    git_error: str | None = None
    database_away: bool = False
    unparsable: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unsavable: tuple[str, ...] = ()
    broken_block: str | None = None
    imports: str = "it"
    meanwhile: tuple[str, ...] = ()
    follow_up_error: str | None = None
    log_level: str = "INFO"
    disable_loggers: bool = False
    start_seconds: float = 0.0
    import_seconds: float = 0.0
    hold: str | None = None
    output: tuple[str, ...] = ()
    stubborn_child: bool = False
    ignore_sigterm: bool = False
    hang: bool = False
    signal: int | None = None


def now() -> Behaviour:
    return Behaviour(**json.loads((PLATFORM / "behaviour.json").read_text()))


def start() -> None:
    """What happens before any command is looked at."""
    wanted = now()
    time.sleep(wanted.start_seconds)
    if wanted.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def during_import(directory: Path) -> None:
    """What happens between reading the OLX in `directory` and writing it."""
    wanted = now()
    if wanted.meanwhile:
        subprocess.run(wanted.meanwhile, cwd=directory, check=True)
    for piece in wanted.output:
        os.write(1, piece.encode("latin-1"))
        time.sleep(0.02)
    if wanted.stubborn_child:
        _leave_stubborn_child()
    if wanted.signal is not None:
        os.kill(os.getpid(), wanted.signal)
    time.sleep(wanted.import_seconds)
    while wanted.hang or (wanted.hold and os.path.exists(wanted.hold)):  # noqa: PTH110
        time.sleep(0.01)


def _leave_stubborn_child() -> None:
    reading, writing = os.pipe()
    command = [sys.executable, "-S", "-c", _STUBBORN, str(writing)]
    subprocess.Popen(command, pass_fds=[writing])
    os.close(writing)
    os.read(reading, 5)
    os.close(reading)
