"""Courses as Studio takes them: the same bytes for the same files, and nothing else in them."""

from __future__ import annotations

import os
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitreload.importers.studio import archive
from gitreload.importers.studio.archive import packed
from gitreload.model import PermanentError, TransientError
from helpers import needs_mount, tmpfs

Files = dict[str, bytes]


def write(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def pack(root: Path, spool: Path, within: Path | None = None) -> bytes:
    with packed(root, within or root, spool) as archive:
        content = archive.file.read()
    assert len(content) == archive.size
    return content


def contents(root: Path, spool: Path, within: Path | None = None) -> Files:
    with (
        packed(root, within or root, spool) as archive,
        tarfile.open(fileobj=archive.file, mode="r:gz") as tar,
    ):
        found = {}
        for entry in tar:
            assert entry.isreg()
            assert (entry.mtime, entry.mode, entry.uid, entry.gid) == (0, 0o644, 0, 0)
            assert (entry.uname, entry.gname) == ("", "")
            source = tar.extractfile(entry)
            assert source is not None
            found[entry.name] = source.read()
    return found


def test_the_same_files_make_the_same_bytes_whoever_checked_them_out(tmp_path: Path) -> None:
    files = {"course.xml": b"<course/>", "b/x.xml": b"x", "b.xml": b"y", "a/é.html": b"z" * 5000}
    first = write(tmp_path / "first", files)
    second = write(tmp_path / "second", dict(reversed(files.items())))
    for number, path in enumerate(sorted(second.rglob("*"))):
        os.utime(path, (number * 1000, number * 1000))
        path.chmod(0o700)
    one, other = pack(first, tmp_path / "spool"), pack(second, tmp_path / "elsewhere")
    assert one == other
    assert one != pack(write(second, {"b.xml": b"Y"}), tmp_path / "spool")


_NAME = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
_PATH = st.lists(_NAME.filter(lambda name: len(name.encode()) < 200), min_size=1, max_size=3)


@settings(max_examples=40)
@given(st.lists(st.tuples(_PATH, st.binary(max_size=200)), max_size=8))
def test_every_file_is_in_it_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[list[str], bytes]]
) -> None:
    root = tmp_path_factory.mktemp("course")
    files: Files = {}
    for parts, content in drawn:
        try:
            write(root, {"/".join(parts): content})
        except OSError:  # ".", or a directory where another drawn name is a file
            continue
        files[os.path.normpath("/".join(parts))] = content
    kept = {
        f"course/{name}": content
        for name, content in files.items()
        if not {".git", ".gitreload"} & set(name.split("/")) and not name.startswith("..")
    }
    assert contents(root, root.parent / "spool") == kept


def test_a_name_that_is_not_utf_8_is_kept(tmp_path: Path) -> None:
    root = tmp_path / "course"
    root.mkdir()
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.html")).write_bytes(b"x")
    assert contents(root, tmp_path / "spool") == {os.fsdecode(b"course/caf\xe9.html"): b"x"}


def test_what_is_gits_and_ours_stays_out(tmp_path: Path) -> None:
    root = write(tmp_path / "c", {"course.xml": b"x", ".git/config": b"x", "a/.git": b"x"})
    write(root, {".gitreload/x": b"x", ".tx/config": b"y"})
    assert [*contents(root, tmp_path / "spool")] == ["course/course.xml", "course/.tx/config"]


def test_links_that_stay_inside_are_stored_as_what_they_lead_to(tmp_path: Path) -> None:
    checkout = write(tmp_path / "c", {"shared/a.html": b"a", "one/course.xml": b"x"})
    (checkout / "one/b.html").symlink_to("../shared/a.html")
    (checkout / "one/static").symlink_to("../shared")
    (checkout / "one/itself").symlink_to(".")
    assert contents(checkout / "one", tmp_path / "spool", checkout) == {
        "course/b.html": b"a",
        "course/course.xml": b"x",
        "course/static/a.html": b"a",
    }


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("../secret", "a.html is a link that leads out of the checkout"),
        ("/etc/passwd", "leads out of the checkout"),
        ("gone", "a.html cannot be read: No such file"),
        ("a.html", "a.html cannot be read: Too many levels"),
        ("/dev/null", "leads out of the checkout"),
    ],
)
def test_other_links_are_refused(tmp_path: Path, target: str, why: str) -> None:
    write(tmp_path, {"secret": b"x"})
    root = write(tmp_path / "c", {"course.xml": b"x"})
    (root / "a.html").symlink_to(target)
    with pytest.raises(PermanentError, match=why):
        pack(root, tmp_path / "spool")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.html")
    with pytest.raises(PermanentError, match=r"a\.html is not a file"):
        pack(tmp_path, tmp_path / "spool")


def test_links_that_make_few_files_many_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST", 1000)
    write(tmp_path / "c", {"20/course.xml": b"x"})
    for number in range(20):
        for name in "ab":
            (tmp_path / f"c/{number}").mkdir(exist_ok=True)
            (tmp_path / f"c/{number}/{name}").symlink_to(f"../{number + 1}")
    with pytest.raises(PermanentError, match="more than 1,000 files, or links"):
        pack(tmp_path / "c/0", tmp_path / "spool", tmp_path / "c")


def test_memory_does_not_grow_with_the_course(tmp_path: Path) -> None:
    with (write(tmp_path / "c", {"course.xml": b"x"}) / "video.mp4").open("wb") as video:
        video.truncate(64 * 2**20)
    tracemalloc.start()
    try:
        with packed(tmp_path / "c", tmp_path, tmp_path / "spool"):
            assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_nothing_is_left_on_the_disk(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    with packed(write(tmp_path / "c", {"course.xml": b"x"}), tmp_path, spool):
        assert [*spool.iterdir()] == []


@needs_mount
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    root = write(tmp_path / "c", {"a.bin": os.urandom(2**20)})
    spool = tmp_path / "spool"
    with (
        tmpfs(spool, "64k"),
        pytest.raises(TransientError, match=f"cannot be packed in {spool}: No space left"),
    ):
        pack(root, spool)


def test_it_can_be_stopped(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    root = write(tmp_path / "c", {"course.xml": b"x"})
    with pytest.raises(KeyboardInterrupt), packed(root, root, tmp_path, stop):
        pass
