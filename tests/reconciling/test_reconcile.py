"""What no webhook told is found and done: real repositories, a clock that the test moves."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.git_http import git_server
from fakes.github_server import PERSONAL, Hook, github
from fakes.keys import rsa_key
from gitreload import reconcile, tips
from gitreload.git import Git, fetching, running
from gitreload.late import LATE_SECONDS
from gitreload.ledger import CheckoutRecord, Missed
from gitreload.locks import Lock
from gitreload.model import (
    Action,
    Job,
    Reason,
    State,
)
from gitreload.reconcile import PAUSE_SECONDS, owed
from helpers import Remote, git, wait_until

from .conftest import DAY, MINUTES, Host

OLD, TIP = "1f" * 20, "2e" * 20


def a_job(**facts: object) -> Job:
    job = Job(
        *(1, 1, "course", "/repos/course", None, Action.IMPORT, State.SUCCEEDED, Reason.PUSH),
        queued_at=0.0,
        due_at=0.0,
    )
    return replace(job, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("revision", "job", "expected"),
    [
        (TIP, a_job(), None),
        (TIP, a_job(state=State.FAILED), None),
        (TIP, None, None),
        (OLD, None, Action.IMPORT),
        (OLD, a_job(), Action.IMPORT),
        (None, a_job(), Action.IMPORT),
        (OLD, a_job(state=State.QUEUED), None),
        (OLD, a_job(state=State.RUNNING), None),
        # It is said to have been brought there, but the remote's word was another one then.
        (OLD, a_job(wanted=TIP), Action.IMPORT),
        (OLD, a_job(wanted=TIP, state=State.FAILED), Action.IMPORT),
        (OLD, a_job(wanted=TIP, state=State.FAILED, reason=Reason.RECONCILE), None),
        (OLD, a_job(wanted=OLD, state=State.FAILED, reason=Reason.RECONCILE), Action.IMPORT),
        (OLD, a_job(wanted=TIP, state=State.CANCELLED), None),
        (OLD, a_job(wanted=OLD, state=State.CANCELLED), Action.IMPORT),
    ],
)
def test_what_is_owed(revision: str | None, job: Job | None, expected: Action | None) -> None:
    record = CheckoutRecord("/repos/course", "course", revision, (), job, action=Action.IMPORT)
    assert owed(record, TIP) is expected


class TestCatchingUp:
    @pytest.mark.parametrize("action", Action)
    def test_the_action_that_was_asked_for_last_is_done(
        self, host: Host, remote: Remote, action: Action
    ) -> None:
        host.sync(action=Action.UPDATE)
        host.work()
        host.sync(action=action)
        host.work()
        tip = remote.commit({"a": "lost\n"})
        host.round()
        assert host.queued() == [("course", action, Reason.RECONCILE)]
        [job] = host.work()
        assert (job.state, job.to_revision, host.head()) == (State.SUCCEEDED, tip, tip)
        host.round()
        assert host.queued() == []

    def test_it_is_still_known_when_the_job_is_pruned(self, host: Host, remote: Remote) -> None:
        host.sync()
        host.work()
        host.now += 100 * DAY
        host.ledger.prune(30, 1024)
        remote.commit({"a": "lost\n"})
        host.round()
        assert host.queued() == [("course", Action.IMPORT, Reason.RECONCILE)]

    def test_a_course_that_is_broken_is_not_imported_again_and_again(
        self, host: Host, remote: Remote
    ) -> None:
        host.importer.broken.add("course")
        host.sync()
        broken = remote.commit({"a": "broken\n"})
        host.work()
        for _ in range(3):
            host.round()
            assert host.work() == []
        assert host.importer.imported == [("course", broken)]
        mended = remote.commit({"a": "mended\n"})
        host.round()
        host.work()
        assert host.importer.imported[1:] == [("course", mended)]

    def test_what_could_not_be_fetched_is_tried_once_more(self, host: Host, remote: Remote) -> None:
        host.sync()
        host.work()
        # The remote tells of it, but it is malformed, so that no fetch takes it.
        text = remote.bare / "malformed"
        text.write_text(f"tree {git('rev-parse', 'HEAD^{tree}', cwd=remote.work)}\nauthor x\n\n")
        options = ("-w", "-t", "commit", "--literally", str(text))
        bad = git("hash-object", *options, cwd=remote.bare)
        (remote.bare / "refs/heads/main").write_text(f"{bad}\n")
        host.push(remote, bad)
        [job] = host.work()
        assert job.state is State.FAILED, job.error
        states = []
        for _ in range(3):
            host.round()
            states.append([(job.reason, job.state) for job in host.work()])
        assert states == [[(Reason.RECONCILE, State.FAILED)], [], []]

    def test_a_job_that_waits_is_left_as_it_is(self, host: Host, remote: Remote) -> None:
        host.sync()
        remote.commit({"a": "new\n"})
        [before] = host.ledger.unfinished()
        host.round()
        assert host.ledger.unfinished() == [before]

    def test_one_that_came_meanwhile_too(
        self, host: Host, remote: Remote, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        host.sync()
        host.work()
        tip = remote.commit({"a": "new\n"})
        asked = fetching.ls_remote

        def pushed(git: Git, branches: list[str], tags: list[str]) -> dict[str, str]:
            host.push(remote, tip, Action.UPDATE)
            return asked(git, branches, tags)

        monkeypatch.setattr(fetching, "ls_remote", pushed)
        host.round()
        assert host.queued() == [("course", Action.UPDATE, Reason.PUSH)]

    def test_what_was_cancelled_stays_so(self, host: Host, remote: Remote) -> None:
        host.sync()
        host.work()
        host.push(remote, remote.commit({"a": "unwanted\n"}))
        host.ledger.cancel(host.ledger.unfinished()[0])
        host.round()
        assert host.queued() == []


class TestTags:
    @pytest.fixture(autouse=True)
    def _followed(self, host: Host) -> None:
        host.configure(REPOS='{"course": {"REF": "v*"}}')

    def test_a_tag_that_nobody_announced_is_found(self, host: Host, remote: Remote) -> None:
        git("push", "-q", "origin", "HEAD:refs/tags/v1", cwd=remote.work)
        host.sync()
        host.work()
        tagged = remote.commit({"a": "new\n"})
        host.round()
        assert host.queued() == []
        git("tag", "-a", "-m", "new", "v2", cwd=remote.work)
        git("push", "-q", "origin", "v2", cwd=remote.work)
        host.round()
        assert host.queued() == [("course", Action.IMPORT, Reason.RECONCILE)]
        host.work()
        assert host.head() == tagged
        host.round()
        assert host.queued() == []

    def test_branches_and_tags_are_asked_for_at_once(
        self, host: Host, remote: Remote, calls: list[set[str]]
    ) -> None:
        remote.clone(host.repodir / "beside")
        git("push", "-q", "origin", "HEAD:refs/tags/v1", cwd=remote.work)
        tip = remote.commit({"a": "new\n"})
        host.round()
        assert calls == [{"main", "v*"}]
        host.work()
        assert (host.head("beside"), host.head()) != (tip, tip)
        assert host.head("beside") == tip

    def test_no_tag_is_told(
        self, host: Host, remote: Remote, caplog: pytest.LogCaptureFixture
    ) -> None:
        host.round()
        assert f"no tag v*, which course follows, is at {remote.url}" in caplog.text

    def test_unasked_it_goes_from_tag_to_tag_but_keeps_what_is_only_here(
        self, host: Host, remote: Remote
    ) -> None:
        git("checkout", "-q", "--orphan", "beside", cwd=remote.work)
        beside = remote.commit({"a": "beside\n"}, branch="beside")
        git("push", "-q", "origin", "HEAD:refs/tags/v1", cwd=remote.work)
        host.round()
        host.work()
        assert host.head() == beside
        clone = host.repodir / "other"
        remote.clone(clone)
        git("commit", "-q", "--allow-empty", "-m", "mine", cwd=clone)
        host.configure(REPOS='{"other": {"REF": "v*"}, "course": {"REF": "v*"}}')
        host.round()
        assert host.queued() == []


class TestUnasked:
    def test_at_its_tip_it_owes_nothing(self, host: Host) -> None:
        host.round()
        assert host.queued() == []

    def test_behind_it_is_updated(self, host: Host, remote: Remote) -> None:
        tip = remote.commit({"a": "new\n"})
        host.round()
        assert host.queued() == [("course", Action.UPDATE, Reason.RECONCILE)]
        host.work()
        assert host.head() == tip

    @pytest.mark.parametrize("change", ["edited", "untracked", "committed"])
    def test_work_of_somebody_is_left_alone_and_told_once(
        self, host: Host, remote: Remote, caplog: pytest.LogCaptureFixture, change: str
    ) -> None:
        course = host.repodir / "course"
        (course / ("new" if change == "untracked" else "README.md")).write_text("mine\n")
        if change == "committed":
            git("commit", "-qam", "mine", cwd=course)
        remote.commit({"a": "new\n"})
        for _ in range(2):
            host.round()
        assert host.queued() == []
        assert caplog.text.count("somebody has changed it") == 1
        assert "gitreload sync --update course" in caplog.text


class TestRemotes:
    def test_one_call_is_made_for_all_branches_and_checkouts_of_a_remote(
        self, host: Host, remote: Remote, calls: list[set[str]]
    ) -> None:
        remote.commit({"b": "staging\n"}, branch="staging/next")
        remote.clone(host.repodir / "org/again")
        remote.clone(host.repodir / "staging", "-b", "staging/next")
        Remote(host.folder / "other").commit({"c": "other\n"})
        git("clone", "-q", str(host.folder / "other/course.git"), "other", cwd=host.repodir)
        main = remote.commit({"a": "new\n"})
        staging = remote.commit({"b": "newer\n"}, branch="staging/next")
        host.round()
        assert sorted(map(sorted, calls)) == [["main"], ["main", "staging/next"]]
        host.work()
        assert (host.head(), host.head("org/again")) == (main, main)
        assert host.head("staging") == staging

    def test_a_relative_remote_is_another_one_from_elsewhere(
        self, host: Host, remote: Remote, calls: list[set[str]]
    ) -> None:
        for name in ("a", "b/c"):
            clone = remote.clone(host.repodir / name)
            git("remote", "set-url", "origin", "../course", cwd=clone)
        host.round()
        assert len(calls) == 3

    def test_a_branch_that_is_gone_is_told_once_and_followed_when_it_is_back(
        self, host: Host, remote: Remote, caplog: pytest.LogCaptureFixture
    ) -> None:
        host.sync()
        host.work()
        git("update-ref", "-d", "refs/heads/main", cwd=remote.bare)
        for _ in range(2):
            host.round()
        assert host.queued() == []
        assert caplog.text.count("the branch main, which course follows, is not at") == 1
        trouble = host.ledger.last_results()[str(host.repodir / "course")].trouble
        assert trouble is not None
        assert "the branch main" in trouble.text
        assert trouble.lasts
        tip = remote.commit({"a": "again\n"})
        host.round()
        assert "can be compared with their remotes again: 1" in caplog.text
        record = host.ledger.last_results()[str(host.repodir / "course")]
        assert (record.tip, record.trouble) == (tip, None)
        host.work()
        assert host.head() == tip

    def test_hanging_ones_are_given_up_and_the_others_answer_in_the_same_round(
        self,
        host: Host,
        remote: Remote,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(running, "LISTING_SECONDS", 0.5)
        with git_server(host.folder) as server:
            server.stall = True
            for number in range(tips.PARALLEL):
                dead = remote.clone(host.repodir / f"a{number}")
                git("remote", "set-url", "origin", server.url(f"{number}.git"), cwd=dead)
            tip = remote.commit({"a": "new\n"})
            for _ in range(2):
                host.round()
        for number in range(tips.PARALLEL):
            assert caplog.text.count(f"a{number} cannot be compared") == 1
        assert "git ls-remote took longer than 0.5 s in a0" in caplog.text
        host.work()
        assert host.head() == tip

    def test_of_many_dead_ones_a_few_are_named(
        self, host: Host, remote: Remote, caplog: pytest.LogCaptureFixture
    ) -> None:
        for number in range(12):
            clone = remote.clone(host.repodir / f"dead{number}")
            git("remote", "set-url", "origin", f"/nowhere/{number}.git", cwd=clone)
        host.round()
        assert caplog.text.count("cannot be compared with its remote") == 10
        assert "2 more cannot be compared with their remotes" in caplog.text


class TestOneProcess:
    def test_reconciles_and_another_one_once_it_has_left(
        self, host: Host, calls: list[set[str]]
    ) -> None:
        host.reconciler.attend()
        other = host.start()
        host.now += MINUTES * 60
        other.attend()
        assert len(calls) == 1
        host.reconciler.attend()
        host.reconciler.leave()
        other.attend()
        assert len(calls) == 2
        host.now += PAUSE_SECONDS
        other.attend()
        assert len(calls) == 3
        other.leave()

    def test_does_it_as_often_as_configured(self, host: Host, calls: list[set[str]]) -> None:
        for _ in range(10):
            host.reconciler.attend()
            host.now += MINUTES * 60 / 5 + 1
        assert len(calls) == 2

    def test_does_not_wait_for_a_clock_that_was_set_back(
        self, host: Host, calls: list[set[str]]
    ) -> None:
        host.reconciler.attend()
        host.now -= 400 * DAY
        host.reconciler.attend()
        assert len(calls) == 2

    def test_does_nothing_where_it_is_off(self, host: Host, calls: list[set[str]]) -> None:
        host.configure(RECONCILE_MINUTES=0)
        host.round()
        assert calls == []
        assert not (host.folder / "state/reconcile.lock").exists()


def test_it_ends_at_once_when_it_has_to_stop(host: Host, remote: Remote) -> None:
    with git_server(host.folder) as server:
        server.stall = True
        for number in range(20):
            dead = remote.clone(host.repodir / f"dead{number}")
            git("remote", "set-url", "origin", server.url(f"{number}.git"), cwd=dead)
        thread = threading.Thread(target=host.reconciler.run)
        thread.start()
        wait_until(lambda: host.ledger.last_results() or _asking())
        host.stopping.set()
        thread.join(30)
        assert not thread.is_alive()
    lock = Lock.take(host.folder / "state/reconcile.lock")
    assert lock is not None
    lock.release()


def _asking() -> bool:
    return any(thread.name.startswith("ls-remote") for thread in threading.enumerate())


def test_what_keeps_it_from_working_is_told_once(
    host: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reconcile, "TICK_SECONDS", 0.001)
    host.repodir.rename(host.folder / "away")
    thread = threading.Thread(target=host.reconciler.run)
    thread.start()
    wait_until(lambda: "cannot reconcile now: REPODIR" in caplog.text)
    host.now += MINUTES * 60
    began = host.folder / "state/reconcile.lock"
    wait_until(lambda: os.stat(began).st_mtime == host.now)  # noqa: PTH116
    (host.folder / "away").rename(host.repodir)
    host.now += MINUTES * 60
    caplog.set_level(logging.INFO)
    wait_until(lambda: "reconciled 1 checkouts" in caplog.text)
    host.stopping.set()
    thread.join(30)
    assert caplog.text.count("cannot reconcile now") == 1


class TestAlarm:
    def lose(self, host: Host, remote: Remote, pushes: int) -> None:
        for number in range(pushes):
            remote.commit({"a": f"lost at {host.now}, {number}\n"})
            host.round()
            host.work()

    def test_comes_when_pushes_are_found_that_no_delivery_announced(
        self, host: Host, remote: Remote, caplog: pytest.LogCaptureFixture
    ) -> None:
        host.push(remote, host.head())
        host.work()
        host.round()
        host.now += 7.5 * DAY
        self.lose(host, remote, 2)
        host.round()
        assert "the webhook of course seems broken: a push came that no delivery" in caplog.text
        last = "2 pushes came that no delivery announced, the last delivery was 8 days ago"
        assert caplog.text.count(last) == 1
        host.round()
        assert caplog.text.count(last) == 1
        host.push(remote, remote.commit({"a": "announced\n"}))
        host.work()
        assert host.missed() == []
        self.lose(host, remote, 1)
        assert host.missed() == [1]

    def test_does_not_come_for_what_was_pushed_while_we_were_away(
        self, host: Host, remote: Remote
    ) -> None:
        host.sync()
        host.work()
        host.round()
        host.restart()
        self.lose(host, remote, 1)
        assert host.missed() == []

    def test_does_not_come_for_a_delivery_that_was_late(self, host: Host, remote: Remote) -> None:
        host.round()
        tip = remote.commit({"a": "slow forge\n"})
        host.round()
        host.now += 1
        host.push(remote, tip)
        assert host.missed() == []

    def test_where_no_delivery_ever_came_it_is_told_once(
        self, host: Host, remote: Remote, caplog: pytest.LogCaptureFixture
    ) -> None:
        host.round()
        self.lose(host, remote, 4)
        assert caplog.text.count("and none is known that ever did") == 1


class TestLate:
    """A checkout that stays behind, whatever a job is to do about it."""

    def told(self, caplog: pytest.LogCaptureFixture) -> list[str]:
        found = [record.getMessage() for record in caplog.records]
        return [text for text in found if "has been behind for" in text]

    def test_as_no_worker_takes_its_job_is_told_once(
        self, host: Host, caplog: pytest.LogCaptureFixture
    ) -> None:
        host.sync()
        host.now += LATE_SECONDS - 1
        host.reconciler.attend()
        assert self.told(caplog) == []
        for _ in range(2):
            host.round()
        [told] = self.told(caplog)
        assert "course has been behind for 8 hours, waiting for job 1, which no worker has" in told
        host.work()
        host.sync()
        for _ in range(2):
            host.round()
        assert len(self.told(caplog)) == 2

    def test_as_its_job_does_not_end(self, host: Host, caplog: pytest.LogCaptureFixture) -> None:
        host.sync()
        claimed = host.ledger.claim("worker")
        assert claimed is not None
        host.round()
        [told] = self.told(caplog)
        assert "waiting for job 1, which is running: see what it does with gitreload logs 1" in told
        claimed.lock.release()

    def test_as_its_job_fails_again_and_again(
        self, host: Host, caplog: pytest.LogCaptureFixture
    ) -> None:
        host.sync()
        claimed = host.ledger.claim("worker")
        assert claimed is not None
        host.ledger.try_again(claimed, "the remote is away", 300, 5, failing=True)
        claimed.lock.release()
        host.round()
        [told] = self.told(caplog)
        assert told.endswith("job 1, which fails again and again: the remote is away")

    def test_on_purpose_is_no_alarm(self, host: Host, caplog: pytest.LogCaptureFixture) -> None:
        host.sync()
        host.ledger.hold(host.checkout())
        host.round()
        host.ledger.release(host.checkout())
        host.ledger.held_by_configuration = frozenset(["course"])
        host.round()
        assert self.told(caplog) == []
        host.ledger.held_by_configuration = frozenset()
        host.round()
        assert len(self.told(caplog)) == 1


@pytest.mark.parametrize(
    ("ago", "expected"), [(3600.0, "today"), (1.5 * DAY, "yesterday"), (9.9 * DAY, "9 days ago")]
)
def test_how_long_ago_the_last_delivery_was(ago: float, expected: str) -> None:
    assert f"was {expected}." in Missed("course", 2, 1e9 - ago).alarm(1e9)


def test_deliveries_that_failed_are_asked_for(host: Host, tmp_path: Path) -> None:
    host.now = time.time()
    with github(tmp_path, rsa_key()) as hub:
        hub.hooks["org/course"][7] = hook = Hook({"url": "https://hooks.example/"})
        hook.deliver("a", 502, 600)
        host.configure(
            PUBLIC_URL="https://hooks.example",
            GITHUB_URL=hub.url("").rstrip("/"),
            GITHUB_TOKEN=PERSONAL,
            REPOS=json.dumps({"course": {"REMOTES": [hub.url("org/course.git")]}}),
        )
        host.reconciler.attend()
    assert hook.asked() == ["a"]
