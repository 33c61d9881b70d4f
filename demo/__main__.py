"""Plays a whole day of a course team in a few seconds, with nothing but real parts.

Real: git, the repositories, the push, the signed delivery over HTTP, gitreload. Only the Open edX
platform is a stand-in, which reads the course as the platform would.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from fakes import course, platform  # noqa: E402 - the stand-ins are the tests' own

STAGE = ROOT / ".demo"
BIN = Path(sys.executable).parent
CHAPTERS = {"Rivers": "<p>Water runs downhill.</p>"}
MORE = {**CHAPTERS, "Deltas": "<p>Where it slows down, it leaves what it carried.</p>"}


class Demo:
    """The stage: a forge, an author's clone, a server's clone, a platform, and gitreload."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.repository = STAGE / "forge/rivers.git"
        self.author = STAGE / "author/rivers"
        self.repodir = STAGE / "server/repos"
        self.port = _free_port()
        self.secret = secrets.token_urlsafe(24)
        self.environment = {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "GITRELOAD_CONFIG": str(STAGE / "server/gr.env.json"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.org",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.org",
            "DEMO_REPOSITORY": f"file://{self.repository}",
            "DEMO_SECRET": self.secret,
            "DEMO_HOOK": f"http://127.0.0.1:{self.port}/",
            "NO_COLOR": "1",
            "COLUMNS": "160",
        }

    def say(self, text: str) -> None:
        self.console.print(Text(f"\n# {text}", style="bold cyan"))

    def run(self, command: str, cwd: Path) -> None:
        """Show a command and what it prints. Ends the demo where it fails."""
        self.console.print(Text(f"$ {command}", style="bold green"))
        done = subprocess.run(  # noqa: S602
            command,
            shell=True,  # the demo's own words, shown as a person would type them
            cwd=cwd,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.show(done.stdout)
        if done.returncode:
            raise SystemExit(f"the demo stops: `{command}` ended with {done.returncode}")

    def show(self, output: str) -> None:
        """Print what a command said, with paths that begin here."""
        here = output.replace(f"file://{ROOT}/", "file://…/").replace(f"{ROOT}/", "")
        text = re.sub(r"[ \t]+$", "", here, flags=re.MULTILINE)
        if text.strip():
            self.console.print(Text(text.strip("\n")), soft_wrap=not self.console.record)

    def quiet(self, *argv: str | Path, cwd: Path = ROOT) -> None:
        subprocess.run(argv, cwd=cwd, env=self.environment, check=True, capture_output=True)

    def build(self) -> platform.Platform:
        shutil.rmtree(STAGE, ignore_errors=True)
        for folder in (self.repository.parent, self.author.parent, self.repodir):
            folder.mkdir(parents=True)
        self.quiet("git", "init", "--bare", "-b", "main", self.repository)
        self.quiet("git", "clone", self.repository, self.author)
        self.write(CHAPTERS)
        self.quiet("git", "add", "-A", cwd=self.author)
        self.quiet("git", "commit", "-m", "The first chapter", cwd=self.author)
        self.quiet("git", "push", "origin", "HEAD:main", cwd=self.author)
        hook = self.repository / "hooks/post-receive"
        hook.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{ROOT}/demo/forge.py'\n")
        hook.chmod(0o755)
        self.quiet("git", "clone", f"file://{self.repository}", self.repodir / "rivers")
        built = platform.build(STAGE / "server/platform", repodir=self.repodir)
        config = {
            "REPODIR": str(self.repodir),
            "STATE_DIR": str(STAGE / "server/state"),
            "PORT": self.port,
            "WEBHOOK_SECRETS": [self.secret],
            **built.keys(),
        }
        (STAGE / "server/gr.env.json").write_text(json.dumps(config, indent=4) + "\n")
        return built

    def write(self, chapters: dict[str, str]) -> str:
        return course.write_course(
            self.author, org="Brook", course="Rivers", run="2026", chapters=chapters
        )

    @contextmanager
    def server(self) -> Iterator[None]:
        self.console.print(Text("$ gitreload &", style="bold green"))
        log = STAGE / "server/gitreload.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                [str(BIN / "gitreload")], cwd=STAGE, env=self.environment, stdout=file, stderr=file
            )
        try:
            self.wait_for_server(process, log)
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)

    def wait_for_server(self, process: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    self.show(log.read_text())
                    return
            time.sleep(0.05)
        raise SystemExit(f"the demo stops: gitreload did not start\n{log.read_text()}")


def play(demo: Demo) -> None:
    """The story: a push, a course; a mistake, its message; the mended course."""
    built = demo.build()
    key = demo.write(CHAPTERS)
    demo.say("A server: one clone below REPODIR, and gitreload with its usual gr.env.json")
    with demo.server():
        demo.say("An author adds a chapter and pushes. The forge signs and delivers the push")
        demo.write(MORE)
        demo.run("git add -A && git commit -qm 'A chapter on deltas'", demo.author)
        demo.run("git push -q origin HEAD:main", demo.author)
        demo.say("It is queued on disk, and imported a moment later")
        demo.run("gitreload logs -f 1", STAGE)
        _show_course(demo, built, key)
        demo.say("Now a mistake: an unclosed tag. Who is told what?")
        demo.write({**MORE, "Lakes": "<p>Still water"})
        broken = demo.author / "chapter/lakes.xml"
        broken.write_text(broken.read_text().replace("</chapter>", ""))
        demo.run("git add -A && git commit -qm 'A chapter on lakes'", demo.author)
        demo.run("git push -q origin HEAD:main", demo.author)
        demo.run("gitreload logs -f 2 | tail -n 1", STAGE)
        demo.say("Mended, and pushed again")
        demo.write({**MORE, "Lakes": "<p>Still water runs deep.</p>"})
        demo.run("git commit -qam 'Close the tag' && git push -q origin HEAD:main", demo.author)
        demo.run("gitreload logs -f 3 | tail -n 1", STAGE)
        demo.run("gitreload list", STAGE)
        demo.run("gitreload jobs", STAGE)
        _show_course(demo, built, key)
    demo.say(f"All of it is in {STAGE.relative_to(ROOT)}/: look around")


def _show_course(demo: Demo, built: platform.Platform, key: str) -> None:
    imported = built.course(key)
    if imported is None:
        raise SystemExit(f"the demo stops: the platform has no course {key}")
    chapters = sorted(Path(name).stem for name in imported["files"] if name.startswith("chapter/"))
    demo.console.print(
        Text(f"The platform now has {key}, chapters: {', '.join(chapters)}", style="bold")
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--svg", type=Path, help="also draw the terminal into this file")
    options = parser.parse_args()
    # As wide as the widest line: a picture has no scroll bar.
    console = Console(record=options.svg is not None, width=140 if options.svg else None)
    play(Demo(console))
    if options.svg:
        options.svg.write_text(_without_fonts(console.export_svg(title="make demo")))


def _without_fonts(svg: str) -> str:
    # The picture must not load anything from elsewhere; any monospaced font will do.
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


main()
