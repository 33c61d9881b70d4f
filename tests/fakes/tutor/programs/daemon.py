"""What starts programs in containers, for `docker` and `kubectl`."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def behaviour() -> dict[str, Any]:
    return dict(json.loads((ROOT / "behaviour.json").read_text()))


def note(program: str) -> None:
    with (ROOT / "calls.jsonl").open("a") as log:
        log.write(json.dumps([program, *sys.argv[1:]]) + "\n")


def enter(program: list[str], how: dict[str, Any]) -> None:
    """Run `program` in the container, and end as it ends.

    It knows nothing of its client but the pipes: a session of its own, another environment. Where
    the client dies, it goes on.
    """
    try:
        inside = subprocess.Popen(
            program,
            cwd=how["workdir"],
            env=how["environment"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError:
        sys.exit(f'exec: "{program[0]}": executable file not found in $PATH: unknown')
    assert inside.stdin is not None
    assert inside.stdout is not None
    threading.Thread(target=copy, args=(0, inside.stdin.fileno()), daemon=True).start()
    out = threading.Thread(target=copy, args=(inside.stdout.fileno(), 1), daemon=True)
    out.start()
    while inside.poll() is None:
        time.sleep(0.005)
        if how["cut"] and Path(how["cut"]).exists():
            os.kill(os.getpid(), signal.SIGKILL)
    out.join()
    sys.exit(inside.returncode if inside.returncode >= 0 else 128 - inside.returncode)


def copy(source: int, sink: int) -> None:
    try:
        while data := os.read(source, 65536):
            while data:
                data = data[os.write(sink, data) :]
        os.close(sink)
    except OSError:
        pass  # one of the two ends has gone
