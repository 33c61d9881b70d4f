"""Whatever a payload says, the checkout ends at what the remote's branch says."""

from __future__ import annotations

import json

from e2e.deployment import Deployment
from fakes import github
from fakes.forges import ZERO
from helpers import git


def test_a_push_becomes_an_imported_course(here: Deployment) -> None:
    remote = here.course("rivers")
    here.start()
    revision = remote.commit({"about/overview.html": "<h2>New</h2>\n"})
    answer = here.deliver(remote, revision)
    assert answer.status == 200
    assert answer.body["outcome"] == "queued"
    here.settle()
    imported = here.platform.course("Brook/rivers/2026")
    assert imported is not None
    assert imported["revision"] == revision
    [job] = here.jobs()
    assert job["state"] == "succeeded"
    assert job["error"] is None


def test_update_only_brings_the_files(here: Deployment) -> None:
    remote = here.course("grader")
    here.start()
    revision = remote.commit({"grader.py": "print(1)\n"})
    assert here.deliver(remote, revision, route="/update").body["outcome"] == "queued"
    here.settle()
    assert here.head("grader") == revision
    assert here.platform.journal() == []


def test_late_repeated_and_forged_deliveries_end_at_the_tip(here: Deployment) -> None:
    remote = here.course("rivers")
    here.start()
    first = remote.commit({"a": "1\n"})
    second = remote.commit({"a": "2\n"})
    here.deliver(remote, second, delivery="newer")
    here.deliver(remote, first, delivery="older")
    here.settle()
    assert here.head("rivers") == second
    # The same delivery once more does nothing; one that failed or is new would.
    assert here.deliver(remote, second, delivery="newer").body["outcome"] == "duplicate"
    assert here.deliver(remote, "ab" * 20, route="/update", delivery="forged").status == 200
    here.settle()
    assert here.head("rivers") == second


def test_a_force_push_and_local_changes_do_not_stop_it(here: Deployment) -> None:
    remote = here.course("rivers")
    here.start()
    remote.commit({"about/overview.html": "<h2>old</h2>\n"})
    here.deliver(remote, route="/update")
    here.settle()
    (here.repodir / "rivers/about/overview.html").write_text("edited by hand\n")
    git("reset", "-q", "--hard", "HEAD~1", cwd=remote.work)
    (remote.work / "other").write_text("rewritten\n")
    git("add", "-A", cwd=remote.work)
    git("commit", "-q", "-m", "rewritten", cwd=remote.work)
    remote.push("main", "--force")
    here.deliver(remote, route="/update")
    here.settle()
    assert here.head("rivers") == git("rev-parse", "HEAD", cwd=remote.work)
    assert git("status", "--porcelain", cwd=here.repodir / "rivers") == ""


def test_a_deleted_branch_is_ignored_with_a_reason(here: Deployment) -> None:
    remote = here.course("rivers")
    here.start()
    before = here.head("rivers")
    answer = here.deliver(remote, ZERO, deleted=True)
    assert (answer.status, answer.body["outcome"]) == (200, "ignored")
    assert "deleted" in answer.body["msg"]
    assert here.jobs() == []
    assert here.head("rivers") == before


def test_two_checkouts_of_one_repository_follow_their_own_branches(here: Deployment) -> None:
    remote = here.course("rivers")
    here.start()
    remote.commit({"stage": "devel\n"}, branch="devel")
    # Cloned by hand a moment ago, while the server runs.
    remote.clone(here.repodir / "rivers-devel", "--branch", "devel")
    production = here.head("rivers")
    revision = remote.commit({"stage": "devel 2\n"}, branch="devel")
    answer = here.deliver(remote, revision, branch="devel", route="/update")
    assert "rivers-devel" in answer.body["msg"]
    here.settle()
    assert here.head("rivers-devel") == revision
    assert here.head("rivers") == production


def test_a_symlink_is_no_second_checkout(here: Deployment) -> None:
    remote = here.course("rivers")
    (here.repodir / "alias").symlink_to("rivers")
    here.start()
    answer = here.deliver(remote, route="/update")
    assert len(answer.body["jobs"]) == 1


def test_another_owners_repository_of_the_same_name_does_nothing(here: Deployment) -> None:
    here.course("rivers")
    here.start()
    payload = github.github_push("https://github.com/Mallory/rivers")
    headers, body = github.signed(payload, here.secret)
    answer = here.request("POST", "/", body, headers)
    assert (answer.status, answer.body["outcome"]) == (404, "ignored")
    assert here.jobs() == []
    assert "REPOS.rivers.REMOTES" in here.log.read_text()


def test_a_storm_makes_few_runs_and_the_last_is_at_the_tip(here: Deployment) -> None:
    remote = here.course("rivers")
    hold = here.folder / "hold"
    hold.touch()
    here.platform.behave(hold=str(hold))
    here.start()
    here.deliver(remote, remote.commit({"a": "first\n"}))
    outcomes = set()
    for number in range(100):
        outcomes.add(here.deliver(remote, remote.commit({"a": f"{number}\n"})).body["outcome"])
    hold.unlink()
    here.settle()
    assert outcomes <= {"queued", "coalesced"}
    imports = here.platform.journal("end")
    assert len(imports) <= 3
    assert imports[-1]["revision"] == git("rev-parse", "HEAD", cwd=remote.work)


def test_ping_and_other_events(here: Deployment) -> None:
    remote = here.course("rivers")
    here.start()
    for event, outcome in (("ping", "pong"), ("issues", "ignored")):
        payload = github.github_push(remote.url)
        headers, body = github.signed(payload, here.secret, event)
        answer = here.request("POST", "/", body, headers)
        assert (answer.status, answer.body["outcome"]) == (200, outcome)
    assert json.loads(here.run("jobs", "--json").stdout) in ([], {"jobs": []})
