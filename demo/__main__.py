"""Plays a course team's day in a few seconds, with real parts.

Real: git, the repositories, the push, the signed delivery over HTTP, gitreload. Only the Open edX
platform is a stand-in, which reads the course as the platform would. In a terminal the server
runs on until Ctrl-C; elsewhere, or with CI=true, the demo ends by itself.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

# Until all is loaded there is nothing to stop, and nobody wants a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument(
        "--stage", type=Path, default=Path(".demo"), help="where everything is made"
    )
    parser.add_argument("--port", type=int, help="listen here instead of on a free port")
    options = parser.parse_args()
    from demo.stage import DemoError

    stays = sys.stdout.isatty() and os.environ.get("CI", "").lower() not in ("true", "1")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        _run(options.stage.resolve(), options.port, stays=stays)
    except DemoError as error:
        print(f"\nThe demo stops: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print("\nStopped, and the server with it. `make demo` begins anew.")  # noqa: T201
        return 0 if stays else 1
    return 0


def _run(root: Path, port: int | None, *, stays: bool) -> None:
    from demo import story
    from demo.server import serving
    from demo.stage import build, take
    from demo.terminal import Terminal
    from demo.waiting import wait_for_end

    with take(root) as lock:
        stage = build(root, story.FIRST, port)
        terminal = Terminal(stage)
        with serving(stage, lock) as server:
            story.play(stage, terminal, server)
            if stays:
                story.tell_what_next(stage, terminal)
                server.news()  # the story told it
                terminal.say("\nCtrl-C ends it. The server's log goes on here:", "bold")
                wait_for_end(terminal, server)
                terminal.say("\nStopping the server.")
        terminal.say(f"\nDone. What it made stays in {_shown(root)}: look around.", "bold")


def _shown(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


sys.exit(main())
