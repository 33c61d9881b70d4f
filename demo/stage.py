"""The demo's stage: a forge, an author's clone, a server's clone and a platform in one directory.

Nothing is read or written elsewhere: the stage has a home of its own, and what the environment
says to git and gitreload is left out.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from demo.forge import Webhook
from gitreload.locks import Lock

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
sys.path.insert(0, str(ROOT / "tests"))

from fakes import course, platform  # noqa: E402 - the stand-ins are the tests' own

COURSE = "rivers"
KEY = "Brook/Rivers/2026"
# A short name of the scratch forge, which a rule in each clone (`url.….insteadOf`) resolves.
FORGE = "file://forge/"
REMOTE = f"{FORGE}{COURSE}.git"
LOCK = "demo.lock"


class DemoError(Exception):
    """A sentence for who watches: what is wrong, and what to do."""


@dataclass(frozen=True)
class Stage:
    """Everything below `root`."""

    root: Path
    port: int

    @property
    def forge(self) -> Path:
        return self.root / "forge"

    @property
    def repository(self) -> Path:
        return self.forge / f"{COURSE}.git"

    @property
    def author(self) -> Path:
        return self.root / "author" / COURSE

    @property
    def server(self) -> Path:
        return self.root / "server"

    @property
    def repodir(self) -> Path:
        return self.server / "repos"

    @property
    def checkout(self) -> Path:
        return self.repodir / COURSE

    @property
    def config(self) -> Path:
        return self.server / "gr.env.json"

    @property
    def commands(self) -> Path:
        """Holds `gitreload` alone: olxcleaner would have much to say of so small a course."""
        return self.root / "bin"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def platform(self) -> platform.Platform:
        return platform.Platform(self.server / "platform")

    @property
    def webhook(self) -> Webhook:
        return Webhook.load(self.forge / "webhook.json")

    @property
    def environment(self) -> dict[str, str]:
        """What all of the demo's commands get."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GIT_", "GITRELOAD_", "XDG_"))
        }
        return kept | {
            "HOME": str(self.root / "home"),
            "PATH": f"{self.commands}:{os.environ['PATH']}",
            "GITRELOAD_CONFIG": str(self.config),
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def write_course(self, chapters: dict[str, str]) -> None:
        """Let the author have `chapters`: titles, and the HTML of their pages."""
        org, name, run = KEY.split("/")
        course.write_course(self.author, org=org, course=name, run=run, chapters=chapters)


def take(root: Path) -> Lock:
    """The right to use the stage at `root`, until the lock is released by all who inherit it."""
    if root.exists() and not (root / LOCK).exists() and any(root.iterdir()):
        raise DemoError(f"{root} is no demo's: name a directory that is empty or not there yet")
    lock = Lock.take(root / LOCK)
    if lock is None:
        raise DemoError(
            f"another demo runs in {root}, or its server does: end it with Ctrl-C in its terminal"
        )
    return lock


def build(root: Path, chapters: dict[str, str], port: int | None = None) -> Stage:
    """Lay out the stage in place of an older one; the course has `chapters` and is pushed."""
    if shutil.which("git") is None:
        raise DemoError("there is no git on the PATH: install it (Debian: apt-get install git)")
    for old in root.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    stage = Stage(root, port or _free_port())
    for folder in (
        stage.forge,
        stage.author.parent,
        stage.repodir,
        stage.commands,
        root / "home",
    ):
        folder.mkdir(parents=True)
    (stage.commands / "gitreload").symlink_to(BIN / "gitreload")
    _git(stage, "init", "-q", "--bare", "-b", "main", str(stage.repository))
    _clone(stage, stage.author)
    for key, value in {"name": "Ada", "email": "ada@example.org"}.items():
        _git(stage, "config", f"user.{key}", value, cwd=stage.author)
    _git(stage, "checkout", "-q", "-B", "main", cwd=stage.author)
    stage.write_course(chapters)
    _git(stage, "add", "-A", cwd=stage.author)
    _git(stage, "commit", "-q", "-m", "The first chapter", cwd=stage.author)
    _git(stage, "push", "-q", "-u", "origin", "main", cwd=stage.author)
    _clone(stage, stage.checkout)
    _configure(stage)
    return stage


def _configure(stage: Stage) -> None:
    """The server's gr.env.json, and the webhook in the forge that goes with it."""
    secret = secrets.token_urlsafe(24)
    built = platform.build(stage.platform.root, repodir=stage.repodir)
    config = {
        "REPODIR": str(stage.repodir),
        "STATE_DIR": str(stage.server / "state"),
        "PORT": stage.port,
        "WEBHOOK_SECRETS": [secret],
        "LOG_LEVEL": "INFO",
        **built.keys(),
    }
    stage.config.write_text(json.dumps(config, indent=4) + "\n")
    settings = stage.forge / "webhook.json"
    answers = stage.forge / "answers.jsonl"
    Webhook(f"file://{stage.repository}", f"{stage.address}/", secret, answers).save(settings)
    command = shlex.join([sys.executable, str(ROOT / "demo/forge.py"), str(settings)])
    hook = stage.repository / "hooks/post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec {command}\n")
    hook.chmod(0o755)


def _clone(stage: Stage, target: Path) -> None:
    rule = f"url.file://{stage.forge}/.insteadOf={FORGE}"
    _git(stage, "clone", "-q", "-c", rule, REMOTE, str(target))


def _git(stage: Stage, *arguments: str, cwd: Path | None = None) -> None:
    done = subprocess.run(
        ["git", *arguments],
        cwd=cwd or stage.root,
        env=stage.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DemoError(f"git {shlex.join(arguments)} failed: {done.stderr.strip()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
