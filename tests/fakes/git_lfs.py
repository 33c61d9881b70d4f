"""What gitreload uses of git-lfs, for machines that lack it: `fetch` from file://.

It keeps contents where git-lfs does, in the remote's and the clone's `lfs/objects`, and says what
that says where one is missing.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize \d+\n"
)


def install(folder: Path) -> None:
    """Put a `git-lfs` into `folder`, which has to be on the PATH."""
    program = folder / "git-lfs"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n')
    program.chmod(0o755)


def stored(repository: Path, content: bytes) -> str:
    """Keep `content` for a bare repository, as `git lfs push` does; the pointer to it."""
    oid = hashlib.sha256(content).hexdigest()
    place = _place(repository, oid)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"


def _place(git_dir: Path, oid: str) -> Path:
    return git_dir / "lfs/objects" / oid[:2] / oid[2:4] / oid


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], capture_output=True, check=True).stdout


def _own() -> Path:
    return Path(_git("rev-parse", "--absolute-git-dir").decode().strip())


def _fetch(remote: str, revision: str) -> int:
    url = _git("config", "lfs.url").decode().strip()
    missing = False
    for entry in _git("ls-tree", "-r", "-z", revision).split(b"\0")[:-1]:
        kind, blob = entry.split(b"\t")[0].decode().split(" ")[1:]
        found = _POINTER.fullmatch(_git("cat-file", "blob", blob)) if kind == "blob" else None
        if found is None:
            continue
        oid = found[1].decode()
        here, there = _place(_own(), oid), _place(Path(url.removeprefix("file://")), oid)
        if not here.exists() and there.exists():
            here.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(there, here)
        elif not here.exists():
            missing = True
            print(f'error transferring "{oid}": [0] remote missing object {oid}', file=sys.stderr)
    if missing:
        print(f"error: failed to fetch some objects from '{url}'", file=sys.stderr)
    return 2 if missing else 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["fetch", remote, revision]:
            sys.exit(_fetch(remote, revision))
        case arguments:
            sys.exit(f"git-lfs {arguments} is not used by gitreload")
