"""Whatever a payload says, the checkout ends at what the remote's branch says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.deployment import Deployment, deployment
from fakes import github
from fakes.forges import ZERO
from helpers import git


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One server for all; each test has a course of its own."""
    with deployment(tmp_path_factory.mktemp("convergence") / "host") as made:
        made.start()
        yield made


def test_a_push_becomes_an_imported_course(here: Deployment) -> None:
    remote = here.course("rivers")
    revision = remote.commit({"about/overview.html": "<h2>New</h2>\n"})
    answer = here.deliver(remote, revision)
    assert answer.status == 200
    assert answer.body["outcome"] == "queued"
    here.settle()
    imported = here.platform.course("Brook/rivers/2026")
    assert imported is not None
    assert imported["revision"] == revision
    [job] = here.jobs("--checkout", "rivers")
    assert job["state"] == "succeeded"
    assert job["error"] is None


def test_update_only_brings_the_files(here: Deployment) -> None:
    remote = here.course("grader")
    revision = remote.commit({"grader.py": "print(1)\n"})
    assert here.deliver(remote, revision, route="/update").body["outcome"] == "queued"
    here.settle()
    assert here.head("grader") == revision
    assert here.platform.course("Brook/grader/2026") is None


def test_late_repeated_and_forged_deliveries_end_at_the_tip(here: Deployment) -> None:
    remote = here.course("lakes")
    first = remote.commit({"a": "1\n"})
    second = remote.commit({"a": "2\n"})
    here.deliver(remote, second, delivery="newer")
    here.deliver(remote, first, delivery="older")
    here.settle()
    assert here.head("lakes") == second
    # The same delivery once more does nothing; one that failed or is new would.
    assert here.deliver(remote, second, delivery="newer").body["outcome"] == "duplicate"
    # One that names what the remote has not is waited for, but not with what comes after it.
    assert here.deliver(remote, "ab" * 20, route="/update", delivery="forged").status == 200
    third = remote.commit({"a": "3\n"})
    here.deliver(remote, third, route="/update")
    here.settle()
    assert here.head("lakes") == third


def test_a_force_push_and_local_changes_do_not_stop_it(here: Deployment) -> None:
    remote = here.course("seas")
    remote.commit({"about/overview.html": "<h2>old</h2>\n"})
    here.deliver(remote, route="/update")
    here.settle()
    (here.repodir / "seas/about/overview.html").write_text("edited by hand\n")
    git("reset", "-q", "--hard", "HEAD~1", cwd=remote.work)
    (remote.work / "other").write_text("rewritten\n")
    git("add", "-A", cwd=remote.work)
    git("commit", "-q", "-m", "rewritten", cwd=remote.work)
    remote.push("main", "--force")
    here.deliver(remote, route="/update")
    here.settle()
    assert here.head("seas") == git("rev-parse", "HEAD", cwd=remote.work)
    assert git("status", "--porcelain", cwd=here.repodir / "seas") == ""


def test_a_deleted_branch_is_ignored_with_a_reason(here: Deployment) -> None:
    remote = here.course("creeks")
    before = here.head("creeks")
    answer = here.deliver(remote, ZERO, deleted=True)
    assert (answer.status, answer.body["outcome"]) == (200, "ignored")
    assert "deleted" in answer.body["msg"]
    assert here.jobs("--checkout", "creeks") == []
    assert here.head("creeks") == before


def test_two_checkouts_of_one_repository_follow_their_own_branches(here: Deployment) -> None:
    remote = here.course("ponds")
    remote.commit({"stage": "devel\n"}, branch="devel")
    # Cloned by hand a moment ago, while the server runs.
    remote.clone(here.repodir / "ponds-devel", "--branch", "devel")
    production = here.head("ponds")
    revision = remote.commit({"stage": "devel 2\n"}, branch="devel")
    answer = here.deliver(remote, revision, branch="devel", route="/update")
    assert "ponds-devel" in answer.body["msg"]
    here.settle()
    assert here.head("ponds-devel") == revision
    assert here.head("ponds") == production


def test_a_symlink_is_no_second_checkout(here: Deployment) -> None:
    remote = here.course("brooks")
    (here.repodir / "alias").symlink_to("brooks")
    answer = here.deliver(remote, route="/update")
    assert len(answer.body["jobs"]) == 1


def test_another_owners_repository_of_the_same_name_does_nothing(here: Deployment) -> None:
    here.course("springs")
    payload = github.github_push("https://github.com/Mallory/springs")
    headers, body = github.signed(payload, here.secret)
    answer = here.request("POST", "/", body, headers)
    assert (answer.status, answer.body["outcome"]) == (404, "ignored")
    assert here.jobs("--checkout", "springs") == []
    here.logs("REPOS.springs.REMOTES")


def test_a_storm_makes_few_runs_and_the_last_is_at_the_tip(here: Deployment) -> None:
    remote = here.course("oceans")
    hold = here.folder / "hold"
    hold.touch()
    here.platform.behave(hold=str(hold))
    pushed = [remote.commit({"a": "first\n"})]
    here.deliver(remote, pushed[0])
    outcomes = set()
    for number in range(100):
        pushed.append(remote.commit({"a": f"{number}\n"}))
        outcomes.add(here.deliver(remote, pushed[-1]).body["outcome"])
    hold.unlink()
    here.settle()
    assert outcomes <= {"queued", "coalesced"}
    imports = [each["revision"] for each in here.platform.journal("end")]
    imports = [revision for revision in imports if revision in pushed]
    assert len(imports) <= 3
    assert imports[-1] == pushed[-1]


def test_ping_and_other_events(here: Deployment) -> None:
    remote = here.course("wells")
    for event, outcome in (("ping", "pong"), ("issues", "ignored")):
        payload = github.github_push(remote.url)
        headers, body = github.signed(payload, here.secret, event)
        answer = here.request("POST", "/", body, headers)
        assert (answer.status, answer.body["outcome"]) == (200, outcome)
    assert here.jobs("--checkout", "wells") == []
