"""What a job does around the update of its checkout: AFTER, and the changes below PATHS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitreload.ledger import LedgerUnavailable
from gitreload.model import Action, Job, State, TransientError
from gitreload.publish import Published
from helpers import git
from workbench import Bench


class After:
    """A command that notes its environment, or fails for as long as `broken` is there."""

    def __init__(self, folder: Path) -> None:
        self.script = folder / "after"
        self.broken = folder / "broken"
        self._runs = folder / "runs"
        self.script.write_text(
            f"#!/bin/sh\ntest -e {self.broken} && {{ echo no grader is there; exit 3; }}\n"
            f"{{ echo cwd=$(pwd); env | sed -n s/^GITRELOAD_JOB_//p; echo; }} >> {self._runs}\n"
        )
        self.script.chmod(0o755)

    def runs(self) -> list[dict[str, str]]:
        """The environments of the runs that succeeded, the working directory as `cwd`."""
        runs = self._runs.read_text().split("\n\n")[:-1] if self._runs.exists() else []
        return [dict(line.split("=", 1) for line in run.splitlines()) for run in runs]

    def revisions(self) -> list[str]:
        return [run["REVISION"] for run in self.runs()]


@pytest.fixture
def after(tmp_path: Path) -> After:
    return After(tmp_path)


def update(bench: Bench) -> Job:
    bench.sync(action=Action.UPDATE)
    return bench.run()


def published(bench: Bench) -> Published:
    found = Published.of(bench.tools.settings, "course")
    assert found is not None
    return found


class TestAfter:
    def test_it_is_told_what_is_served(self, bench: Bench, after: After) -> None:
        bench.configured(AFTER=[str(after.script)])
        first = update(bench)
        second = bench.remote.commit({"a": "1\n"})
        job = update(bench)
        told = after.runs()[1]
        course = str(bench.repodir / "course")
        assert told == {
            "cwd": course,
            "PATH": course,
            "SERVED": course,
            "CHECKOUT": "course",
            "ACTION": "update",
            "BRANCH": "main",
            "ID": str(job.id),
            "PREVIOUS": first.to_revision,
            "REVISION": second,
        }
        assert after.runs()[0]["PREVIOUS"] == ""
        assert bench.log(job.id).endswith("; AFTER ran\n")

    def test_it_runs_in_what_is_published(self, bench: Bench, after: After) -> None:
        bench.configured(AFTER=[str(after.script)], PUBLISH=True)
        job = update(bench)
        [told] = after.runs()
        assert told["cwd"] == str(published(bench).folder(job.to_revision or ""))
        assert told["SERVED"] == str(published(bench).link)

    def test_it_runs_after_the_import_and_after_each(self, bench: Bench, after: After) -> None:
        bench.configured(AFTER=[str(after.script)])
        bench.importer.action = lambda _: seen.append(len(after.runs()))
        seen: list[int] = []
        for force in (False, True):
            bench.sync(force=force)
            bench.run()
        bench.importer.settings = "another"
        bench.sync()
        bench.run()
        assert seen == [0, 1, 2]
        assert len(after.runs()) == 3

    @pytest.mark.parametrize("action", Action)
    def test_without_a_change_it_does_not_run(
        self, bench: Bench, after: After, action: Action
    ) -> None:
        bench.configured(AFTER=[str(after.script)])
        for _ in range(2):
            bench.sync(action=action)
            assert bench.run().state is State.SUCCEEDED
        assert len(after.runs()) == 1

    def test_a_failing_one_alone_is_tried_again(
        self, bench: Bench, after: After, caplog: pytest.LogCaptureFixture
    ) -> None:
        bench.configured(AFTER=[str(after.script)], PUBLISH=True)
        after.broken.touch()
        bench.sync(force=True)
        waits = []
        job = bench.run()
        for _ in range(5):
            job, waited = bench.run_when_due()
            waits.append(waited)
        assert waits == [5, 10, 20, 40, 300]
        assert (job.state, job.failing) == (State.QUEUED, True)
        tip = git("rev-parse", "HEAD", cwd=bench.repodir / "course")
        assert job.error == (
            f"AFTER failed for {tip[:12]} with exit code 3: no grader is there; the update is "
            "done, only AFTER is owed"
        )
        assert caplog.text.count("no grader is there") >= 1
        assert published(bench).served() == tip
        after.broken.unlink()
        job, _ = bench.run_when_due()
        assert job.state is State.SUCCEEDED
        assert after.revisions() == [tip]
        assert bench.importer.imported == [tip]

    def test_a_push_meanwhile_takes_its_place(self, bench: Bench, after: After) -> None:
        bench.configured(AFTER=[str(after.script)])
        after.broken.touch()
        waiting = update(bench)
        tip = bench.remote.commit({"a": "1\n"})
        assert bench.push(tip) == waiting.id
        after.broken.unlink()
        assert bench.run().state is State.SUCCEEDED
        assert after.revisions() == [tip]
        assert bench.ledger.next_due() is None

    @pytest.mark.parametrize(
        ("argv", "error"),
        [
            (["/nowhere/after"], "AFTER: there is no program /nowhere/after; install it"),
            (["/etc/passwd"], "AFTER: /etc/passwd cannot be run: Permission denied; it must be a"),
            (["sh", "-c", "kill -9 $$"], "AFTER was ended by signal 9; the update is done"),
        ],
    )
    def test_whatever_is_wrong_with_it_is_told_and_tried_again(
        self, bench: Bench, argv: list[str], error: str
    ) -> None:
        bench.configured(AFTER=argv)
        job = update(bench)
        assert job.state is State.QUEUED
        assert (job.error or "").startswith(error)

    def test_it_is_owed_after_a_failure_at_any_moment(
        self, bench: Bench, after: After, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench.configured(AFTER=[str(after.script)], PUBLISH=True)

        def away(*_: object) -> None:
            raise LedgerUnavailable("the disk is full")

        bench.sync()
        with monkeypatch.context() as patched:
            patched.setattr(bench.ledger, "owe_after", away)
            assert bench.run().state is State.QUEUED
        assert after.runs() == []
        job, _ = bench.run_when_due()
        assert (job.state, len(after.runs())) == (State.SUCCEEDED, 1)

    def test_it_is_owed_after_it_was_cancelled(self, bench: Bench, after: After) -> None:
        bench.configured(AFTER=[str(after.script)])
        after.broken.touch()
        bench.ledger.cancel(update(bench))
        after.broken.unlink()
        update(bench)
        assert len(after.runs()) == 1

    def test_a_failed_import_leaves_it_owed(self, bench: Bench, after: After) -> None:
        bench.configured(AFTER=[str(after.script)], PUBLISH=True)

        def fails(_: object) -> None:
            raise TransientError("the database is away")

        bench.importer.action = fails
        bench.sync()
        bench.run()
        assert after.runs() == []
        bench.importer.action = lambda _: None
        bench.run_when_due()
        assert len(after.runs()) == 1


class TestRollback:
    @pytest.fixture
    def rolled_back(self, bench: Bench, after: After) -> tuple[str, str]:
        """Two revisions are published, and the first is served again; both."""
        bench.configured(AFTER=[str(after.script)], PUBLISH=True)
        first = update(bench).to_revision or ""
        second = bench.remote.commit({"a": "1\n"})
        update(bench)
        bench.ledger.hold(bench.checkout())
        published(bench).roll_back()
        return first, second

    def test_it_runs_while_the_checkout_is_held(
        self, bench: Bench, after: After, rolled_back: tuple[str, str]
    ) -> None:
        first, second = rolled_back
        push = bench.push(bench.remote.commit({"a": "2\n"}))
        alone = bench.ledger.owe_after_rollback(bench.checkout(), 0)
        job = bench.run()
        assert (job.id, job.state, job.only_after) == (alone, State.SUCCEEDED, True)
        assert (job.from_revision, job.to_revision) == (second, first)
        assert after.runs()[-1]["REVISION"] == first
        assert after.runs()[-1]["PREVIOUS"] == second
        assert bench.job(push).held
        assert bench.ledger.claim("worker") is None
        # What the checkout is at did not change: reconciling must not think so.
        [record] = bench.ledger.last_results().values()
        assert record.revision == second

    def test_it_is_tried_again_and_runs_once(
        self, bench: Bench, after: After, rolled_back: tuple[str, str]
    ) -> None:
        after.broken.touch()
        jobs = {bench.ledger.owe_after_rollback(bench.checkout(), 0) for _ in range(2)}
        assert bench.run().state is State.QUEUED
        after.broken.unlink()
        job, waited = bench.run_when_due()
        assert ({job.id}, job.state, waited) == (jobs, State.SUCCEEDED, 5)
        assert len(after.runs()) == 3
        assert bench.ledger.next_due() is None

    def test_the_release_serves_the_tip_and_runs_it_once_more(
        self, bench: Bench, after: After, rolled_back: tuple[str, str]
    ) -> None:
        first, second = rolled_back
        bench.ledger.owe_after_rollback(bench.checkout(), 0)
        bench.run()
        bench.ledger.release(bench.checkout())
        update(bench)
        assert after.revisions() == [first, second, first, second]

    def test_after_a_failure_it_is_owed_for_what_it_ran_for_before(
        self, bench: Bench, after: After
    ) -> None:
        # It may have done half of its work for the revision that is left.
        bench.configured(AFTER=[str(after.script)], PUBLISH=True)
        first = update(bench).to_revision
        bench.remote.commit({"a": "1\n"})
        after.broken.touch()
        update(bench)
        bench.ledger.hold(bench.checkout())
        published(bench).roll_back()
        bench.ledger.owe_after_rollback(bench.checkout(), 0)
        after.broken.unlink()
        assert bench.run().only_after
        assert after.revisions() == [first, first]

    def test_back_and_forth_owes_nothing(
        self, bench: Bench, after: After, rolled_back: tuple[str, str]
    ) -> None:
        bench.ledger.owe_after_rollback(bench.checkout(), 0)
        published(bench).roll_back(rolled_back[1])
        assert bench.run().state is State.SUCCEEDED
        assert len(after.runs()) == 2


class TestPaths:
    @pytest.fixture(autouse=True)
    def _paths(self, bench: Bench, after: After) -> None:
        bench.configured(PATHS=["course", "!course/drafts"], AFTER=[str(after.script)])

    def test_only_changes_below_them_act(self, bench: Bench, after: After) -> None:
        bench.sync()
        first = bench.run().to_revision or ""
        other = bench.remote.commit({"README.md": "2\n", "course/drafts/a": "1\n"})
        bench.sync()
        job = bench.run()
        assert (job.state, job.to_revision) == (State.SUCCEEDED, other)
        assert job.skipped == f"nothing below PATHS changed since {first[:12]}"
        assert bench.log(job.id).endswith(f"{first[:12]} → {other[:12]}; {job.skipped}\n")
        assert git("rev-parse", "HEAD", cwd=bench.repodir / "course") == other
        below = bench.remote.commit({"course/b": "1\n"})
        bench.sync()
        job = bench.run()
        assert job.skipped is None
        assert bench.importer.imported == after.revisions() == [first, below]

    def test_what_failed_counts_as_not_done(self, bench: Bench) -> None:
        bench.sync()
        bench.run()
        below = bench.remote.commit({"course/b": "1\n"})
        bench.importer.action = fails_once(TransientError("the database is away"))
        bench.sync()
        bench.run()
        bench.remote.commit({"README.md": "2\n"})
        job, _ = bench.run_when_due()
        assert job.skipped is None
        assert len(bench.importer.imported) == 2
        assert below not in bench.importer.imported

    def test_a_push_back_to_an_older_revision_acts(self, bench: Bench, after: After) -> None:
        first = bench.remote.commit({"course/b": "1\n"})
        bench.remote.commit({"course/b": "2\n"})
        update(bench)
        git("reset", "-q", "--hard", first, cwd=bench.remote.work)
        bench.remote.push("main", "--force")
        assert update(bench).skipped is None
        assert after.revisions()[-1] == first

    def test_force_acts_anyhow(self, bench: Bench, after: After) -> None:
        bench.sync()
        bench.run()
        other = bench.remote.commit({"README.md": "2\n"})
        bench.sync(force=True)
        assert bench.run().skipped is None
        assert bench.importer.imported[-1] == after.revisions()[-1] == other

    def test_what_is_published_stays(self, bench: Bench, after: After) -> None:
        bench.configured(PATHS=["course"], PUBLISH=True, AFTER=[str(after.script)])
        first = update(bench).to_revision
        other = bench.remote.commit({"README.md": "2\n"})
        assert update(bench).skipped is not None
        assert published(bench).served() == first
        # The difference is to what is served, not to what was pushed before.
        git("revert", "--no-edit", "HEAD", cwd=bench.remote.work)
        assert update(bench).skipped is not None
        tip = bench.remote.commit({"course/b": "1\n"})
        assert update(bench).skipped is None
        assert published(bench).served() == tip
        assert other not in published(bench).kept()
        assert after.revisions() == [first, tip]


def fails_once(error: Exception) -> Callable[[object], None]:
    errors = [error]

    def action(_: object) -> None:
        if errors:
            raise errors.pop()

    return action
