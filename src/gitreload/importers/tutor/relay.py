"""Runs `inside.py` in a container through `tutor`, and stands here for the command that runs there.

    python relay.py        with its order, JSON, in GITRELOAD_ORDER

What the command writes is what this process writes, its evidence goes to the pipe whose number is
in GITRELOAD_EVIDENCE_FD, and it ends as the command ended, which `tutor` itself does not tell: it
makes 1 of every exit code, and 0 of a client that was killed (tutor/utils.py, execute_silent).
Without an end from there, the exit code is that of `tutor`, and never 0.

The order: `tutor`, the argv that a program in the container has to follow; `word`, `argv`,
`environment`, `folder`, `digest`, `scratch`, `course`, `seconds`, as `inside.py` takes them;
`copy`, the directory here that is sent there as `folder`, or null where it is there already.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from typing import IO, Any

# Short, because `tutor` shows it; the program itself comes through stdin.
STUB = "import sys; exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"

ORDER = "GITRELOAD_ORDER"
EVIDENCE = "GITRELOAD_EVIDENCE_FD"

_LONGEST = 64 * 1024


def feed(sink: IO[bytes], order: dict[str, Any]) -> None:
    """Send the program, the order and the files; the sink stays open."""
    here = Path(__file__).resolve().parent
    told = {name: value for name, value in order.items() if name not in {"tutor", "copy"}}
    told["copied"] = order["copy"] is not None
    told["launcher"] = (here.parent / "launcher.py").read_text()
    try:
        for part in ((here / "inside.py").read_bytes(), json.dumps(told).encode()):
            sink.write(b"%d\n%b" % (len(part), part))
        if order["copy"] is not None:
            with tarfile.open(fileobj=sink, mode="w|") as packed:
                packed.add(order["copy"], arcname=".", filter=packable)
        sink.flush()
    except BrokenPipeError:
        pass  # nobody reads any more; how `tutor` ends tells why
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        close(sink)  # nor is there anything to wait for in the container


def packable(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """`entry` as it is sent: nothing of git's own, and belonging to whoever unpacks it."""
    if Path(entry.name).name == ".git":
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode |= 0o700 if entry.isdir() else 0o600
    return entry


def listen(source: IO[bytes], word: str, evidence: int) -> int | None:
    """Part what comes into the command's output and the rest; returns how the command ended."""
    mark = word.encode("ascii") + b" "
    ended = None
    line_begins = True
    while line := source.readline(_LONGEST):
        if line_begins and line.startswith(mark):
            record = line[len(mark) :].rstrip(b"\r\n")
            os.write(evidence, record + b"\n")
            ended = json.loads(record).get("tutor", {}).get("ended", ended)
        else:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        line_begins = line.endswith(b"\n")
    return ended


def close(sink: IO[bytes]) -> None:
    """Close what may hold something that nobody reads any more."""
    with contextlib.suppress(BrokenPipeError):
        sink.close()


def end_as(code: int) -> None:
    """End with an exit code, or by the signal of a negative number."""
    if code < 0:
        if -code in {signal.SIGINT, signal.SIGPIPE}:  # Python takes these itself
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def main() -> None:
    order = json.loads(os.environ.pop(ORDER))
    evidence = int(os.environ.pop(EVIDENCE))
    os.set_inheritable(evidence, False)
    argv = [*order["tutor"], "python", "-c", STUB]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tutor:
        assert tutor.stdin is not None
        assert tutor.stdout is not None
        feeding = threading.Thread(target=feed, args=(tutor.stdin, order), daemon=True)
        feeding.start()
        ended = listen(tutor.stdout, order["word"], evidence)
        code = tutor.wait()
        feeding.join()
        close(tutor.stdin)
    if ended is None:
        sys.exit(code if code > 0 else 1)
    end_as(ended)


if __name__ == "__main__":
    main()
