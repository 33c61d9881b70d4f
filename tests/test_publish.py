"""Revisions beside a symlink, with real git: what is served, what is kept, what is refused."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from gitreload import git as gitreload_git
from gitreload.checkouts import Checkouts
from gitreload.drafts import Tree
from gitreload.model import GitreloadError, PermanentError, TransientError
from gitreload.process import Runner
from gitreload.publish import HeldError, Published
from gitreload.setting_groups import PublishSettings, RepoSettings
from gitreload.settings import Settings
from helpers import Remote, git, needs_mount, tmpfs


class Site:
    """A checkout of `remote`, and what it is published as, on a clock that stands still."""

    def __init__(self, folder: Path, remote: Remote) -> None:
        self.remote = remote
        self.lines: list[str] = []
        self.repodir = folder / "repos"
        self.course = self.repodir / "course"
        if not self.course.exists():
            remote.clone(self.course)
        self.now = 1_800_000_000.0
        self.prepares = True
        self.link = folder / "published/course"
        self.published = self.of()

    def of(self, *, keep: int = 3, grace: float = 0, hardlinks: bool = False) -> Published:
        self.published = Published(self.link, keep, grace, hardlinks, lambda: self.now)
        return self.published

    def write(self, revision: str) -> Callable[[Path, Path], None]:
        checkout = Checkouts(self.repodir, {}).get("course")
        assert checkout is not None
        runner = Runner(log=self.lines.append)
        return lambda folder, index: gitreload_git.write(
            checkout, runner, revision, folder=folder, index=index, timeout=60
        )

    def publish(
        self,
        revision: str | None = None,
        validate: Callable[[Path], None] = lambda _folder: None,
        *,
        may_switch: bool = True,
    ) -> bool:
        """Publish a revision, that of the remote by default; a second goes by.

        With `prepares` what follows is done too.
        """
        self.now += 1
        git("fetch", "-q", "origin", cwd=self.course)
        revision = revision or git("rev-parse", "origin/main", cwd=self.course)
        switched = self.published.publish(
            revision,
            write=self.write(revision),
            validate=validate,
            may_switch=lambda: may_switch,
        )
        if self.prepares:
            self.published.make_ready()
        return switched

    def push(self, files: dict[str, str]) -> str:
        """Commit `files` and publish them."""
        revision = self.remote.commit(files)
        assert self.publish()
        return revision

    def folders(self) -> set[str]:
        found = {each.name for each in self.published.revisions.iterdir() if each.is_dir()}
        return found - {"next", "next-linked"}

    def rubbish(self) -> set[str]:
        """Whatever lies beside the revisions and does not belong to one."""
        kept = self.published.kept()
        drafts = {"next", "next-linked"}
        known = {name for each in {*kept, *drafts} for name in (each, f".{each}.index")}
        known.add(".lock")
        return {each.name for each in self.published.revisions.iterdir()} - known


@pytest.fixture
def site(tmp_path: Path, remote: Remote) -> Site:
    return Site(tmp_path, remote)


def tree(folder: Path) -> dict[str, object]:
    """All that is in a directory but `.git`: contents, where links lead, and who may run it."""
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = path.readlink()
        elif path.is_dir():
            found[name] = "directory"
        else:
            found[name] = (path.read_bytes(), os.access(path, os.X_OK))
    return {name: what for name, what in found.items() if name.split("/")[0] != ".git"}


def test_the_link_leads_to_a_directory_named_as_the_revision(site: Site) -> None:
    revision = site.push({"a/b.txt": "one\n"})
    assert site.link.readlink() == Path(".course.revisions", revision)
    assert (site.link / "a/b.txt").read_text() == "one\n"
    assert not (site.link / ".git").exists()
    assert site.published.served() == revision
    assert not site.rubbish()


def test_the_checkout_and_its_index_are_left_alone(site: Site) -> None:
    before = tree(site.course)
    site.push({"a.txt": "one\n", "README.md": "second\n"})
    site.push({"a.txt": "two\n"})
    assert tree(site.course) == before
    assert git("status", "--porcelain", cwd=site.course) == ""


@pytest.mark.parametrize("prepares", [False, True])
@pytest.mark.parametrize("hardlinks", [False, True])
class TestWhatIsWritten:
    @pytest.fixture(autouse=True)
    def _kind(self, site: Site, hardlinks: bool, prepares: bool) -> None:
        site.of(hardlinks=hardlinks)
        site.prepares = prepares

    def expect_a_fresh_clone(self, site: Site, folder: Path) -> None:
        clone = site.remote.clone(folder / "fresh")
        assert tree(site.link.resolve()) == tree(clone)
        shutil.rmtree(clone)

    def test_it_is_what_a_fresh_clone_has(self, site: Site, tmp_path: Path) -> None:
        work = site.remote.work
        (work / "sub").mkdir()
        (work / "sub/run.sh").write_text("#!/bin/sh\n")
        (work / "sub/run.sh").chmod(0o755)
        (work / "link").symlink_to("sub/run.sh")
        (work / "outside").symlink_to("/etc/passwd")
        (work / "folder").symlink_to("sub")
        for name in ("new\nline", os.fsdecode(b"\xff\xfe"), "ünï", "-rf", " "):
            (work / name).write_bytes(os.fsencode(name))
        pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
        site.push({".gitattributes": "*.bin filter=lfs\n*.bat eol=crlf\n", "big.bin": pointer})
        self.expect_a_fresh_clone(site, tmp_path)
        # All of it once more, now from the revision before.
        site.push({"sub/more.txt": "more\n"})
        self.expect_a_fresh_clone(site, tmp_path)
        assert (site.link / "big.bin").read_text() == pointer
        (work / "sub/run.sh").chmod(0o644)
        (work / "link").unlink()
        (work / "folder").unlink()
        (work / "folder").mkdir()
        (work / "sub/more.txt").unlink()
        site.push({"folder/file": "was a link\n", "sub/other": "\n", "link": "was a link\n"})
        self.expect_a_fresh_clone(site, tmp_path)

    def test_no_directory_stays_empty(self, site: Site, tmp_path: Path) -> None:
        site.push({"gone/deep/file": "x\n", "stays": "y\n"})
        shutil.rmtree(site.remote.work / "gone")
        site.push({})
        assert set(tree(site.link.resolve())) == {"README.md", "stays"}

    def test_attributes_convert_also_what_did_not_change(self, site: Site, tmp_path: Path) -> None:
        site.push({"a.txt": "one\ntwo\n"})
        site.push({".gitattributes": "*.txt eol=crlf\n"})
        assert (site.link / "a.txt").read_bytes() == b"one\r\ntwo\r\n"
        site.push({"b.txt": "three\n"})
        self.expect_a_fresh_clone(site, tmp_path)

    def test_what_somebody_changed_or_added_is_not_taken_over(
        self, site: Site, tmp_path: Path
    ) -> None:
        first = site.push({name: f"{name}\n" for name in ("a", "b", "c", "d/e", "f")})
        served = site.published.folder(first)
        (served / "a").write_text("tampered with\n")
        (served / "b").write_text("c\n")  # as long as before
        (served / "c").unlink()
        (served / "c").symlink_to("/etc/passwd")
        shutil.rmtree(served / "d")
        (served / "d").symlink_to("/etc")
        (served / "f").chmod(0o777)
        (served / "__pycache__").mkdir()
        site.push({"g": "g\n"})
        self.expect_a_fresh_clone(site, tmp_path)

    def test_unchanged_files_keep_their_times(self, site: Site) -> None:
        site.push({"a": "one\n", "b": "one\n"})
        before = (site.link / "a").stat().st_mtime_ns
        site.push({"b": "two\n"})
        assert (site.link / "a").stat().st_mtime_ns == before

    def test_an_index_that_is_lost_or_broken_only_costs_time(
        self, site: Site, tmp_path: Path
    ) -> None:
        first = site.push({"a": "one\n"})
        site.published.tree(first).index.write_bytes(b"nothing")
        second = site.push({"b": "two\n"})
        self.expect_a_fresh_clone(site, tmp_path)
        site.published.tree(second).index.unlink()
        site.push({"c": "three\n"})
        self.expect_a_fresh_clone(site, tmp_path)
        site.published.make_ready()
        assert not site.rubbish()


def test_an_archive_attribute_leaves_nothing_out(site: Site) -> None:
    site.push({".gitattributes": "secret export-ignore\nid ident export-subst\n", "secret": "x\n"})
    assert (site.link / "secret").read_text() == "x\n"


def test_a_submodule_is_an_empty_directory(site: Site) -> None:
    other = git("rev-parse", "HEAD", cwd=site.remote.work)
    entry = f"160000,{other},parts/sub"
    git("update-index", "--add", "--cacheinfo", entry, cwd=site.remote.work)
    git("commit", "-q", "-m", "add a submodule", cwd=site.remote.work)
    for number in range(3):
        # `git add -A` would take the gitlink out, as the author has no such directory.
        (site.remote.work / "parts/sub").mkdir(parents=True, exist_ok=True)
        site.push({"a": f"{number}\n"})
        assert list((site.link / "parts/sub").iterdir()) == []


def test_a_filter_of_the_operators_is_applied(site: Site) -> None:
    git("config", "filter.loud.smudge", "tr a-z A-Z", cwd=site.course)
    site.push({".gitattributes": "*.txt filter=loud\n", "a.txt": "quiet\n", "b": "quiet\n"})
    site.push({"c.txt": "more\n"})
    read = {name: (site.link / name).read_text() for name in ("a.txt", "b", "c.txt")}
    assert read == {"a.txt": "QUIET\n", "b": "quiet\n", "c.txt": "MORE\n"}


def test_a_partial_clone_fetches_what_it_lacks(tmp_path: Path, remote: Remote) -> None:
    git("config", "uploadpack.allowFilter", "true", cwd=remote.bare)
    remote.commit({"a": "one\n"})
    remote.clone(tmp_path / "repos/course", "--filter=blob:none", "--no-checkout")
    site = Site(tmp_path, remote)
    remote.commit({"b": "two\n"})
    site.publish()
    assert [(site.link / name).read_text() for name in "ab"] == ["one\n", "two\n"]


def test_objects_that_are_damaged_are_replaced_first(site: Site) -> None:
    site.remote.commit({"a": "one\n"})
    git("fetch", "-q", cwd=site.course)
    blob = git("rev-parse", "origin/main:a", cwd=site.course)
    damaged = site.course / ".git/objects" / blob[:2] / blob[2:]
    damaged.chmod(0o644)
    damaged.write_bytes(b"nothing")
    with pytest.raises(TransientError, match="objects of course were replaced while"):
        site.publish()
    assert any("replaced the damaged objects" in line for line in site.lines)
    assert site.publish()
    assert (site.link / "a").read_text() == "one\n"


def test_sha256_repositories_are_published_too(tmp_path: Path) -> None:
    remote = Remote(tmp_path, "course", "--object-format=sha256")
    remote.commit({"a": "one\n", "b": "one\n"})
    site = Site(tmp_path, remote)
    site.publish()
    unchanged = (site.link / "a").stat().st_mtime_ns
    assert len(site.push({"b": "two\n"})) == 64
    assert (site.link / "b").read_text() == "two\n"
    assert (site.link / "a").stat().st_mtime_ns == unchanged


def test_a_write_into_the_newest_changes_no_older_one(site: Site) -> None:
    first = site.push({"a": "one\n", "b": "one\n"})
    site.push({"b": "two\n"})
    with (site.link / "a").open("r+") as file:
        file.write("XXX")
    assert (site.published.folder(first) / "a").read_text() == "one\n"


def test_with_hardlinks_unchanged_files_are_one_file(site: Site) -> None:
    site.of(hardlinks=True)
    first = site.push({"a": "one\n", "b": "one\n"})
    site.push({"b": "two\n"})
    old = site.published.folder(first)
    assert (old / "a").samefile(site.link / "a")
    assert (old / "b").read_text() == "one\n"


def test_what_is_served_already_is_not_written_again(site: Site) -> None:
    site.push({"a": "one\n"})
    assert not site.publish()


def test_what_was_removed_by_hand_is_written_again(site: Site) -> None:
    site.push({"a": "one\n"})
    shutil.rmtree(site.published.revisions)
    assert site.publish()
    assert (site.link / "a").read_text() == "one\n"


def test_a_revision_that_is_kept_is_served_again_without_writing_it(site: Site) -> None:
    first = site.push({"a": "one\n"})
    inode = site.link.stat().st_ino
    second = site.push({"a": "two\n"})
    assert site.publish(first)
    assert site.link.stat().st_ino == inode
    assert site.published.kept() == [first, second]


class TestWhatIsMadeReady:
    def test_the_next_revision_begins_with_it(self, site: Site) -> None:
        site.push({"a": "one\n", "b": "one\n"})
        inode = (site.published.revisions / "next/a").stat().st_ino
        site.push({"b": "two\n"})
        assert (site.link / "a").stat().st_ino == inode

    def test_it_is_what_was_published_last(self, site: Site) -> None:
        first = site.push({"a": "one\n"})
        site.push({"a": "two\n"})
        site.published.roll_back()
        site.published.make_ready()
        draft = site.published.revisions / "next/a"
        assert draft.read_text() == "two\n"
        site.push({"a": "three\n"})
        site.publish(first)  # by a forced push
        assert draft.read_text() == "one\n"

    def test_without_hardlinks_nothing_is_linked_that_was_made_with_them(self, site: Site) -> None:
        site.of(hardlinks=True)
        first = site.push({"a": "one\n"})
        site.of()
        site.push({"b": "two\n"})
        assert not (site.link / "a").samefile(site.published.folder(first) / "a")
        assert not (site.published.revisions / "next-linked").exists()

    def test_what_somebody_does_to_it_is_undone(self, site: Site) -> None:
        site.push({"a": "one\n", "b": "one\n"})
        draft = site.published.revisions / "next"
        (draft / "a").write_text("tampered with\n")
        (draft / "b").unlink()
        site.push({"c": "two\n"})
        assert [(site.link / name).read_text() for name in "ab"] == ["one\n", "one\n"]

    @needs_mount
    def test_a_full_disk_is_told_and_leaves_nothing(self, tmp_path: Path, remote: Remote) -> None:
        with tmpfs(tmp_path / "published", "1m"):
            site = Site(tmp_path, remote)
            site.prepares = False
            revision = site.push({"a": "x" * 600_000})
            with pytest.raises(TransientError, match="with room for one more revision"):
                site.published.make_ready()
            assert site.published.served() == revision
            assert {each.name for each in site.published.revisions.iterdir()} == {
                *(revision, f".{revision}.index", ".lock")
            }


class TestTheLink:
    @pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
    def test_anything_but_a_link_is_left_in_place(
        self, site: Site, make: Callable[[Path], None]
    ) -> None:
        site.link.parent.mkdir()
        make(site.link)
        with pytest.raises(PermanentError, match=r"is no symbolic link.*PUBLISH\.LINK"):
            site.publish()
        assert not site.link.is_symlink()
        assert not site.published.revisions.exists()

    def test_nothing_is_published_within_the_checkout(self, site: Site) -> None:
        """By names that do not tell: those are refused with the configuration."""
        site.link.parent.symlink_to(site.course)
        settings = Settings(
            repodir=site.repodir,
            repos={"course": RepoSettings(publish=PublishSettings(link=site.link))},
        )
        published = Published.of(settings, "course")
        assert published is not None
        site.published = published
        with pytest.raises(PermanentError, match="lies within the checkout"):
            site.publish()
        assert git("status", "--porcelain", cwd=site.course) == ""

    @needs_mount
    def test_the_revisions_may_be_on_another_file_system(self, site: Site) -> None:
        with tmpfs(site.published.revisions, "1m"):
            site.push({"a": "one\n"})
            site.push({"a": "two\n"})
            assert (site.link / "a").read_text() == "two\n"

    def test_a_link_made_by_hand_is_taken_over_and_given_back(self, site: Site) -> None:
        """From in place to published and back: readers keep to one path."""
        site.link.parent.mkdir()
        site.link.symlink_to(site.course)
        assert site.published.served() is None
        site.push({"a": "one\n"})
        git("reset", "-q", "--hard", "origin/main", cwd=site.course)
        assert (site.link / "a").read_text() == "one\n"
        site.link.unlink()
        site.link.symlink_to(site.course)
        shutil.rmtree(site.published.revisions)
        assert (site.link / "a").read_text() == "one\n"
        site.push({"a": "two\n"})
        assert (site.link / "a").read_text() == "two\n"

    def test_a_place_that_cannot_be_written_is_told(self, site: Site) -> None:
        site.link.parent.write_text("a file in the way")
        with pytest.raises(TransientError, match=r"needs a place that can be written"):
            site.publish()


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:40])


def _with_no_end(file: Path) -> None:
    file.write_bytes(b"DIRC\0\0\0\2\xff\xff\xff\xff" + bytes(100))


def _with_another_bit(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"README", b"README"[::-1]))


def _of_nobody(file: Path) -> None:
    file.write_bytes(b"\xff\xfe of no build")


def _made_a_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


class TestAfterDamage:
    """To what is kept: a failing disk, a restored backup, somebody's hand."""

    @pytest.fixture
    def served(self, site: Site) -> str:
        site.prepares = False
        return site.push({"a": "one\n"})

    @pytest.mark.parametrize(
        "damage",
        [_cut, _with_no_end, _with_another_bit, _of_nobody, Path.unlink, _made_a_directory],
    )
    @pytest.mark.parametrize("pushed", [True, False])
    def test_to_an_index_the_tip_is_served_all_the_same(
        self, site: Site, served: str, damage: Callable[[Path], None], pushed: bool
    ) -> None:
        old = site.link.resolve()
        damage(site.published.tree(served).index)
        tip = site.remote.commit({"a": "two\n"}) if pushed else served
        name = site.published.name(tip, None, again=False)
        git("fetch", "-q", "origin", cwd=site.course)
        site.published.publish(
            name, write=site.write(tip), validate=lambda _folder: None, may_switch=lambda: True
        )
        assert (site.link / "a").read_text() == ("two\n" if pushed else "one\n")
        # Its readers were not disturbed.
        assert (old / "a").read_text() == "one\n"

    def test_to_the_files_of_the_served_one_it_is_written_anew(
        self, site: Site, served: str
    ) -> None:
        shutil.rmtree(site.link.resolve())
        (site.published.revisions / served).touch()
        name = site.published.name(served, None, again=False)
        assert name == f"{served}-2"
        assert site.published.kept() == []

    def test_something_else_in_the_place_of_the_revisions_is_told(
        self, site: Site, served: str
    ) -> None:
        shutil.rmtree(site.published.revisions)
        site.published.revisions.touch()
        for ask in (site.published.kept, lambda: site.published.earlier(served)):
            with pytest.raises(TransientError, match=r"revisions: Not a directory; publishing as"):
                ask()


class TestWhatIsKept:
    def test_what_a_job_removes_at_this_moment_is_not(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        revision = site.push({"a": "one\n"})
        (site.published.revisions / ("0" * 40)).mkdir()
        monkeypatch.setattr(Tree, "exists", True)  # as it was when it was looked at
        assert site.published.kept() == [revision]

    def push_many(self, site: Site, number: int) -> list[str]:
        """Revisions, the newest first."""
        return [site.push({"a": f"{each}\n"}) for each in range(number)][::-1]

    def test_the_newest_stay(self, site: Site) -> None:
        revisions = self.push_many(site, 5)
        assert site.published.kept() == revisions[:3]
        assert site.folders() == set(revisions[:3])
        assert not site.rubbish()

    def test_each_stays_for_its_grace_after_it_was_served(self, site: Site) -> None:
        site.of(keep=1, grace=3.5)
        # Pushes are a second apart, and each leaves the one before.
        revisions = self.push_many(site, 9)
        assert site.folders() == set(revisions[:5])
        site.now += 3
        site.publish()
        assert site.folders() == {revisions[0]}

    def test_what_is_served_stays_however_old(self, site: Site) -> None:
        revisions = self.push_many(site, 3)
        site.published.roll_back(revisions[2])
        site.of(keep=1)
        site.push({"b": "x"})
        site.publish(revisions[0])
        assert site.published.served() == revisions[0]
        assert (site.link / "a").read_text() == "2\n"

    def test_write_protected_directories_are_removed_too(self, site: Site) -> None:
        site.of(keep=1)
        first = site.push({"d/a": "one\n"})
        (site.published.folder(first) / "d").chmod(0o555)
        site.push({"d/a": "two\n"})
        site.push({"d/a": "three\n"})
        assert first not in site.folders()


@pytest.mark.parametrize("parts", ["folder", "index", "folder and index"])
@pytest.mark.parametrize("name", ["new", "old", "next", "next-linked", "0" * 40])
def test_what_a_crash_left_is_removed_by_the_next_run(site: Site, name: str, parts: str) -> None:
    site.of(keep=1)
    site.prepares = False
    first = site.push({"a": "one\n"})
    left = site.published.revisions
    new_link = site.link.with_name(".course.link")
    new_link.symlink_to("nowhere")
    if "folder" in parts:
        shutil.copytree(left / first, left / name)
    if "index" in parts:
        shutil.copy(site.published.tree(first).index, left / f".{name}.index")
    site.prepares = True
    site.push({"a": "two\n"})
    site.push({"a": "three\n"})
    assert (site.link / "a").read_text() == "three\n"
    assert not site.rubbish()
    assert not new_link.is_symlink()


# What changes something on disk, of https://docs.python.org/3/library/audit_events.html
_STEPS = frozenset(
    (
        *("os.mkdir", "os.rmdir", "os.rename", "os.remove", "os.symlink", "os.link", "os.utime"),
        *("shutil.copyfile", "subprocess.Popen"),
    )
)


def _killed_at(step: int, action: Callable[[], object]) -> bool:
    """Whether `action`, in a process of its own, had such a step; it was killed right before it."""
    pid = os.fork()
    if pid == 0:
        steps = itertools.count()

        def hook(event: str, _: object) -> None:
            if event in _STEPS and next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(hook)
            action()
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert status in (0, signal.SIGKILL)
    return status == signal.SIGKILL


@pytest.mark.parametrize("hardlinks", [False, True])
def test_killed_before_any_step_it_serves_the_old_or_the_new(site: Site, hardlinks: bool) -> None:
    published = site.of(keep=1, hardlinks=hardlinks)
    revisions = [site.push({"a": text, "b": text, "c": "same\n"}) for text in ("one", "two")]
    texts = dict(zip(revisions, ("one", "two"), strict=True))
    writes = {revision: site.write(revision) for revision in revisions}

    def publish(revision: str) -> None:
        published.publish(
            revision,
            write=writes[revision],
            validate=lambda _: None,
            may_switch=lambda: True,
        )
        published.make_ready()

    def serves() -> str:
        served = published.served()
        assert served is not None
        found = {name: (site.link / name).read_text() for name in "abc"}
        assert found == {"a": texts[served], "b": texts[served], "c": "same\n"}
        return served

    old, new = revisions[::-1]
    for step in itertools.count():
        site.now += 1
        killed = _killed_at(step, partial(publish, new))
        served = serves()
        assert served in (old, new)
        old, new = served, (old if served == new else new)
        site.now += 1
        publish(new)
        assert serves() == new
        assert not site.rubbish()
        old, new = new, old
        if not killed:
            break
    assert step > 20


class TestRollback:
    def test_goes_back_step_by_step(self, site: Site) -> None:
        first, second, third = (site.push({"a": f"{each}\n"}) for each in range(3))
        assert site.published.roll_back() == (second, third)
        assert (site.link / "a").read_text() == "1\n"
        assert site.published.roll_back() == (first, second)
        with pytest.raises(GitreloadError, match=f"no revision before {first[:12]} is kept"):
            site.published.roll_back()
        assert site.published.served() == first

    def test_to_one_that_is_named(self, site: Site) -> None:
        first, second = (site.push({"a": f"{each}\n"}) for each in range(2))
        assert site.published.roll_back(first[:7]) == (first, second)
        assert site.published.roll_back(second) == (second, first)
        assert site.published.roll_back(second) == (second, second)

    @pytest.mark.parametrize("wanted", ["", "zz", "../..", "0" * 40])
    def test_refuses_what_is_not_kept(self, site: Site, wanted: str) -> None:
        revision = site.push({"a": "one\n"})
        with pytest.raises(GitreloadError, match=f"kept are: {revision[:12]}$"):
            site.published.roll_back(wanted)

    def test_of_what_was_never_published(self, site: Site) -> None:
        with pytest.raises(GitreloadError, match="nothing is published"):
            site.published.roll_back()
        assert not site.link.parent.exists()


class TestRefusals:
    def refuse(self, folder: Path) -> None:
        assert (folder / "a").read_text() == "two\n"
        raise PermanentError("refused")

    def test_what_is_refused_is_never_served_and_leaves_nothing(self, site: Site) -> None:
        first = site.push({"a": "one\n"})
        site.remote.commit({"a": "two\n"})
        with pytest.raises(PermanentError, match="refused"):
            site.publish(validate=self.refuse)
        assert site.published.served() == first
        assert site.folders() == {first}
        assert not site.rubbish()
        assert site.publish()

    def test_what_was_served_before_is_looked_at_again(self, site: Site) -> None:
        second = site.push({"a": "two\n"})
        third = site.push({"a": "three\n"})
        with pytest.raises(PermanentError, match="refused"):
            site.publish(second, validate=self.refuse)
        assert site.published.served() == third
        assert second in site.folders()  # somebody may still read it

    def test_a_checkout_that_is_held_meanwhile_is_not_switched(self, site: Site) -> None:
        first = site.push({"a": "one\n"})
        second = site.remote.commit({"a": "two\n"})
        with pytest.raises(HeldError):
            site.publish(may_switch=False)
        assert site.published.served() == first
        assert site.publish()
        assert site.published.served() == second


def test_of_a_sparse_checkout_only_its_directories_are_published(site: Site) -> None:
    git("sparse-checkout", "set", "--cone", "in", cwd=site.course)
    site.push({"in/a.txt": "1", "out/b.txt": "1", "out/.gitattributes": "* text"})
    unchanged = (site.link / "in/a.txt").stat().st_mtime_ns
    site.push({"in/c.txt": "1", "out/b.txt": "2"})
    assert set(tree(site.link.resolve())) == {"README.md", "in", "in/a.txt", "in/c.txt"}
    assert (site.link / "in/a.txt").stat().st_mtime_ns == unchanged
