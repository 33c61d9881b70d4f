"""Which changes of a repository are below which globs, with real git."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitreload.git import differ
from gitreload.process import Runner
from helpers import git
from sites import Site

UNKNOWN = "ab" * 20


def changed(site: Site, before: str, after: str, *globs: str) -> bool:
    git("fetch", "-q", cwd=site.path)
    runner = Runner(log=site.log.append)
    return differ(site.checkout(), runner, before, after, globs, timeout=60)


@pytest.mark.parametrize(
    ("name", "globs", "below"),
    [
        ("course/about/x.html", ["course"], True),
        ("course/about/x.html", ["course/"], True),
        ("course", ["course/"], False),
        ("courses/x", ["course"], False),
        ("other/course/x", ["course"], False),
        ("other/course/x", ["**/course"], True),
        ("a.py", ["*.py"], True),
        ("deep/a.py", ["*.py"], False),
        ("deep/a.py", ["**/*.py"], True),
        ("deep/er/a", ["deep/*"], True),
        ("deep/er/a", ["d??p"], True),
        ("a.py", ["b", "a.*"], True),
        ("docs/x", ["!docs"], False),
        ("a.py", ["!docs"], True),
        ("course/x.md", ["course", "!**/*.md"], False),
        ("course/x.xml", ["course", "!**/*.md"], True),
        ("we[i]rd", ["we[i]rd"], True),  # git tries the name itself first
        ("weird", [r"we\[i\]rd"], False),
        (":(exclude)x", [":(exclude)x"], True),
        ("--output=x", ["--output=x"], True),
        ("a\nb", ["a*"], True),
        ("ünï/x", ["ünï"], True),
        ("COURSE/x", ["course"], False),
    ],
)
def test_what_is_below_a_glob(site: Site, name: str, globs: list[str], below: bool) -> None:
    before = git("rev-parse", "HEAD", cwd=site.path)
    after = site.remote.commit({name: "new\n"})
    assert changed(site, before, after, *globs) is below


def test_moved_removed_and_back_again(site: Site) -> None:
    first = site.remote.commit({"course/a": "1\n", "b": "2\n"})
    git("mv", "course/a", "a", cwd=site.remote.work)
    second = site.remote.commit({})
    assert changed(site, first, second, "course")
    assert not changed(site, first, second, "b")
    third = site.remote.commit({"course/a": "1\n"})
    assert not changed(site, first, third, "course")


def test_what_is_not_known_counts_as_changed(site: Site) -> None:
    tip = git("rev-parse", "HEAD", cwd=site.path)
    assert changed(site, UNKNOWN, tip, "course")
    assert site.log == [
        f"what changed since {UNKNOWN[:12]} cannot be told, so it counts as changed"
    ]


def test_a_hostile_repository_has_no_say(site: Site, tmp_path: Path) -> None:
    before = git("rev-parse", "HEAD", cwd=site.path)
    ran = tmp_path / "ran"
    git("config", "diff.x.textconv", f"touch {ran};", cwd=site.path)
    after = site.remote.commit({".gitattributes": "* diff=x -text\n", "README.md": "2\n"})
    assert changed(site, before, after, "README.md")
    assert not changed(site, before, after, "course")
    assert not ran.exists()
