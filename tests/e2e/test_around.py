"""What runs around an update, in a service that is killed in the middle of it."""

from __future__ import annotations

from pathlib import Path

from e2e.deployment import Deployment
from helpers import Remote, wait_until


def after(folder: Path) -> tuple[str, Path, Path]:
    """A command, what it notes of each run, and a file while whose existence it does not end."""
    script, runs, wait = folder / "after", folder / "runs", folder / "wait"
    script.write_text(
        f'#!/bin/sh\necho "$GITRELOAD_JOB_REVISION" >> {runs}\n'
        f"while test -e {wait}; do sleep 0.05; done\n"
    )
    script.chmod(0o755)
    return str(script), runs, wait


def noted(runs: Path) -> list[str]:
    return runs.read_text().splitlines() if runs.exists() else []


def test_what_follows_an_update_is_owed_whatever_is_killed(here: Deployment) -> None:
    script, runs, wait = after(here.folder)
    remote = here.course("course")
    here.write_config(REPOS={"course": {"PUBLISH": True, "AFTER": [script]}})
    wait.touch()
    server = here.start()
    revision = remote.commit({"about/overview.html": "<p>new</p>\n"})
    here.deliver(remote, revision)
    wait_until(lambda: noted(runs), what="a run of AFTER")
    assert (here.folder / "published/course").readlink().name == revision
    # Logs are written a moment later, and what is not yet is lost with the process.
    [begun] = here.jobs()
    wait_until(lambda: "published as" in here.run("logs", str(begun["id"])), what="the log")
    here.kill(server, tree=True)
    wait.unlink()
    here.start()
    here.settle()
    assert noted(runs) == [revision, revision]
    [job] = here.jobs()
    assert job["state"] == "succeeded"
    # What was done before is not done once more.
    log = here.run("logs", str(job["id"]))
    imports = here.platform.journal("start")
    assert len(imports) == log.count("published as") == 1


def test_a_rollback_is_followed_too(here: Deployment) -> None:
    script, runs, _ = after(here.folder)
    remote = Remote(here.folder / "forge", "graders")
    first = remote.commit({"grader.py": "1\n"})
    remote.clone(here.repodir / "graders")
    here.write_config(REPOS={"graders": {"PUBLISH": True, "AFTER": [script]}})
    here.start()
    here.run("sync", "--update", "--wait", "graders")
    second = remote.commit({"grader.py": "2\n"})
    here.run("sync", "--update", "--wait", "graders")
    said = here.run("rollback", "graders")
    [job] = [each["id"] for each in here.jobs() if each["only_after"]]
    assert said.endswith(f"`gitreload release graders`\nqueued AFTER as job {job}\n")
    wait_until(lambda: len(noted(runs)) == 3)
    assert noted(runs) == [first, second, first]
    here.settle()
    shown = here.run("show", str(job))
    assert "AFTER alone" in shown


def test_a_build_that_is_killed_is_done_again(here: Deployment) -> None:
    script, runs, wait = after(here.folder)
    build = here.folder / "build"
    build.write_text(
        f"#!/bin/sh\nmkdir -p site; cp grader.py site/new\n{script}\nmv site/new site/it\n"
    )
    build.chmod(0o755)
    remote = Remote(here.folder / "forge", "graders")
    remote.commit({"grader.py": "1\n"})
    remote.clone(here.repodir / "graders")
    how = {"COMMAND": [str(build)], "OUTPUT": "site"}
    here.write_config(REPOS={"graders": {"PUBLISH": True, "BUILD": how}})
    server = here.start()
    here.run("sync", "--update", "--wait", "graders")
    wait.touch()
    second = remote.commit({"grader.py": "2\n"})
    here.deliver(remote, second, route="/update")
    wait_until(lambda: len(noted(runs)) == 2, what="a build")
    here.kill(server, tree=True)
    served = here.folder / "published/graders"
    assert {each.name: each.read_text() for each in served.iterdir()} == {"it": "1\n"}
    wait.unlink()
    here.start()
    here.settle()
    assert served.readlink().name == second
    assert {each.name: each.read_text() for each in served.iterdir()} == {"it": "2\n"}
