"""An import from the files to the proof: precheck, several courses, guard."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitreload.model import Action, Job, State, TransientError
from gitreload.process import Runner
from helpers import git
from workbench import Bench

COURSE = """<course org="Org" course="{name}" url_name="run" display_name="A course">
  <chapter url_name="start" display_name="Start">
    <sequential url_name="first" display_name="First">{rest}</sequential>
  </chapter>
</course>
"""


def course(name: str = "course", *verticals: str) -> str:
    return COURSE.format(
        name=name, rest="".join(f'<vertical url_name="{each}" x="y"/>' for each in verticals)
    )


def run(bench: Bench, *, force: bool = False) -> Job:
    bench.sync(force=force)
    return bench.run()


@pytest.fixture(autouse=True)
def _takes_only_courses(bench: Bench) -> None:
    bench.importer.needs_course = True


class TestPrecheck:
    def test_what_is_wrong_is_the_jobs_error_and_nothing_is_touched(self, bench: Bench) -> None:
        bench.remote.commit({"course.xml": course(), "html/a.xml": "<html>", "html/b.xml": "<"})
        job = run(bench)
        assert job.state is State.FAILED
        assert job.error is not None
        assert job.error.startswith("html/a.xml:1:7: not XML: ")
        assert job.error.endswith(" (and 1 more in the log)")
        assert "error: html/b.xml:1:" in bench.log(job.id)
        assert bench.importer.imported == []

    def test_a_checkout_without_a_course_is_refused(self, bench: Bench) -> None:
        assert "course.xml: does not exist" in (run(bench).error or "")

    def test_an_importer_of_anything_takes_that(self, bench: Bench) -> None:
        bench.importer.needs_course = False
        assert run(bench).state is State.SUCCEEDED
        assert bench.importer.sources[0].course is None

    def test_the_key_has_to_be_that_which_is_configured(self, bench: Bench) -> None:
        bench.configured(COURSE_KEY="course-v1:Org+other+run")
        bench.remote.commit({"course.xml": course()})
        job = run(bench)
        assert job.error is not None
        assert "Org/other/run" in job.error
        assert bench.importer.imported == []


class TestSeveralCourses:
    @pytest.fixture(autouse=True)
    def _two(self, bench: Bench) -> None:
        bench.configured(SUBDIR=["a", "b"])
        bench.remote.commit({f"{name}/course.xml": course(name) for name in "ab"})

    def test_each_is_imported_from_its_directory(self, bench: Bench) -> None:
        assert run(bench).state is State.SUCCEEDED
        path = Path(bench.checkout().path)
        assert [source.root for source in bench.importer.sources] == [path / "a", path / "b"]
        record = bench.ledger.last_results()[bench.checkout().path]
        assert record.course_keys == ("Org/a/run", "Org/b/run")

    def test_what_is_imported_already_is_left_alone_when_the_other_is_tried_again(
        self, bench: Bench
    ) -> None:
        seen: list[int] = []

        def second_fails(_: Runner) -> None:
            seen.append(1)
            if len(seen) == 2:
                raise TransientError("the database is away")

        bench.importer.action = second_fails
        assert run(bench).state is State.QUEUED
        job, _ = bench.run_when_due()
        assert job.state is State.SUCCEEDED
        assert [source.course.key for source in bench.importer.sources if source.course] == [
            "Org/a/run",
            "Org/b/run",
        ]

    def test_one_that_another_job_imports_is_waited_for(self, bench: Bench) -> None:
        bench.clone("copy")
        bench.sync("copy", Action.UPDATE)
        other = bench.claim()
        assert bench.ledger.take_exclusion(other.job, "Org/b/run")
        job = run(bench)
        assert (job.state, job.tries, len(bench.importer.imported)) == (State.QUEUED, 0, 1)
        bench.worker.run(other)
        bench.run_when_due()
        assert len(bench.importer.imported) == 2

    def test_by_force_all_are_imported_again(self, bench: Bench) -> None:
        run(bench)
        assert run(bench, force=True).state is State.SUCCEEDED
        assert len(bench.importer.imported) == 4


class TestMoved:
    def test_a_checkout_that_moves_meanwhile_is_imported_again(self, bench: Bench) -> None:
        bench.remote.commit({"course.xml": course()})
        path = bench.checkout().path

        def moves(_: Runner) -> None:
            bench.importer.action = lambda _: None
            git("-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty",
                "-m", "by hand", cwd=path)  # fmt: skip

        bench.importer.action = moves
        job = run(bench)
        assert (job.state, job.tries) == (State.QUEUED, 1)
        assert "was moved from" in (job.error or "")
        job, _ = bench.run_when_due()
        assert job.state is State.SUCCEEDED
        assert len(bench.importer.imported) == 2


class TestGuard:
    @pytest.fixture(autouse=True)
    def _imported(self, bench: Bench) -> None:
        bench.remote.commit({"course.xml": course("course", "one", "two")})
        assert run(bench).state is State.SUCCEEDED

    def test_losses_are_told_in_the_log(self, bench: Bench) -> None:
        bench.remote.commit({"course.xml": course("course", "one")})
        job = run(bench)
        assert job.state is State.SUCCEEDED
        assert "GUARD: Org/course/run loses vertical/two: learners lose" in bench.log(job.id)

    def test_off_says_nothing(self, bench: Bench) -> None:
        bench.configured(GUARD="off")
        bench.remote.commit({"course.xml": course("course", "one")})
        assert "GUARD" not in bench.log(run(bench).id)

    def test_refused_until_it_is_approved(self, bench: Bench) -> None:
        bench.configured(GUARD="refuse")
        bench.remote.commit({"course.xml": course("course", "one")})
        job = run(bench)
        assert job.state is State.FAILED
        assert job.guarded
        assert job.error == (
            "GUARD refuses this import, as learners would lose their state: Org/course/run loses "
            "vertical/two. Put the url_names back, or import anyhow with: gitreload approve "
            f"{job.id}"
        )
        assert run(bench).state is State.FAILED, "trying again approves of nothing"
        bench.ledger.approve(job)
        assert bench.run().state is State.SUCCEEDED
        assert len(bench.importer.imported) == 2

    def test_more_losses_than_were_approved_are_refused(self, bench: Bench) -> None:
        bench.configured(GUARD="refuse")
        bench.remote.commit({"course.xml": course("course", "one")})
        job = run(bench)
        bench.remote.commit({"course.xml": course("course")})
        bench.ledger.approve(job)
        again = bench.run()
        assert (again.state, bool(again.guarded)) == (State.FAILED, True)
        assert again.guarded != job.guarded

    def test_another_key_is_the_loss_of_the_course(self, bench: Bench) -> None:
        bench.configured(GUARD="refuse")
        bench.remote.commit({"course.xml": course("renamed", "one", "two")})
        assert "the course Org/course/run is gone" in (run(bench).error or "")

    def test_an_identifier_that_is_moved_is_no_loss(self, bench: Bench) -> None:
        bench.configured(GUARD="refuse")
        bench.remote.commit({"course.xml": course("course", "two", "new", "one")})
        assert run(bench).state is State.SUCCEEDED

    def test_a_refused_import_changes_nothing_of_what_is_compared(self, bench: Bench) -> None:
        bench.configured(GUARD="refuse")
        bench.remote.commit({"course.xml": course("course", "one")})
        run(bench)
        bench.remote.commit({"course.xml": course("course", "one", "two")})
        assert run(bench).state is State.SUCCEEDED

    def test_an_approval_counts_once(self, bench: Bench) -> None:
        bench.configured(GUARD="refuse")
        less = {"course.xml": course("course", "one")}
        bench.remote.commit(less)
        bench.ledger.approve(run(bench))
        assert bench.run().state is State.SUCCEEDED
        bench.remote.commit({"course.xml": course("course", "one", "two")})
        assert run(bench).state is State.SUCCEEDED
        bench.remote.commit(less)
        assert run(bench).state is State.FAILED

    def test_an_approval_outlasts_a_failure_between_two_courses(self, bench: Bench) -> None:
        bench.configured(GUARD="refuse", SUBDIR=["a", "b"])
        bench.remote.commit({f"{name}/course.xml": course(name, "one", "two") for name in "ab"})
        bench.ledger.approve(run(bench))
        assert bench.run().state is State.SUCCEEDED
        bench.remote.commit({f"{name}/course.xml": course(name, "one") for name in "ab"})
        bench.ledger.approve(run(bench))
        seen: list[int] = []

        def second_fails(_: Runner) -> None:
            seen.append(1)
            if len(seen) == 2:
                raise TransientError("away")

        bench.importer.action = second_fails
        assert bench.run().state is State.QUEUED
        job, _ = bench.run_when_due()
        assert job.state is State.SUCCEEDED, job.error

    def test_a_course_that_an_importer_of_anything_loses_is_a_loss(self, bench: Bench) -> None:
        bench.importer.needs_course = False
        bench.configured(GUARD="refuse")
        bench.remote.commit({"course.xml": "<course"})
        assert "the course Org/course/run is gone" in (run(bench).error or "")


def test_another_directory_of_the_same_revision_is_imported(bench: Bench) -> None:
    bench.configured(SUBDIR="a")
    bench.remote.commit({f"{name}/course.xml": course(name) for name in "ab"})
    assert run(bench).state is State.SUCCEEDED
    bench.configured(SUBDIR="b")
    assert run(bench).state is State.SUCCEEDED
    courses = [source.course for source in bench.importer.sources]
    assert [each and each.key for each in courses] == ["Org/a/run", "Org/b/run"]
