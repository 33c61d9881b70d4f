"""What many tests need: real repositories, and waiting without sleeping blindly."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner, Result

import fakes.caseless
from fakes.caseless import DEVICE
from gitreload.cli import app
from gitreload.ledger import Ledger
from gitreload.ledger.database import FILE_NAME
from gitreload.ledger.tables import deliveries, jobs

T = TypeVar("T")


def wait_until(
    probe: Callable[[], T | None], *, seconds: float = 60, what: str = "the condition"
) -> T:
    """The first true value of `probe`; fails the test when none comes within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds} s")
        time.sleep(0.02)


def git(*args: str, cwd: Path | str) -> str:
    """Run real git in `cwd`; its output, stripped. Fails the test when git fails."""
    done = subprocess.run(["git", *args], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(args)}: {done.stderr}"
    return done.stdout.strip()


def run_command(*args: str, env: Mapping[str, str]) -> Result:
    """Run a command of ours in this process: to start one takes longer than what most do."""
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        return CliRunner().invoke(app, list(args), env=env)
    finally:
        signal.signal(signal.SIGINT, interrupt)


@functools.cache
def empty_ledger() -> bytes:
    """A ledger's file with all tables and nothing in them: to make one takes a while."""
    with tempfile.TemporaryDirectory() as folder:
        Ledger.open(Path(folder)).close()
        return Path(folder, FILE_NAME).read_bytes()


def counts(ledger: Ledger) -> tuple[int, int]:
    """How many deliveries and jobs the ledger holds."""
    with ledger.database.read() as connection:
        held, owed = (
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (deliveries, jobs)
        )
    return held, owed


needs_mount = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None,
    reason="mounting a small file system needs root",
)


@contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[None]:
    """A small file system of its own in `folder`; `size` may have further options of mount."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False
    )
    if done.returncode:
        pytest.skip("this machine does not let tests mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def caseless(folder: Path) -> Iterator[None]:
    """A file system of its own in `folder`, which takes upper and lower case for the same."""
    if os.geteuid() != 0 or not Path(DEVICE).exists():
        pytest.skip("a file system that does not tell upper from lower case needs root and FUSE")
    folder.mkdir(parents=True)
    command = [sys.executable, "-I", "-S", str(fakes.caseless.__file__), str(folder)]
    with subprocess.Popen(command) as server:
        wait_until(lambda: folder.is_mount() or server.poll())
        if server.returncode:
            pytest.skip("this machine does not let tests mount a file system")
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Remote:
    """A bare repository and a work tree that pushes to it: the author's side."""

    def __init__(
        self, folder: Path, name: str = "course", *options: str, pattern: Pattern | None = None
    ) -> None:
        """`options` are for `git init`; with a `pattern` it is a copy of that one's remote."""
        self.bare = folder / f"{name}.git"
        self.work = folder / f"{name}-author"
        self._pattern = pattern
        folder.mkdir(parents=True, exist_ok=True)
        if pattern is not None:
            shutil.copytree(pattern.remote.bare, self.bare)
            shutil.copytree(pattern.remote.work, self.work)
            return
        git("init", "-q", "--bare", "-b", "main", *options, str(self.bare), cwd=folder)
        git("init", "-q", "-b", "main", *options, str(self.work), cwd=folder)
        # A path that is right for copies too, and nothing that works on in the background.
        with (self.work / ".git/config").open("a") as config:
            config.write(f'[remote "origin"]\n\turl = ../{self.bare.name}\n')
            config.write("\tfetch = +refs/heads/*:refs/remotes/origin/*\n")
            config.write("[maintenance]\n\tauto = false\n")
        with (self.bare / "config").open("a") as config:
            config.write("[receive]\n\tautoGC = false\n")

    @property
    def url(self) -> str:
        return f"file://{self.bare}"

    def commit(self, files: dict[str, str], message: str = "change", branch: str = "main") -> str:
        """Commit `files` on `branch`, push it, and return the new revision."""
        if (self.work / ".git/HEAD").read_text() != f"ref: refs/heads/{branch}\n":
            git("checkout", "-q", "-B", branch, cwd=self.work)
        for name, text in files.items():
            target = self.work / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        git("add", "-A", cwd=self.work)
        git("commit", "-q", "--allow-empty", "-m", message, cwd=self.work)
        self.push(branch)
        return (self.work / ".git/refs/heads" / branch).read_text().strip()

    def push(self, branch: str = "main", *options: str) -> None:
        git("push", "-q", *options, "origin", branch, cwd=self.work)

    def clone(self, target: Path, *options: str) -> Path:
        """Clone as an operator would by hand, into `target`."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if self._pattern is None or options or not self._pattern.is_of(self.bare):
            git("clone", "-q", *options, self.url, str(target), cwd=target.parent)
        else:
            self._pattern.clone_of(self.url, target)
        return target


class Pattern:
    """A remote with one commit on `main` and a clone of it, made once and copied for each test.

    To copy takes a tenth of the time of making them.
    """

    def __init__(self, folder: Path) -> None:
        self.remote = Remote(folder / "forge")
        self.remote.commit({"README.md": "first\n"}, "first")
        self._clone = self.remote.clone(folder / "clone")
        self._files = _stamps(self.remote.bare)

    def is_of(self, bare: Path) -> bool:
        """Whether a copy of the bare repository is as it was copied, file for file."""
        return _stamps(bare) == self._files

    def clone_of(self, url: str, target: Path) -> None:
        """What `git clone` makes of a copy that nothing was changed in."""
        shutil.copytree(self._clone, target, dirs_exist_ok=True)
        config = target / ".git/config"
        config.write_text(config.read_text().replace(self.remote.url, url))
        git("update-index", "-q", "--refresh", cwd=target)  # as other files are in it


def _stamps(folder: Path) -> dict[Path, tuple[int, int]]:
    found = {path.relative_to(folder): path.stat() for path in folder.rglob("*") if path.is_file()}
    return {path: (stat.st_mtime_ns, stat.st_size) for path, stat in found.items()}


def check_snapshot(name: str, text: str) -> None:
    """Compare with tests/snapshots/NAME, exactly; with UPDATE_SNAPSHOTS=1 write it instead."""
    path = Path(__file__).with_name("snapshots") / name
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(text)
    assert text == path.read_text(), f"if that is meant: UPDATE_SNAPSHOTS=1 pytest, and read {name}"
