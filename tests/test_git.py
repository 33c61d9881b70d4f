from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.git_http import GitServer, git_server
from gitreload import process
from gitreload.git import BranchGoneError, Clean, Updated, check_version, update
from gitreload.model import Checkout, GitreloadError, PermanentError, TransientError
from gitreload.process import Runner
from helpers import Remote, git, wait_until
from sites import Site

# From push to files


def test_an_update_brings_the_checkout_to_the_tip(site: Site, remote: Remote) -> None:
    before = site.git("rev-parse", "HEAD")
    tip = remote.commit({"README.md": "second\n", "deep/new.txt": "new\n"})
    assert site.update() == Updated(before, tip, False, ())
    assert site.at(tip)
    assert (site.path / "deep/new.txt").read_text() == "new\n"
    assert site.log[0] == f"fetching main from {remote.url}"


def test_few_git_processes_are_started(site: Site, remote: Remote) -> None:
    remote.commit({"README.md": "second\n"})
    site.update()
    assert len(site.children) == 3  # fetch, reset --keep, status
    site.update()
    assert len(site.children) == 5  # fetch, status


def test_the_followed_branch_may_have_another_name(site: Site, remote: Remote) -> None:
    tip = remote.commit({"README.md": "live\n"}, branch="live")
    assert site.update(follows="live").after == tip
    assert site.git("symbolic-ref", "HEAD") == "refs/heads/main"


def test_only_the_followed_branch_is_fetched_whatever_the_remote_is_configured_for(
    site: Site, remote: Remote
) -> None:
    remote.commit({"other": ""}, branch="other")
    git("tag", "v1", cwd=remote.work)
    git("push", "-q", "origin", "v1", cwd=remote.work)
    tip = remote.commit({"README.md": "second\n"})
    site.git("update-ref", "refs/remotes/origin/gone", "HEAD")
    for key, value in {
        "remote.origin.fetch": "+refs/heads/*:refs/heads/*",
        "remote.origin.prune": "true",
        "remote.origin.tagOpt": "--tags",
        "remote.origin.mirror": "true",
        "fetch.prune": "true",
        "fetch.pruneTags": "true",
    }.items():
        site.git("config", key, value)
    assert site.update().after == tip
    refs = site.git("for-each-ref", "--format=%(refname)").split()
    assert set(refs) - {"refs/remotes/origin/HEAD"} == {
        "refs/heads/main",
        "refs/remotes/origin/main",
        "refs/remotes/origin/gone",
    }


def test_a_checkout_of_an_empty_repository_gets_its_first_commit(tmp_path: Path) -> None:
    remote = Remote(tmp_path / "forge")
    site = Site(remote, remote.clone(tmp_path / "repos/course"))
    with pytest.raises(BranchGoneError, match="the branch main, which course follows, is not at"):
        site.update()
    tip = remote.commit({"a": "1"})
    assert site.update() == Updated(None, tip, False, ())
    assert site.at(tip)


def test_a_branch_that_is_gone_is_told_and_changes_nothing(site: Site, remote: Remote) -> None:
    before = remote.commit({"a": "1"}, branch="live")
    site.git("fetch", "-q")
    site.git("switch", "-q", "live")
    remote.push("live", "--delete")
    with pytest.raises(BranchGoneError, match="it was deleted, or nothing was pushed yet"):
        site.update("live")
    assert site.at(before)


@pytest.mark.parametrize(
    "options",
    [["--depth=1"], ["--no-tags", "--single-branch"], ["--filter=blob:none"], ["--sparse"]],
    ids=lambda options: options[0],
)
def test_unusual_clones_are_updated(options: list[str], remote: Remote, tmp_path: Path) -> None:
    git("config", "uploadpack.allowFilter", "true", cwd=remote.bare)
    remote.commit({"a/b/c": "1", "d": "1"})
    site = Site(remote, remote.clone(tmp_path / "repos/course", *options))
    remote.commit({"a/b/c": "2", "d": "2"})
    tip = remote.commit({"d": "3"})
    assert site.update().after == tip
    assert (site.path / "d").read_text() == "3"
    assert (site.path / "a").exists() is (options != ["--sparse"])
    assert site.at(tip)


def test_a_linked_worktree_is_updated(site: Site, remote: Remote, tmp_path: Path) -> None:
    tip = remote.commit({"a": "1"}, branch="live")
    site.git("fetch", "-q")
    tree = tmp_path / "repos/tree"
    site.git("worktree", "add", "-q", "-b", "live", str(tree), "origin/main")
    linked = Site(remote, tree)
    linked.write("a", "in the way")
    lock = site.path / ".git/worktrees/tree/index.lock"
    lock.touch()
    os.utime(lock, (0, 0))
    updated = linked.update("live")
    assert updated.after == tip
    assert linked.at(tip)
    assert updated.notes[0] == (
        "removed the stale lock index.lock (no process works in this checkout)"
    )


def test_refs_that_are_packed_or_not_in_files_are_read(site: Site, remote: Remote) -> None:
    site.git("pack-refs", "--all")
    before = site.git("rev-parse", "HEAD")
    assert site.update().before == before
    (site.path / ".git/reftable").mkdir()  # so that files are not trusted, and git is asked
    tip = remote.commit({"a": "1"})
    assert site.update() == Updated(before, tip, False, ())


def test_a_repository_with_long_revisions_is_updated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    remote = Remote(tmp_path / "forge")
    remote.commit({"a": "1"})
    site = Site(remote, remote.clone(tmp_path / "repos/course"))
    tip = remote.commit({"a": "2"})
    assert len(tip) == 64
    assert site.update(wanted=(tip,)).after == tip


@pytest.mark.parametrize("partial", [False, True])
def test_packs_do_not_pile_up(
    partial: bool, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitreload.git.MOST_PACKS", 3)
    git("config", "uploadpack.allowFilter", "true", cwd=remote.bare)
    options = ["--filter=blob:none"] if partial else []
    site = Site(remote, remote.clone(tmp_path / "repos/course", *options))
    for number in range(5):
        tip = remote.commit({"a": str(number)})
        assert site.update() == Updated(git("rev-parse", "HEAD~", cwd=remote.work), tip, False, ())
    packs = list((site.path / ".git/objects/pack").glob("*.pack"))
    assert (len(packs) > 5) if partial else (len(packs) <= 3)
    site.git("fsck", "--strict")


# Whatever was there


def _edit(site: Site) -> None:
    site.write("README.md", "edited\n")


def _stage(site: Site) -> None:
    _edit(site)
    site.write("added", "x")
    site.git("add", "-A")


def _commit(site: Site) -> None:
    _stage(site)
    site.git("commit", "-q", "-m", "local")


def _delete(site: Site) -> None:
    site.git("rm", "-q", "README.md")


def _link(site: Site) -> None:
    (site.path / "README.md").unlink()
    (site.path / "README.md").symlink_to("/etc/passwd")


def _folder(site: Site) -> None:
    (site.path / "README.md").unlink()
    site.write("README.md/inside", "x")


def _clone_in_the_way(site: Site) -> None:
    (site.path / "README.md").unlink()
    site.git("init", "-q", "README.md")


def _executable(site: Site) -> None:
    (site.path / "README.md").chmod(0o755)


def _no_index(site: Site) -> None:
    (site.path / ".git/index").unlink()


def _broken_index(site: Site) -> None:
    (site.path / ".git/index").write_bytes(b"DIRC\0\0\0\2 not an index at all")


def _empty_index(site: Site) -> None:
    (site.path / ".git/index").write_bytes(b"")


WRECKS = [
    _edit,
    _stage,
    _commit,
    _delete,
    _link,
    _folder,
    _clone_in_the_way,
    _executable,
    _no_index,
    _broken_index,
    _empty_index,
]


@pytest.mark.parametrize("wreck", WRECKS, ids=lambda wreck: wreck.__name__)
@pytest.mark.parametrize("moved", [True, False], ids=["moved", "at the tip"])
def test_local_changes_give_way(
    wreck: Callable[[Site], None], moved: bool, site: Site, remote: Remote
) -> None:
    tip = remote.commit({"README.md": "second\n"}) if moved else site.git("rev-parse", "HEAD")
    wreck(site)
    assert site.update().after == tip
    assert site.at(tip)
    assert (site.path / "README.md").read_text() == ("second\n" if moved else "first\n")
    assert not (site.path / "added").exists()


def test_an_update_follows_a_force_push(site: Site, remote: Remote) -> None:
    remote.commit({"README.md": "second\n"})
    site.update()
    git("reset", "-q", "--hard", "HEAD~1", cwd=remote.work)
    git("commit", "-q", "--amend", "-m", "rewritten", cwd=remote.work)
    remote.push("main", "--force")
    tip = git("rev-parse", "HEAD", cwd=remote.work)
    assert site.update().after == tip
    assert site.at(tip)


@pytest.mark.parametrize("untracked", ["new", "new/inside"])
def test_what_is_untracked_and_in_the_way_gives_way(
    untracked: str, site: Site, remote: Remote
) -> None:
    site.write(untracked, "mine")
    tip = remote.commit({"new": "theirs"})
    site.update(clean="none")
    assert site.at(tip)
    assert (site.path / "new").read_text() == "theirs"


def test_files_folders_and_links_change_places(site: Site, remote: Remote) -> None:
    def make(kind: str) -> None:
        thing = remote.work / "thing"
        if thing.is_dir() and not thing.is_symlink():
            shutil.rmtree(thing)
        else:
            thing.unlink(missing_ok=True)
        if kind == "file":
            thing.write_text("text")
        elif kind == "folder":
            thing.mkdir()
            (thing / "inside").write_text("text")
        else:
            thing.symlink_to("README.md" if kind == "link" else "/absent")

    # Each follows each other once.
    kinds = "file folder file link file broken folder link folder broken link broken file"
    for kind in kinds.split():
        make(kind)
        tip = remote.commit({}, kind)
        assert site.update().after == tip
        assert site.at(tip), f"to {kind}"


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        ("none", {"new", "ignored.log", "clone", "folder"}),
        ("untracked", {"ignored.log"}),
        ("ignored", set()),
    ],
)
@pytest.mark.parametrize("moved", [True, False], ids=["moved", "at the tip"])
def test_the_policy_says_what_is_removed(
    policy: Clean, left: set[str], moved: bool, site: Site, remote: Remote
) -> None:
    remote.commit({".gitignore": "*.log\n"})
    site.update()
    if moved:
        remote.commit({"README.md": "second\n"})
    site.write("new", "")
    site.write("ignored.log", "")
    site.write("folder/inside", "")
    site.git("init", "-q", "clone")
    site.update(clean=policy)
    assert {path.name for path in site.path.iterdir()} - {".git", ".gitignore", "README.md"} == left


def test_submodules_are_left_alone(site: Site, remote: Remote, tmp_path: Path) -> None:
    part = Remote(tmp_path / "forge", "part")
    part.commit({"inside": "1"})
    file_allowed = ("-c", "protocol.file.allow=always")
    git(*file_allowed, "submodule", "add", "-q", part.url, "part", cwd=remote.work)
    remote.commit({})
    site.update()
    assert not any((site.path / "part").iterdir())
    site.git(*file_allowed, "submodule", "update", "-q", "--init")
    site.write("part/inside", "local")
    site.git("config", "submodule.recurse", "true")
    tip = remote.commit({"README.md": "second\n"})
    assert site.update().after == tip
    assert (site.path / "part/inside").read_text() == "local"
    site.children.clear()
    site.update()
    assert len(site.children) == 2, "fetch and status; nothing was found to reset"


# What was left unfinished


def _conflict(site: Site, remote: Remote) -> None:
    site.write("README.md", "local\n")
    site.git("commit", "-q", "-am", "local")
    remote.commit({"README.md": "second\n"})
    site.git("fetch", "-q")


def _fail(site: Site, *arguments: str) -> None:
    done = subprocess.run(["git", *arguments], cwd=site.path, capture_output=True, check=False)
    assert done.returncode != 0


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["merge", "origin/main"], "merge"),
        (["rebase", "origin/main"], "rebase"),
        (["rebase", "--apply", "origin/main"], "rebase or am"),
        (["cherry-pick", "origin/main"], "cherry-pick"),
        (["cherry-pick", "origin/main", "origin/main~1"], "cherry-pick"),
        (["revert", "--no-edit", "HEAD~1"], "revert"),
        (["am", "patch"], "rebase or am"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_unfinished_operations_are_abandoned(
    command: list[str], name: str, site: Site, remote: Remote
) -> None:
    _conflict(site, remote)
    (site.path / "patch").write_text(
        site.git("format-patch", "--stdout", "origin/main~1..origin/main")
    )
    if command[0] == "revert":
        site.write("README.md", "again\n")
        site.git("commit", "-q", "-am", "again")
    _fail(site, *command)
    updated = site.update()
    assert f"abandoned an unfinished {name}" in updated.notes[0]
    tip = git("rev-parse", "HEAD", cwd=remote.work)
    assert site.at(tip)
    assert site.git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert "On branch main" in site.git("status")
    assert "You are" not in site.git("status")
    remote.commit({"README.md": "third\n"})
    assert site.update().notes == ()


def test_a_merge_that_changed_nothing_is_abandoned_too(site: Site, remote: Remote) -> None:
    remote.commit({"a": "1"}, branch="live")
    site.git("fetch", "-q")
    site.git("merge", "-q", "--no-commit", "--no-ff", "-s", "ours", "origin/live")
    assert site.update().notes == ("abandoned an unfinished merge",)
    assert not (site.path / ".git/MERGE_HEAD").exists()


def test_a_rebase_that_somebody_works_on_is_not_disturbed(site: Site, remote: Remote) -> None:
    _conflict(site, remote)
    _fail(site, "rebase", "origin/main")
    with _git_at_work(site):
        with pytest.raises(TransientError, match="course is busy, there is an unfinished rebase"):
            site.update()
        assert (site.path / ".git/rebase-merge").exists()
    site.update()


def test_a_rebase_that_began_detached_leads_to_no_branch(site: Site, remote: Remote) -> None:
    _conflict(site, remote)
    site.git("checkout", "-q", "--detach")
    _fail(site, "rebase", "origin/main")
    with pytest.raises(PermanentError, match=r"course has a detached HEAD"):
        site.update()


# Branches and HEAD


def test_a_detached_head_is_told_with_the_cure(site: Site) -> None:
    site.git("checkout", "-q", "--detach")
    with pytest.raises(PermanentError, match=r"course has a detached HEAD .* git switch BRANCH"):
        site.update()


def test_another_branch_that_was_checked_out_meanwhile_is_not_touched(site: Site) -> None:
    site.git("switch", "-q", "-c", "mine")
    with pytest.raises(
        TransientError, match="checks out another branch in course, refs/heads/mine"
    ):
        site.update()


def test_a_checkout_with_a_problem_is_refused_with_it(site: Site) -> None:
    checkout = Checkout("course", str(site.path), None, frozenset(), "main", None, problem="no!")
    with pytest.raises(PermanentError, match="no!"):
        update(checkout, Runner(log=print), timeout=60, clean_policy="none")


@pytest.mark.parametrize(
    "branch", ["--upload-pack=touch${IFS}x", "-x", "-c", "héé", "a.b/c-d", "@"]
)
def test_a_branch_is_a_name_and_never_an_option(branch: str, site: Site, remote: Remote) -> None:
    git("push", "-q", "origin", f"main:refs/heads/{branch}", cwd=remote.work)
    tip = git("rev-parse", "main", cwd=remote.work)
    site.git("symbolic-ref", "HEAD", f"refs/heads/{branch}")
    assert site.update(branch).after == tip
    assert {path.name for path in site.path.iterdir()} == {".git", "README.md"}


@pytest.mark.parametrize(
    "branch",
    [
        "",
        "*",
        "a:refs/heads/main",
        "a b",
        "../../config",
        "a..b",
        "@{-1}",
        "a\nb",
        "/a",
        "a/",
        "a.lock",
    ],
)
def test_what_is_no_branch_is_refused(branch: str, site: Site) -> None:
    with pytest.raises(PermanentError, match="which course follows, is no name of a branch"):
        update(
            Checkout("course", str(site.path), "file:///x", frozenset(), "main", branch),
            Runner(log=print),
            timeout=60,
            clean_policy="none",
        )


@pytest.mark.parametrize(("first", "second"), [("live", "live/now"), ("live/now", "live")])
@pytest.mark.parametrize("packed", [True, False], ids=["packed", "loose"])
def test_remote_tracking_refs_that_conflict_are_removed(
    first: str, second: str, packed: bool, site: Site, remote: Remote
) -> None:
    remote.commit({"a": "1"}, branch=first)
    site.git("fetch", "-q")
    if packed:
        site.git("pack-refs", "--all")
    remote.push(first, "--delete")
    git("switch", "-q", "main", cwd=remote.work)
    git("branch", "-q", "-D", first, cwd=remote.work)
    tip = remote.commit({"a": "2"}, branch=second)
    updated = site.update(follows=second)
    assert updated.after == tip
    assert updated.notes == (
        f"removed refs/remotes/origin/{first}, which the remote cannot have any more",
    )
    assert site.at(tip)


# What was announced


def test_a_remote_that_does_not_know_what_was_announced_lags(site: Site, remote: Remote) -> None:
    first = site.git("rev-parse", "HEAD")
    tip = remote.commit({"a": "1"})
    assert not site.update(wanted=(tip,)).lagging
    assert not site.update(wanted=("1" * 40, first)).lagging
    assert site.update(wanted=(first, "1" * 40)).lagging
    assert not site.update(wanted=("--help",)).lagging
    git("reset", "-q", "--hard", first, cwd=remote.work)
    remote.push("main", "--force")
    updated = site.update(wanted=(tip,))
    assert (updated.after, updated.lagging) == (first, True)


def test_nothing_is_asked_when_the_tip_was_announced(site: Site, remote: Remote) -> None:
    tip = remote.commit({"a": "1"})
    site.update(wanted=(tip,))
    assert len(site.children) == 3


# Locks


class _git_at_work:  # noqa: N801 - used as a function
    """A git command that runs in the checkout until the end of the block."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __enter__(self) -> int:
        self._child = subprocess.Popen(
            ["git", "cat-file", "--batch"], cwd=self._site.path, stdin=subprocess.PIPE
        )
        pid = self._child.pid
        wait_until(lambda: Path(f"/proc/{pid}/comm").read_text() == "git\n")
        return pid

    def __exit__(self, *_: object) -> None:
        self._child.communicate()


@pytest.mark.parametrize("name", ["index.lock", "refs/heads/main.lock"])
def test_a_lock_is_not_stale_while_git_works_there(name: str, site: Site, remote: Remote) -> None:
    (site.path / ".git" / name).touch()
    remote.commit({"a": "1"})
    with _git_at_work(site) as pid:
        message = rf"course is busy, .+ process {pid} \(git cat-file --batch\) works in it"
        with pytest.raises(TransientError, match=message):
            site.update()
        assert (site.path / ".git" / name).exists()
    site.update()


def test_a_lock_is_not_stale_while_a_program_has_it_open(site: Site) -> None:
    with (
        (site.path / ".git/index.lock").open("w") as lock,
        subprocess.Popen(["sleep", "600"], stdout=lock) as holder,
    ):
        lock.close()
        with pytest.raises(
            TransientError, match=rf"process {holder.pid} \(sleep 600\) works in it"
        ):
            site.update()
        holder.kill()
    site.update()


def test_a_shell_in_the_checkout_keeps_no_lock(site: Site) -> None:
    (site.path / ".git/index.lock").touch()
    with subprocess.Popen(["sleep", "600"], cwd=site.path) as shell:
        assert len(site.update().notes) == 1
        shell.kill()


# Nothing of the checkout or the remote is run


def _trap(path: Path, mark: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ntouch {mark}\n")
    path.chmod(0o755)
    return str(path)


def test_no_hook_and_no_monitor_of_the_checkout_runs(
    site: Site, remote: Remote, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    for hook in ("post-checkout", "post-merge", "reference-transaction", "post-index-change"):
        _trap(site.path / ".git/hooks" / hook, mark)
    site.git("config", "core.fsmonitor", _trap(tmp_path / "monitor", mark))
    site.git("config", "core.hooksPath", str(site.path / ".git/hooks"))
    mark.unlink(missing_ok=True)
    tip = remote.commit({"a": "1"})
    assert site.update().after == tip
    assert site.update().after == tip
    assert not mark.exists()
    site.git("status")
    assert mark.exists(), "the traps are armed"


@pytest.mark.parametrize("rewritten", [True, False], ids=["insteadOf", "origin"])
def test_a_remote_that_is_a_program_is_never_run(
    rewritten: bool, site: Site, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    program = f"ext::{_trap(tmp_path / 'program', mark)}"
    if rewritten:
        site.git("config", f"url.{program}.insteadOf", site.remote.url)
    else:
        site.git("remote", "set-url", "origin", program)
    site.git("config", "protocol.ext.allow", "always")
    with pytest.raises(PermanentError, match=r"starts a program \(ext::\), which is never done"):
        site.update()
    assert not mark.exists()


def test_a_url_that_the_operator_rewrites_is_followed(site: Site, remote: Remote) -> None:
    git(
        "config", "--global", f"url.{remote.url}.insteadOf", "https://forge.example/course", cwd="/"
    )
    site.git("remote", "set-url", "origin", "https://forge.example/course")
    tip = remote.commit({"a": "1"})
    assert site.update().after == tip


def test_a_damaged_repository_within_another_leaves_that_one_alone(
    site: Site, remote: Remote
) -> None:
    outer = site.path.parent
    git("init", "-q", "-b", "main", cwd=outer)
    (outer / "precious").write_text("")
    git("remote", "add", "origin", remote.url, cwd=outer)
    git("commit", "-q", "--allow-empty", "-m", "outer", cwd=outer)
    before = git("rev-parse", "HEAD", cwd=outer)
    checkout = site.checkout()
    (site.path / ".git/HEAD").write_text("garbage")
    shutil.rmtree(site.path / ".git/objects")
    with pytest.raises(
        PermanentError, match=r"is no complete git repository: .+ Clone it again: mv"
    ):
        update(checkout, Runner(log=print), timeout=60, clean_policy="ignored")
    assert git("rev-parse", "HEAD", cwd=outer) == before
    assert (outer / "precious").exists()


def test_old_flaws_in_the_history_are_let_pass_and_malformed_objects_refused(
    site: Site, remote: Remote
) -> None:
    tree = git("rev-parse", "main^{tree}", cwd=remote.work)
    parent = git("rev-parse", "main", cwd=remote.work)

    def push(content: str, kind: str = "commit") -> str:
        made = subprocess.run(
            ["git", "hash-object", "-t", kind, "-w", "--literally", "--stdin"],
            cwd=remote.work,
            input=content,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        if kind == "commit":
            git("push", "-q", "-f", "origin", f"{made}:refs/heads/main", cwd=remote.work)
        return made

    flawed = (
        f"tree {tree}\nparent {parent}\nauthor A <a@b>1 -700\ncommitter A <a@b> 1 -700\n\nold\n"
    )
    assert site.update().after == parent
    tip = push(flawed)
    assert site.update().after == tip
    push(flawed.replace("author A <a@b>1 -700\n", ""))
    with pytest.raises(
        PermanentError, match=r"malformed object of .+ is refused: object .+ missingAuthor"
    ):
        site.update()
    assert site.at(tip)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("which", ["checkout", "remote"])
def test_a_repository_of_somebody_else_is_told_with_the_cure(
    which: str, site: Site, remote: Remote
) -> None:
    theirs = site.path if which == "checkout" else remote.bare
    for folder, _, files in os.walk(theirs):
        for name in (".", *files):
            os.chown(Path(folder, name), 65534, 65534)
    checkout = Checkout("course", str(site.path), remote.url, frozenset(), "main", "main")
    cure = rf"chown -R root {theirs}\), or let root trust it: .+ --add safe.directory {theirs}$"
    with pytest.raises(PermanentError, match=cure):
        update(checkout, Runner(log=print), timeout=60, clean_policy="none")
    git("config", "--global", "--add", "safe.directory", str(theirs), cwd="/")
    assert site.update().after == git("rev-parse", "HEAD", cwd=remote.work)


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/remotes/origin/main"])
@pytest.mark.parametrize("content", [b"", b"\0" * 41, b"\xff\n"])
def test_a_ref_that_a_power_cut_broke_is_made_anew(
    ref: str, content: bytes, site: Site, remote: Remote
) -> None:
    tip = remote.commit({"a": "1"})
    (site.path / ".git" / ref).write_bytes(content)
    assert site.update().notes == (f"removed {ref}, which was corrupt; it is made anew",)
    assert site.at(tip)


# Remotes


@pytest.fixture
def server(remote: Remote) -> Iterator[GitServer]:
    with git_server(remote.bare.parent) as running:
        yield running


def test_a_checkout_is_updated_over_http_with_the_operators_credentials(
    site: Site, remote: Remote, server: GitServer, home: Path
) -> None:
    server.login = "ada:s3cret"
    site.git("remote", "set-url", "origin", server.url("course.git"))
    with pytest.raises(PermanentError, match="does not accept the credentials that git has"):
        site.update()
    (home / ".git-credentials").write_text(server.url("", login="ada:s3cret"))
    git("config", "--global", "credential.helper", "store", cwd="/")
    tip = remote.commit({"a": "1"})
    assert site.update().after == tip


def test_a_helper_that_keeps_credentials_in_memory_hinders_no_update(
    site: Site, remote: Remote, server: GitServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LEFTOVER_SECONDS", 0.0)
    server.login = "ada:s3cret"
    (home / ".git-credentials").write_text(server.url("", login="ada:s3cret"))
    for helper in ("cache", "store"):
        git("config", "--global", "--add", "credential.helper", helper, cwd="/")
    site.git("remote", "set-url", "origin", server.url("course.git"))
    for number in "12":
        tip = remote.commit({"a": number})
        assert site.update().after == tip
    assert "git left processes behind" in site.log[-1]


def test_credentials_in_a_url_are_shown_nowhere(site: Site, server: GitServer) -> None:
    server.login = "ada:right"
    site.git("remote", "set-url", "origin", server.url("course.git", login="ada:s3cret"))
    with pytest.raises(PermanentError) as raised:
        site.update()
    assert "s3cret" not in f"{raised.value} {site.log}"
    assert "://***@" in str(raised.value)


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (404, PermanentError, "is no repository, or none that may be seen"),
        (403, PermanentError, "does not accept the credentials"),
        (500, TransientError, "has a fault of its own"),
        (503, TransientError, "has a fault of its own"),
        (429, TransientError, "too much to do"),
    ],
)
def test_what_an_http_server_answers_is_understood(
    status: int, kind: type[GitreloadError], message: str, site: Site, server: GitServer
) -> None:
    server.status = status
    site.git("remote", "set-url", "origin", server.url("course.git"))
    with pytest.raises(kind, match=message):
        site.update()


def test_a_redirect_does_not_widen_the_protocol(
    site: Site, server: GitServer, remote: Remote
) -> None:
    server.location = f"file://{remote.bare}/info/refs?service=git-upload-pack"
    site.git("remote", "set-url", "origin", server.url("course.git"))
    before = site.git("rev-parse", "HEAD")
    remote.commit({"a": "1"})
    with pytest.raises(GitreloadError):
        site.update()
    assert site.at(before)


def test_only_the_first_request_may_be_redirected(
    site: Site, server: GitServer, remote: Remote
) -> None:
    with git_server(remote.bare.parent) as other:
        site.git("remote", "set-url", "origin", server.url("course.git"))
        server.later_location = other.url("course.git/git-upload-pack")
        remote.commit({"a": "1"})
        with pytest.raises(GitreloadError):
            site.update()
        server.location = other.url("course.git/info/refs?service=git-upload-pack")
        assert site.update().after == git("rev-parse", "HEAD", cwd=remote.work)


def test_a_remote_that_answers_and_stalls_is_given_up(site: Site, server: GitServer) -> None:
    server.stall = True
    site.git("remote", "set-url", "origin", server.url("course.git"))
    with pytest.raises(
        TransientError, match=r"longer than 0.5 s \(GIT_TIMEOUT_SECONDS\) in course"
    ):
        site.update(timeout=0.5)


def test_a_remote_that_accepts_and_says_nothing_is_given_up(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        site.git("remote", "set-url", "origin", f"git://127.0.0.1:{port}/course.git")
        with pytest.raises(TransientError, match=r"took longer than 0.5 s"):
            site.update(timeout=0.5)


@pytest.mark.parametrize("scheme", ["git", "http"])
def test_a_remote_that_refuses_is_tried_again(scheme: str, site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    site.git("remote", "set-url", "origin", f"{scheme}://127.0.0.1:{port}/course.git")
    with pytest.raises(TransientError, match="cannot be reached"):
        site.update()


def test_a_local_remote_that_is_missing_is_told(site: Site, remote: Remote) -> None:
    remote.bare.rename(remote.bare.with_name("moved.git"))
    with pytest.raises(PermanentError, match=r"is no repository, or none that .+ remote set-url"):
        site.update()


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """An `ssh` on the PATH that notes its arguments and then runs `script`."""

    def make(script: str) -> Path:
        noted = tmp_path / "ssh-arguments"
        program = tmp_path / "bin/ssh"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nfor last; do :; done\necho "$*" >>{noted}\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        return noted

    return make


def test_ssh_is_told_never_to_ask(
    site: Site, remote: Remote, fake_ssh: Callable[[str], Path]
) -> None:
    noted = fake_ssh('exec sh -c "$last"')
    site.git("remote", "set-url", "origin", f"ssh://git@forge.example{remote.bare}")
    tip = remote.commit({"a": "1"})
    assert site.update().after == tip
    assert "-o BatchMode=yes -o ConnectTimeout=30" in noted.read_text()
    assert "git@forge.example git-upload-pack" in noted.read_text()


@pytest.mark.parametrize("by", ["config", "environment"])
def test_the_operators_ssh_command_stays_in_force(
    by: str,
    site: Site,
    remote: Remote,
    fake_ssh: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noted = fake_ssh('exec sh -c "$last"')
    if by == "config":
        site.git("config", "core.sshCommand", "ssh -i mine")
    else:
        monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -i mine")
    site.git("remote", "set-url", "origin", f"git@forge.example:{remote.bare}")
    tip = remote.commit({"a": "1"})
    assert site.update().after == tip
    assert noted.read_text().startswith("-i mine")
    assert "BatchMode" not in noted.read_text()


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        (
            "git@forge.example: Permission denied (publickey).",
            PermanentError,
            r"does not let root in: .+ REPOS\.course\.SSH_KEY, then try: sudo -u root git -C ",
        ),
        ("Host key verification failed.", PermanentError, "gitreload trust git@forge.example:"),
        (
            "remote: ERROR: Project 'a/course' was moved to 'b/course'.",
            PermanentError,
            r"git@forge\.example:course\.git has moved: .+ git -C \S+ remote set-url origin URL",
        ),
        ("ERROR: Repository not found.", PermanentError, "is no repository, or none that"),
        (
            "ssh: Could not resolve hostname forge.example: Name or service not known",
            TransientError,
            "cannot be reached",
        ),
        ("Connection closed by 10.0.0.1 port 22", TransientError, "cannot be reached"),
    ],
)
def test_what_ssh_says_is_understood(
    said: str,
    kind: type[GitreloadError],
    message: str,
    site: Site,
    fake_ssh: Callable[[str], Path],
) -> None:
    fake_ssh(f"printf '%s\\r\\n' {shlex.quote(said)} >&2; exit 255")
    site.git("remote", "set-url", "origin", "git@forge.example:course.git")
    with pytest.raises(kind, match=message.replace("root", r"\S+")):
        site.update()


# git itself


def test_the_version_of_git_is_told() -> None:
    assert git("--version", cwd="/").startswith(f"git version {check_version()}")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo git version 2.31.8", "git version 2.31.8 is too old: install git 2.32 or newer"),
        ("echo hello", r"does not tell its version \(hello\): install git 2.32 or newer"),
        (None, "there is no program git on the PATH"),
    ],
)
def test_an_unfit_git_is_told_with_the_cure(
    script: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        (tmp_path / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "git").chmod(0o755)
    with pytest.raises(PermanentError, match=message):
        check_version()
