"""`STATE_DIR`: that it is there, ours, and on a file system where locks and fsync hold."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path

from gitreload.model import PermanentError, TransientError

# File systems on which SQLite's write-ahead log cannot work (it needs memory shared between
# processes of one host) or flock is not kept: https://sqlite.org/wal.html
NETWORK = frozenset(
    {"afs", "ceph", "cifs", "coda", "fuse.ceph", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs"}
    | {"glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"}
)
# How mountinfo writes a space, tab, newline or backslash of a name: proc(5).
_OCTAL = re.compile(rb"\\([0-7]{3})")


def prepare(state_dir: Path) -> None:
    """Make the directory, readable by nobody else, and check it.

    Raises PermanentError where it can never serve, TransientError where it cannot now.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise TransientError(
            f"STATE_DIR {state_dir} cannot be made ({error.strerror}): make it by hand and give it "
            "to the user that runs gitreload, or set STATE_DIR to a directory that this user owns"
        ) from error
    _check_owner(state_dir)
    kind = file_system(state_dir)
    if kind in NETWORK:
        raise PermanentError(
            f"STATE_DIR {state_dir} is on a network file system ({kind}), where the ledger could "
            "be damaged and locks do not hold: set STATE_DIR to a directory on a local disk"
        )
    if not os.access(state_dir, os.W_OK | os.X_OK):
        raise TransientError(
            f"STATE_DIR {state_dir} is not writable for this user: give it to the user that runs "
            "gitreload (chown), or mount its file system read-write"
        )


def _check_owner(state_dir: Path) -> None:
    owner = state_dir.stat().st_uid
    if owner == os.geteuid():
        return
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"#{owner}"
    raise PermanentError(
        f"STATE_DIR {state_dir} belongs to the user {name}, who runs the service; do it as that "
        f"user: sudo -u '{name}' gitreload …"
    )


def file_system(path: Path, mountinfo: Path = Path("/proc/self/mountinfo")) -> str:
    """The type of the file system that holds `path`: proc(5), mountinfo; "" where unknown."""
    try:
        lines = mountinfo.read_bytes().splitlines()
    except OSError:
        return ""
    target = os.fsencode(path.resolve())
    best, kind = b"", b""
    for line in lines:
        before, _, after = line.partition(b" - ")
        mount = _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), before.split(b" ")[4])
        inside = target == mount or target.startswith(mount.rstrip(b"/") + b"/")
        # A later line lies over an earlier one at the same place.
        if inside and len(mount) >= len(best):
            best, kind = mount, after.split(b" ")[0]
    return kind.decode("ascii", "replace")
