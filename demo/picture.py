"""Draws the pictures of the docs: a real run in a terminal of its own, as an SVG.

`python -m demo.picture FILE [MODULE]`, where the module is `demo`, or one that is played like it;
the stage is a temporary directory, whose paths are short.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path
from pty import fork

from rich.console import Console
from rich.text import Text

ROWS, COLUMNS = 50, 100


def main() -> None:
    target, module = [*sys.argv[1:], "demo"][:2]
    with tempfile.TemporaryDirectory(prefix="demo-") as stage:
        output = b"".join(_run([sys.executable, "-m", module, "--stage", stage]))
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    for line in output.decode().strip().splitlines():
        console.print(Text.from_ansi(line.rstrip()), overflow="fold")
    title = "make demo" if module == "demo" else "what an author sees"
    Path(target).write_text(_plain(console.export_svg(title=title)))


def _run(argv: list[str]) -> Iterator[bytes]:
    """What a command prints in a terminal; shown, too. Ends this program where it fails."""
    pid, terminal = fork()
    if pid == 0:
        os.environ |= {"CI": "true", "TERM": "xterm-256color"}
        os.environ.pop("NO_COLOR", None)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.execv(argv[0], argv)  # noqa: S606
    while piece := _read(terminal):
        os.write(sys.stdout.fileno(), piece)
        yield piece
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        sys.exit(code)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux tells that the other end is closed
        return b""


def _plain(svg: str) -> str:
    # The picture must not load anything from elsewhere; any monospaced font will do.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    # Columns begin with spaces, which some programs drop.
    return svg.replace("<svg ", '<svg xml:space="preserve" ', 1)


if __name__ == "__main__":
    main()
