"""A checkout that follows tags is brought to the newest of them, whatever leads there."""

from __future__ import annotations

import os

import pytest

from gitreload.git import BranchGoneError
from gitreload.model import PermanentError, TransientError
from helpers import Remote, git
from sites import Site


@pytest.fixture
def site(site: Site) -> Site:
    site.tags = "v*"
    return site


def tag(remote: Remote, name: str, *options: str, at: str = "HEAD") -> str:
    """Make or move a tag at the remote; the commit that it leads to."""
    git("tag", "--force", *options, name, at, cwd=remote.work)
    git("push", "-q", "--force", "origin", f"refs/tags/{name}", cwd=remote.work)
    return git("rev-parse", f"refs/tags/{name}^{{}}", cwd=remote.work)


def commit(remote: Remote, text: str, branch: str = "main") -> str:
    return remote.commit({"README.md": text}, branch=branch)


ANNOTATED = ("--annotate", "--message=a release")


@pytest.mark.parametrize("options", [(), ANNOTATED], ids=["lightweight", "annotated"])
def test_the_newest_version_is_checked_out(
    options: tuple[str, ...], site: Site, remote: Remote
) -> None:
    commit(remote, "1.9")
    tag(remote, "v1.9", *options)
    commit(remote, "1.10")
    newest = tag(remote, "v1.10", *options)
    commit(remote, "newer than all tags")
    tag(remote, "x2.0", *options)
    updated = site.update()
    assert (updated.after, updated.notes) == (newest, ())
    assert site.at(newest)
    assert site.git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert site.git("describe", "--tags", "--exact-match") == "v1.10"
    assert site.git("tag") == "v1.10"  # and nothing else was fetched
    assert "the newest of the tags v* is v1.10" in site.log
    assert f"fetching v1.10 from {remote.url}" in site.log
    assert site.update().notes == ()


@pytest.mark.parametrize("options", [(), ANNOTATED], ids=["lightweight", "annotated"])
def test_a_tag_that_is_moved_is_followed(
    options: tuple[str, ...], site: Site, remote: Remote
) -> None:
    tag(remote, "v1", *options)
    site.update()
    git("checkout", "-q", "--orphan", "other", cwd=remote.work)
    commit(remote, "unrelated", "other")
    moved = tag(remote, "v1", *options)
    updated = site.update()
    assert updated.after == moved
    assert updated.notes == ("the tag v1 was moved at the remote",)
    assert site.at(moved)


def test_a_tag_beside_the_branch_drops_nothing_of_ours(site: Site, remote: Remote) -> None:
    main = commit(remote, "main")
    git("fetch", "-q", cwd=site.path)
    git("reset", "-q", "--hard", main, cwd=site.path)
    for version in ("v1.1", "v1.2"):  # neither has the history of the other, or of main
        git("checkout", "-q", "--orphan", version, cwd=remote.work)
        commit(remote, version, version)
        beside = tag(remote, version)
        assert site.update().notes == ()
        assert site.at(beside)


def test_commits_that_only_the_checkout_has_are_told(site: Site, remote: Remote) -> None:
    tag(remote, "v1")
    site.write("README.md", "mine")
    site.git("commit", "-q", "-am", "mine")
    mine = site.git("rev-parse", "HEAD")
    assert site.update().notes == (f"dropped commits that only this checkout had, up to {mine}",)


def test_without_its_newest_tag_the_one_before_counts(site: Site, remote: Remote) -> None:
    first = tag(remote, "v1")
    commit(remote, "bad")
    tag(remote, "v2")
    site.update()
    git("push", "-q", "origin", ":refs/tags/v2", cwd=remote.work)
    assert site.update().after == first
    assert site.at(first)


def test_no_tag_is_an_error_with_the_cure(site: Site, remote: Remote) -> None:
    tag(remote, "x1")
    with pytest.raises(BranchGoneError) as caught:
        site.update()
    assert str(caught.value) == (
        f"no tag v*, which course follows, is at {remote.url}: push one, or correct "
        "REPOS.course.REF"
    )


@pytest.mark.parametrize("kind", ["HEAD^{tree}", "HEAD:README.md"], ids=["tree", "blob"])
@pytest.mark.parametrize("options", [(), ANNOTATED], ids=["lightweight", "annotated"])
def test_a_tag_of_no_commit_is_an_error_and_changes_nothing(
    kind: str, options: tuple[str, ...], site: Site, remote: Remote
) -> None:
    before = site.git("rev-parse", "HEAD")
    tag(remote, "v1", *options, at=kind)
    with pytest.raises(PermanentError, match=r"the tag v1 at .* leads to no commit, so .*REF"):
        site.update()
    assert site.at(before)


def test_tags_that_cannot_be_beside_each_other_give_way(site: Site, remote: Remote) -> None:
    tag(remote, "v1")
    site.update()
    git("push", "-q", "origin", ":refs/tags/v1", cwd=remote.work)
    git("tag", "-d", "v1", cwd=remote.work)
    commit(remote, "new")
    newest = tag(remote, "v1/1")
    assert site.update().notes == ("removed refs/tags/v1, which the remote cannot have any more",)
    assert site.at(newest)


def test_an_older_tag_that_was_announced_is_no_lag(site: Site, remote: Remote) -> None:
    tag(remote, "v2")
    git("checkout", "-q", "--orphan", "other", cwd=remote.work)
    older = commit(remote, "1", "other")
    tag(remote, "v1", *ANNOTATED)
    announced = git("rev-parse", "refs/tags/v1", cwd=remote.work)
    assert announced != older
    assert not site.update(wanted=(announced,)).lagging
    assert not site.update(wanted=(older,)).lagging
    assert site.update(wanted=("1" * 40,)).lagging


def test_a_detached_head_is_an_error(site: Site, remote: Remote) -> None:
    tag(remote, "v1")
    site.git("checkout", "-q", "--detach")
    with pytest.raises(PermanentError, match="detached HEAD"):
        site.update()


def test_damaged_objects_are_replaced(site: Site, remote: Remote) -> None:
    tag(remote, "v1")
    site.update()
    for pack in (site.path / ".git/objects/pack").glob("*.pack"):
        pack.chmod(0o644)
        os.truncate(pack, 100)
    commit(remote, "2")
    newest = tag(remote, "v2", *ANNOTATED)
    updated = site.update()
    assert updated.after == newest
    assert "replaced the damaged objects" in "\n".join(updated.notes)
    assert site.at(newest)


def test_a_tag_that_goes_before_it_is_fetched_is_tried_again(
    site: Site, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag(remote, "v1")
    tell = site.log.append

    def removing(line: str) -> None:
        tell(line)
        if line.startswith("fetching"):
            git("push", "-q", "origin", ":refs/tags/v1", cwd=remote.work)

    monkeypatch.setattr(
        site, "log", type("Log", (list,), {"append": lambda _, line: removing(line)})()
    )
    with pytest.raises(TransientError, match="the tag v1 was removed at the remote just before"):
        site.update()
