"""An import by a command of the operator's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitreload.attempt import Tools
from gitreload.importers.choice import Importers
from gitreload.model import Job, State
from helpers import git, wait_until
from workbench import COURSE, KEY, Bench

NOTE = 'env | sed -n s/^GITRELOAD_JOB_//p > "$0"; pwd >> "$0"; echo done'


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """What `NOTE` writes."""
    return tmp_path / "note"


def configure(bench: Bench, *command: str, **repo: object) -> None:
    settings = bench.configured(IMPORTER="command", COMMAND=command, **repo).settings
    bench.tools = Tools(settings, bench.checkouts, Importers(settings))


def run(bench: Bench, *command: str, **repo: object) -> Job:
    """Import the course with a command; the job that did."""
    configure(bench, *command, **repo)
    bench.sync()
    return bench.run()


def told(note: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in note.read_text().splitlines() if "=" in line)


def test_it_runs_in_the_checkout_and_is_told_what_for(bench: Bench, note: Path) -> None:
    first = run(bench, "sh", "-c", NOTE, str(note))
    assert first.state is State.SUCCEEDED
    second = bench.remote.commit({"a": "1\n"})
    job = run(bench, "sh", "-c", NOTE, str(note))
    course = str(bench.repodir / "course")
    assert told(note) == {
        "ACTION": "import",
        "BRANCH": "main",
        "CHECKOUT": "course",
        "ID": str(job.id),
        "PATH": course,
        "PREVIOUS": first.to_revision,
        "REVISION": second,
        "SERVED": course,
    }
    assert note.read_text().splitlines()[-1] == course
    assert "done" in bench.log(job.id)
    assert "imported it" in bench.log(job.id)


def test_it_runs_in_what_was_built(bench: Bench, note: Path) -> None:
    build = {"COMMAND": ["sh", "-c", "mkdir site; echo built > site/page"], "OUTPUT": "site"}
    job = run(bench, "sh", "-c", f"cat page; {NOTE}", str(note), PUBLISH=True, BUILD=build)
    assert "built\n" in bench.log(job.id)
    link = bench.repodir.parent / "published/course"
    assert told(note)["SERVED"] == str(link)
    assert note.read_text().splitlines()[-1] == str(link.resolve())


def test_a_course_is_named_and_kept_from_others(bench: Bench, note: Path) -> None:
    bench.remote.commit({"course.xml": COURSE})
    wait = f'until test -e "$0.go"; do sleep 0.02; done; {NOTE}'
    configure(bench, "sh", "-c", wait, str(note))
    job = bench.sync()
    thread = bench.start()
    try:
        wait_until(lambda: bench.job(job).exclusion == KEY)
    finally:
        note.with_name("note.go").touch()
        thread.join()
    assert told(note)["COURSE"] == KEY
    assert f"imported {KEY}" in bench.log(job)


def test_what_fails_is_told_by_its_last_line(bench: Bench) -> None:
    job = run(bench, "sh", "-c", "echo the wiki is full >&2; exit 3")
    assert job.state is State.FAILED
    revision = git("rev-parse", "HEAD", cwd=bench.repodir / "course")
    assert job.error == f"COMMAND failed for {revision[:12]} with exit code 3: the wiki is full"


def test_it_runs_once_for_each_revision_and_command(bench: Bench) -> None:
    assert run(bench, "true").skipped is None
    assert "already imported" in (run(bench, "true").skipped or "")
    assert run(bench, "true", "again").skipped is None


def test_a_checkout_without_one_is_told_what_to_do(bench: Bench) -> None:
    settings = bench.configured().settings.model_copy(update={"importer": "command"})
    bench.tools = Tools(settings, bench.checkouts, Importers(settings))
    bench.sync()
    assert "course has none: set REPOS.course.COMMAND" in (bench.run().error or "")
