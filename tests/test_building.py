"""What a command makes of a revision, and how that is published."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitreload.copying import copy_tree
from gitreload.model import Action, Job, State
from gitreload.publish import Published
from helpers import git, needs_mount, tmpfs
from workbench import Bench

# Makes `site/page` of `page.txt`, and notes each time that it did. What it makes it never removes.
BUILD = """#!/bin/sh
test -e fail && { echo no rule to make page; exit 2; }
test -e .git && exit 9
mkdir -p site
cat page.txt > site/page && ls > site/files
echo "$GITRELOAD_JOB_REVISION" >> builds
cp builds site/builds; rm -f page.txt
"""


@pytest.fixture
def site(bench: Bench, tmp_path: Path) -> Published:
    """`course` is built and published."""
    script = tmp_path / "build"
    script.write_text(BUILD)
    script.chmod(0o755)
    bench.remote.commit({"page.txt": "one\n"})
    bench.configured(PUBLISH=True, BUILD={"COMMAND": [str(script)], "OUTPUT": "site"})
    found = Published.of(bench.tools.settings, "course")
    assert found is not None
    return found


def update(bench: Bench, *, force: bool = False) -> Job:
    bench.sync(action=Action.UPDATE, force=force)
    return bench.run()


def work(bench: Bench) -> Path:
    return bench.repodir / ".gitreload/builds/course/work"


def builds(site: Published) -> int:
    """How many builds there were in one directory."""
    return len((site.link / "builds").read_text().splitlines())


def reads(site: Published) -> str:
    return (site.link / "page").read_text()


def test_readers_get_what_was_built(bench: Bench, site: Published) -> None:
    for number, text in enumerate(["one\n", "two\n"], 1):
        bench.remote.commit({"page.txt": text})
        job = update(bench)
        assert job.state is State.SUCCEEDED
        assert site.link.readlink().name == job.to_revision
        assert reads(site) == text
        assert builds(site) == number  # in the same directory
        assert {each.name for each in site.link.iterdir()} == {"page", "files", "builds"}
    assert git("status", "--porcelain", "--ignored", cwd=bench.repodir / "course") == ""


def test_what_was_built_is_not_built_again(bench: Bench, site: Published) -> None:
    update(bench)
    update(bench)
    assert builds(site) == 1


def test_force_builds_from_nothing(bench: Bench, site: Published) -> None:
    revision = update(bench).to_revision
    served = site.link.resolve()
    (work(bench) / "site/old").touch()
    update(bench, force=True)
    assert builds(site) == 1
    assert not (site.link / "old").exists()
    # Readers who are in the old directory stay there.
    assert site.served() == f"{revision}-2"
    assert served.is_dir()
    update(bench)
    assert site.served() == f"{revision}-2"


def test_another_build_of_the_same_revision_is_published(bench: Bench, site: Published) -> None:
    revision = update(bench).to_revision
    bench.configured(PUBLISH=True)
    update(bench)
    assert site.served() == f"{revision}-2"
    assert (site.link / "README.md").exists()
    bench.configured(PUBLISH=True, BUILD={"COMMAND": ["true"]})
    update(bench)
    assert site.served() == f"{revision}-3"
    now, before = site.roll_back(revision)
    assert (now, before) == (revision, f"{revision}-3")
    assert reads(site) == "one\n"


def test_a_failure_changes_nothing(bench: Bench, site: Published) -> None:
    good = update(bench).to_revision
    bad = bench.remote.commit({"fail": "", "page.txt": "two\n"})
    job = update(bench)
    assert (job.state, job.error) == (
        State.FAILED,
        f"BUILD failed for {bad[:12]} with exit code 2: no rule to make page",
    )
    assert (site.served(), reads(site)) == (good, "one\n")
    git("rm", "-q", "fail", cwd=bench.remote.work)
    bench.remote.commit({})
    update(bench)
    assert reads(site) == "two\n"


@pytest.mark.parametrize(
    ("command", "output", "error"),
    [
        (["true"], "none", "BUILD left nothing in none in "),
        (["ln", "-sfn", "/etc", "out"], "out", "out, which BUILD.OUTPUT names, is a link that"),
        (["mkfifo", "pipe"], ".", "/pipe is no file, directory or link, so it cannot be published"),
        (["/nowhere/make"], ".", "BUILD: there is no program /nowhere/make"),
        (["sh", "-c", "kill $$"], ".", "BUILD was ended by signal 15"),
    ],
)
def test_what_cannot_be_published_is_told(
    bench: Bench, command: list[str], output: str, error: str
) -> None:
    bench.configured(PUBLISH=True, BUILD={"COMMAND": command, "OUTPUT": output})
    job = update(bench)
    assert error in (job.error or "")


def test_links_modes_and_times_are_kept(bench: Bench, tmp_path: Path) -> None:
    script = "mkdir -p a/b && ln -sfn /etc/passwd a/out && echo 1 > a/b/run && chmod 755 a/b/run"
    command = ["sh", "-c", f"{script}; touch -d @1000000000 a/b/run; rm README.md"]
    bench.configured(PUBLISH=True, BUILD={"COMMAND": command})
    update(bench)
    served = tmp_path / "published/course"
    assert (served / "a/out").readlink() == Path("/etc/passwd")
    assert os.access(served / "a/b/run", os.X_OK)
    assert (served / "a/b/run").stat().st_mtime == 1_000_000_000
    assert not (served / "README.md").exists()


@pytest.mark.parametrize("damage", ["lock", "index", "files", "directory"])
def test_a_crash_of_a_build_is_of_no_consequence(
    bench: Bench, site: Published, damage: str
) -> None:
    update(bench)
    index = work(bench).with_name(".work.index")
    if damage == "lock":
        index.with_name(".work.index.lock").touch()
    elif damage == "index":
        index.write_bytes(index.read_bytes()[:50])
    elif damage == "files":
        (work(bench) / "page.txt").write_text("half")
    else:
        (work(bench) / "page.txt").mkdir()
        (work(bench) / "page.txt/x").touch()
    bench.remote.commit({"other": "1\n"})
    assert update(bench).state is State.SUCCEEDED
    assert reads(site) == "one\n"


def test_paths_keep_from_building(bench: Bench, site: Published) -> None:
    build = bench.tools.settings.repo("course").build
    assert build is not None
    kept = {"COMMAND": list(build.command), "OUTPUT": build.output}
    bench.configured(PUBLISH=True, BUILD=kept, PATHS=["page.txt"])
    update(bench)
    bench.remote.commit({"other": "1\n"})
    assert update(bench).skipped is not None
    assert builds(site) == 1
    bench.configured(PUBLISH=True, BUILD={**kept, "OUTPUT": "."}, PATHS=["page.txt"])
    assert update(bench).skipped is None
    assert (site.link / "site/page").exists()


def test_what_is_imported_is_what_was_built(bench: Bench, site: Published) -> None:
    bench.sync()
    assert bench.run().state is State.SUCCEEDED
    [source] = bench.importer.sources
    assert source.folder == site.folder(source.revision)


@needs_mount
def test_what_is_built_can_be_served_from_another_file_system(
    bench: Bench, site: Published
) -> None:
    with tmpfs(site.link.parent, "1m"):
        assert update(bench).state is State.SUCCEEDED
        assert reads(site) == "one\n"


def test_what_cannot_be_listed_is_not_left_out(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        copy_tree(tmp_path / "gone", tmp_path)
