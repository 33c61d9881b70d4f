"""Opening a ledger: made once, by whoever comes first, and refused where it cannot hold."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gitreload.ledger import Ledger, LedgerUnavailable, migrate, statedir
from gitreload.ledger.tables import metadata
from gitreload.model import PermanentError, TransientError

from .builders import Clock, a_checkout, an_entry, database_file


def test_migrations_make_exactly_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path)
    with ledger.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        differences = compare_metadata(context, metadata)
        made = _schema(connection.connection.driver_connection)
    ledger.close()
    assert differences == []
    # Alembic compares neither conditions of indexes nor AUTOINCREMENT: those by their text.
    assert made == _schema_of_metadata(tmp_path / "direct.sqlite3")


def test_one_line_tells_that_the_ledger_was_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    Ledger.open(tmp_path).close()
    Ledger.open(tmp_path).close()
    assert caplog.messages == [f"made the ledger {database_file(tmp_path)}, version 0001"]


def _schema(connection: object) -> dict[str, str]:
    assert isinstance(connection, sqlite3.Connection)
    found = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        " AND name NOT IN ('alembic_version', 'sqlite_sequence')"
    )
    return {name: "".join(sorted(sql.replace(",", " ").split())) for name, sql in found}


def _schema_of_metadata(path: Path) -> dict[str, str]:
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    engine.dispose()
    connection = sqlite3.connect(path)
    try:
        return _schema(connection)
    finally:
        connection.close()


def test_opening_again_needs_no_alembic(state_dir: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gitreload.ledger import Ledger\n"
        f"Ledger.open(Path({str(state_dir)!r})).close()\n"
        "print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_many_processes_that_start_at_once_make_the_tables_once(tmp_path: Path) -> None:
    # Eight forks of one process that has loaded everything start when the pipe is closed.
    code = f"""
import os, sys
from pathlib import Path
from gitreload.ledger import Ledger
gate, opener = os.pipe()
children = []
for number in range(8):
    child = os.fork()
    if child == 0:
        os.close(opener)
        os.read(gate, 1)
        ledger = Ledger.open(Path({str(tmp_path / "state")!r}), "pool")
        ledger.enter_worker(f"worker-{{number}}")
        ledger.close()
        sys.exit(0)
    children.append(child)
os.close(opener)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    connection = sqlite3.connect(database_file(tmp_path / "state"))
    assert connection.execute("SELECT count(*) FROM workers").fetchone() == (8,)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
        (migrate.VERSION,)
    ]
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_newer_ledger_is_refused_with_a_sentence_and_left_alone(state_dir: Path) -> None:
    with sqlite3.connect(database_file(state_dir)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
    connection.close()
    before = database_file(state_dir).read_bytes()
    with pytest.raises(PermanentError, match="written by a newer gitreload") as refused:
        Ledger.open(state_dir)
    assert "ledger version 0999" in str(refused.value)
    assert str(database_file(state_dir)) in str(refused.value)
    assert "install that version again, or put back a backup" in str(refused.value)
    assert database_file(state_dir).read_bytes() == before


def test_the_newest_migration_is_the_version_of_this_program() -> None:
    versions = Path(migrate.__file__).parent / "migrations" / "versions"
    assert max(path.name[:4] for path in versions.glob("[0-9]*.py")) == migrate.VERSION


def test_what_was_recorded_is_there_after_a_restart(state_dir: Path, clock: Clock) -> None:
    ledger = Ledger.open(state_dir, "pool", clock)
    recorded = ledger.record([an_entry(a_checkout(), at=clock())])[0]
    ledger.close()
    again = Ledger.open(state_dir, "pool", clock)
    assert [job.id for job in again.unfinished()] == list(recorded.jobs)
    again.close()


def test_state_is_for_nobody_else_to_read(tmp_path: Path) -> None:
    state_dir = tmp_path / "var" / "state"
    before = os.umask(0o022)
    try:
        Ledger.open(state_dir).close()
    finally:
        os.umask(before)
    assert state_dir.stat().st_mode & 0o777 == 0o700
    assert database_file(state_dir).stat().st_mode & 0o777 == 0o600


def test_a_state_dir_that_cannot_be_made_names_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TransientError, match=r"STATE_DIR .*/file/state cannot be made .*make it"):
        Ledger.open(tmp_path / "file" / "state")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_state_dir_of_another_user_names_that_user(tmp_path: Path) -> None:
    for owner, name in ((1, "daemon"), (54_321, "#54321")):
        os.chown(tmp_path, owner, -1)
        with pytest.raises(PermanentError, match=f"belongs to the user {name}.*sudo -u '{name}'"):
            Ledger.open(tmp_path)


def test_something_else_in_the_ledgers_place_is_not_touched(tmp_path: Path) -> None:
    database_file(tmp_path).write_bytes(b"a shopping list, by no means a database\n" * 50)
    with pytest.raises(LedgerUnavailable, match=r"ledger\.sqlite3 cannot be used .*correct STATE"):
        Ledger.open(tmp_path)
    assert database_file(tmp_path).read_bytes().startswith(b"a shopping list")


def test_a_directory_that_cannot_be_locked_is_told(tmp_path: Path) -> None:
    (tmp_path / "migrate.lock").mkdir()
    with pytest.raises(LedgerUnavailable, match=r"migrate\.lock cannot be used \(Is a directory\)"):
        Ledger.open(tmp_path)


def test_too_old_an_sqlite_is_named_with_the_version_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")
    with pytest.raises(PermanentError, match=r"uses SQLite 3\.34\.1, and the ledger needs 3\.35 "):
        Ledger.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


class TestFileSystem:
    MOUNTS = b"""\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:26 / /netdata rw,relatime shared:2 - nfs4 server:/export rw,vers=4.2
31 30 0:27 / /netdata/local rw - xfs /dev/vdb rw
32 22 0:28 / /mnt/with\\040space rw - cifs //server/share rw
33 22 0:29 / /mnt/caf\\303\\251 rw - fuse.sshfs host: rw
34 22 0:30 / /mnt/\xff rw - nfs server:/x rw
35 22 0:31 / /over rw - nfs server:/y rw
36 22 0:32 / /over rw - tmpfs tmpfs rw
"""

    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("/var/lib/gitreload", "ext4"),
            ("/netdata", "nfs4"),
            ("/netdata/gitreload", "nfs4"),
            ("/netdatabase", "ext4"),
            ("/netdata/local/gitreload", "xfs"),
            ("/mnt/with space/state", "cifs"),
            ("/mnt/café", "fuse.sshfs"),
            ("/mnt/\udcff/state", "nfs"),
            ("/over/state", "tmpfs"),
        ],
    )
    def test_it_is_the_one_of_the_innermost_mount(
        self, tmp_path: Path, path: str, kind: str
    ) -> None:
        mountinfo = tmp_path / "mountinfo"
        mountinfo.write_bytes(self.MOUNTS)
        assert statedir.file_system(Path(path), mountinfo) == kind

    def test_links_are_followed(self, tmp_path: Path) -> None:
        (tmp_path / "mountinfo").write_bytes(self.MOUNTS)
        (tmp_path / "link").symlink_to("/netdata/gitreload")
        assert statedir.file_system(tmp_path / "link", tmp_path / "mountinfo") == "nfs4"

    def test_where_nothing_tells_it_is_unknown(self, tmp_path: Path) -> None:
        assert statedir.file_system(tmp_path, tmp_path / "none") == ""

    def test_the_real_one_is_known(self, tmp_path: Path) -> None:
        assert statedir.file_system(tmp_path) not in {"", *statedir.NETWORK}

    @pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "glusterfs"])
    def test_a_network_file_system_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        monkeypatch.setattr(statedir, "file_system", lambda _: kind)
        with pytest.raises(PermanentError, match=f"network file system \\({kind}\\)") as refused:
            Ledger.open(tmp_path / "state")
        assert "set STATE_DIR to a directory on a local disk" in str(refused.value)
        assert not database_file(tmp_path / "state").exists()
