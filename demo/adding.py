"""Writes the transcript in docs/adding.md: somebody new adds a repository and pushes to it.

`python -m demo.adding FILE` runs every command of it and replaces what stands between the marks in
FILE. GitHub is played by this machine: an ssh of ours runs there what it is asked to run, here;
and the repository's webhook gets what `gitreload add` printed to be pasted, and sends straight to
the server.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from demo.forge import Webhook, last_answer
from demo.server import Server, serving
from demo.stage import COURSE, DemoError, Stage, build, take
from demo.story import FIRST, SECOND

OWNER = "brook"
URL = f"git@github.com:{OWNER}/{COURSE}.git"
PUBLIC = "https://hooks.example.org"
MARKS = ("<!-- transcript -->\n", "<!-- end of the transcript -->\n")
SECONDS = 60


def main() -> int:
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="adding-") as folder:
        try:
            transcript = _run(Path(folder))
        except DemoError as error:
            print(f"The demo stops: {error}", file=sys.stderr)  # noqa: T201
            return 1
    before, _, rest = target.read_text().partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    target.write_text(f"{before}{MARKS[0]}\n{transcript}\n{MARKS[1]}{after}")
    return 0


def _run(root: Path) -> str:
    with take(root) as lock:
        stage = build(root, FIRST)
        _begin_anew(stage)
        with serving(stage, lock) as server:
            _wait_for(server, "checkouts followed below")
            return _Transcript(stage).play()


def _begin_anew(stage: Stage) -> None:
    """Take away what the demo begins with, a clone and its secret: this is how to get there."""
    shutil.rmtree(stage.checkout)
    config = json.loads(stage.config.read_text())
    del config["WEBHOOK_SECRETS"]
    stage.config.write_text(json.dumps({**config, "PUBLIC_URL": PUBLIC}, indent=4) + "\n")
    (stage.forge / OWNER).mkdir()
    (stage.forge / OWNER / f"{COURSE}.git").symlink_to(stage.repository)
    ssh = stage.root / "ssh"
    ssh.write_text(f'#!/bin/sh\nfor last; do :; done\ncd {stage.forge} && exec sh -c "$last"\n')
    ssh.chmod(0o755)
    git = ["git", "config", "--global", "core.sshCommand", str(ssh)]
    subprocess.run(git, env=stage.environment, check=True)


def _wait_for(server: Server, line: str) -> None:
    deadline = time.monotonic() + SECONDS
    said = ""
    while line not in said:
        said += server.news()
        if server.ended or time.monotonic() > deadline:
            raise DemoError(f"gitreload is not ready. It said:\n{said}")
        time.sleep(0.05)


class _Transcript:
    """Commands and what they print, as in a terminal."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._lines: list[str] = []
        self._short = {str(stage.author): "~/rivers", str(stage.server): "/srv/gitreload"}

    def play(self) -> str:
        stage, began = self._stage, time.monotonic()
        self._say("On the server:")
        told = self._command(f"gitreload add {URL}")
        self._paste(told)
        self._command(f"gitreload send {COURSE}", show=f"gitreload send {COURSE} --url {PUBLIC}")
        self._command("gitreload logs -f 1")
        self._say("The values are pasted at GitHub. On the author's machine, the first push:")
        stage.write_course(SECOND)
        self._command("git add -A", stage.author)
        self._command("git commit -qm 'A chapter on deltas'", stage.author)
        self._command("git push -q", stage.author)
        answer = last_answer(stage.webhook)
        if answer is None or not answer.jobs:
            raise DemoError("the push was not taken:\n" + "\n".join(self._lines))
        self._say("And on the server again:")
        self._command(f"gitreload logs -f {answer.jobs[0]}")
        self._command("gitreload list")
        took = time.monotonic() - began
        self._say(f"From the URL to the first live push, the commands took {took:.0f} s.")
        return "\n".join(self._lines)

    def _say(self, text: str) -> None:
        self._lines += ["", text, ""] if self._lines else [text, ""]

    def _paste(self, told: str) -> None:
        """Enter at the forge what was printed, as its page of the webhook asks for it."""
        secret = re.search(r"Secret +(\S+)", told)
        if secret is None or f"URL            {PUBLIC}/\n" not in told:
            raise DemoError(f"there is nothing to paste in this:\n{told}")
        stage = self._stage
        hook = Webhook(URL, f"{stage.address}/", secret[1], stage.webhook.answers)
        hook.save(stage.forge / "webhook.json")

    def _command(self, line: str, folder: Path | None = None, show: str | None = None) -> str:
        """Run `line`, of which `show` is shown; where it fails, that is the end."""
        done = subprocess.run(
            shlex.split(line),
            cwd=folder or self._stage.server,
            env=self._stage.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DemoError(f"{line} failed:\n{done.stdout}")
        text = done.stdout
        for path, name in self._short.items():
            text = text.replace(path, name)
        text = text.replace(self._stage.address, PUBLIC)
        printed = [each.rstrip() for each in text.rstrip("\n").split("\n")] if text else []
        if self._lines[-1] == "```":
            self._lines[-1] = ""
        else:
            self._lines.append("```console")
        self._lines += [f"$ {show or line}", *printed, "```"]
        return done.stdout


sys.exit(main())
