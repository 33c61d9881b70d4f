from __future__ import annotations

import json
import re
from datetime import datetime

import pytest

from gitreload.ledger import Arrival, Entry, Target
from gitreload.model import Action, Checkout, Delivery, Mark, Push

from .conftest import NEW, OLD, Book, Host


def checkout(host: Host) -> Checkout:
    path = str(host.repodir / "course")
    return Checkout("course", path, host.remote.url, frozenset(), "main", "main")


def deliver(host: Host, book: Book, after: str = NEW) -> int:
    push = Push("refs/heads/main", (host.remote.url,), "org/course", OLD, after, pusher="ada")
    delivery = Delivery("github", "push", "id-1", pushes=(push,))
    arrival = Arrival(delivery, Action.IMPORT, 0.0, None, (), b"{}")
    [recorded] = book.ledger.record([Entry(arrival, (Target(checkout(host), push),))])
    return recorded.jobs[0]


@pytest.mark.usefixtures("utc")
class TestJobs:
    def test_without_a_ledger_there_are_none_and_none_is_made(self, host: Host) -> None:
        result = host.run("jobs")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "no such jobs" in result.stderr
        assert host.json("jobs") == []
        assert not host.state_dir.exists()

    def test_the_newest_come_first(self, host: Host, book: Book) -> None:
        host.clone("other")
        host.done("sync", "course")
        host.done("sync", "other", "--update")
        heads, *rows = [line.split() for line in host.done("jobs").splitlines()]
        assert heads == ["JOB", "STATE", "ACTION", "CHECKOUT", "REASON", "QUEUED", "(UTC+00:00)"]
        assert [row[:5] for row in rows] == [
            ["2", "queued", "update", "other", "sync"],
            ["1", "queued", "import", "course", "sync"],
        ]

    def test_filters_add_up(self, host: Host, book: Book) -> None:
        for name in ("other", "third"):
            host.clone(name)
        host.done("sync", "--all")
        host.done("cancel", "2")
        book.fail(book.begin())

        def found(*options: str) -> list[int]:
            return [job["id"] for job in host.json("jobs", *options)]

        assert found() == [3, 2, 1]
        assert found("--limit", "2") == [3, 2]
        assert found("--state", "failed", "--state", "cancelled") == [2, 1]
        assert found("--checkout", "course", "--state", "queued") == []
        assert found("--checkout", "third", "--action", "import") == [3]
        assert found("--action", "update") == []

    def test_json_has_the_words_of_the_model_and_times_in_utc(self, host: Host, book: Book) -> None:
        host.done("sync", "course", "--force")
        book.succeed(book.begin())
        [job] = host.json("jobs")
        assert (job["state"], job["action"], job["reason"]) == ("succeeded", "import", "sync")
        assert (job["directory"], job["force"]) == ("course", True)
        assert (job["from_revision"], job["to_revision"]) == (OLD, NEW)
        queued = datetime.fromisoformat(job["queued_at"])
        assert queued.tzinfo is not None
        assert queued <= datetime.fromisoformat(job["finished_at"])

    def test_one_that_had_nothing_to_do_says_why(self, host: Host, book: Book) -> None:
        host.done("sync", "course", "--update", "--force")
        book.skip(book.begin(), "nothing below PATHS changed since 1f1f1f1f1f1f")
        assert "succeeded, skipped" in host.done("jobs")
        assert "succeeded, skipped" in host.done("list")
        assert "nothing below PATHS changed since 1f1f1f1f1f1f" in host.done("show", "1")
        assert "update, forced" in host.done("show", "1")

    def test_one_that_keeps_failing_says_so(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        book.try_again(book.begin(), failing=True)
        assert "queued, failing" in host.done("jobs")
        assert "the remote is away" in host.done("jobs")


class TestShow:
    def test_everything(self, host: Host, book: Book) -> None:
        number = deliver(host, book)
        book.fail(book.begin(), "course.xml is missing")
        shown = host.done("show", str(number))
        for part in (
            "import",
            f"course ({host.repodir / 'course'})",
            host.remote.url,
            "failed",
            "course.xml is missing",
            "refs/heads/main",
            f"{OLD[:12]} → {NEW[:12]}",
            "ada",
            "org/course",
        ):
            assert part in shown

    def test_as_json(self, host: Host, book: Book) -> None:
        deliver(host, book)
        book.succeed(book.begin())
        shown = host.json("show", "1")
        assert (shown["asked"], shown["job"]["state"]) == (1, "succeeded")
        assert [each["pusher"] for each in shown["deliveries"]] == ["ada"]
        assert [each["result"] for each in shown["attempts"]] == ["succeeded"]
        assert shown["deliveries"][0]["received_at"] == "1970-01-01T00:00:00.000+00:00"

    def test_what_people_were_told(self, host: Host, book: Book) -> None:
        number = deliver(host, book)
        book.tell(number, Mark.PENDING, "delivered")
        book.tell(number, Mark.FAILURE, "refused", "the token may not do that")
        book.tell(number, Mark.SUCCESS)
        told = host.done("show", str(number)).partition("told\n")[2]
        for part in ("commit status", NEW[:12], "pending", "delivered", "owed"):
            assert part in told
        assert "refused: the token may not do that" in told
        reports = host.json("show", str(number))["reports"]
        assert [each["result"] for each in reports] == ["delivered", "refused", "owed"]

    def test_follows_a_supersession_and_says_it(self, host: Host, book: Book) -> None:
        deliver(host, book)
        claimed = book.begin()
        deliver(host, book, after="3d" * 20)
        book.try_again(claimed)
        result = host.run("show", "1")
        assert result.exit_code == 0
        assert "job 1 was superseded by job 2" in result.stderr
        assert "the remote is away" in result.stdout  # the attempt was that of job 1
        shown = host.json("show", "1")
        assert (shown["asked"], shown["job"]["id"]) == (1, 2)


@pytest.mark.usefixtures("utc")
class TestLogs:
    def test_all_attempts(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        book.try_again(book.begin("fetching", "it is away"))
        host.done("retry", "1")
        book.succeed(book.begin("fetching again", "done"))
        lines = host.done("logs", "1").splitlines()
        assert [line for line in lines if not line.startswith("---")] == [
            "fetching",
            "it is away",
            "fetching again",
            "done",
        ]
        assert [line.startswith("--- attempt") for line in lines[::3]] == [True, True]

    def test_what_a_dead_worker_could_not_write(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        claimed = book.begin("fetching")
        book.ledger.interrupted(claimed.job, claimed.attempt, "the worker died")
        assert host.done("logs", "1").splitlines()[1:] == [
            "fetching",
            "--- interrupted: the worker died",
        ]

    def test_as_json(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        book.succeed(book.begin("one", "two"))
        shown = host.json("logs", "1")
        assert shown["job"]["state"] == "succeeded"
        assert [each["log"] for each in shown["attempts"]] == ["one\ntwo\n"]

    def test_nothing_in_them_acts(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        book.fail(book.begin("a\tb [red]c[/red] \x1b[2J\u202e"), "[bold]no[/bold] \x1b]0;x\x07")
        assert "a\tb [red]c[/red] \\x1b[2J\\u202e\n" in host.done("logs", "1")
        for command in (("show", "1"), ("jobs",)):
            assert "[bold]no[/bold] \\x1b]0;x\\x07" in host.done(*command)
        assert "\x1b" not in host.done("logs", "1", "--json")

    def test_follow_streams_until_the_end(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        claimed = book.begin("first")
        with host.command("logs", "-f", "1") as following:
            assert following.stdout is not None
            assert "attempt" in following.stdout.readline()
            assert following.stdout.readline() == "first\n"
            book.succeed(claimed)
            assert following.stdout.read() == ""
        assert following.returncode == 0

    def test_follow_goes_on_after_a_failure_that_may_pass(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        book.try_again(book.begin("first"))
        with host.command("logs", "-f", "1") as following:
            assert following.stdout is not None
            told = [following.stdout.readline() for _ in range(3)]
            host.done("retry", "1")
            book.succeed(book.begin("second"))
            told += following.stdout.read().splitlines(keepends=True)
            assert following.stderr is not None
            assert "no worker is running" in following.stderr.read()
        assert following.returncode == 0
        assert [line for line in told if not line.startswith("---")] == ["first\n", "second\n"]
        starts = [line.partition(",")[0] for line in told if line.startswith("--- attempt")]
        assert starts == ["--- attempt 1 of job 1", "--- attempt 2 of job 1"]
        assert re.fullmatch(
            r"--- job 1 is tried again at [-0-9]+ [:0-9]+\+00:00, in \d+ s; "
            r"Ctrl-C stops following, not the job\n",
            told[2],
        )

    def test_follow_goes_over_to_the_job_that_supersedes(self, host: Host, book: Book) -> None:
        deliver(host, book)
        claimed = book.begin("first run")
        with host.command("logs", "-f", "1") as following:
            assert following.stdout is not None
            assert "attempt" in following.stdout.readline()
            deliver(host, book, after="3d" * 20)
            book.try_again(claimed)
            book.fail(book.begin("second run"))
            rest = following.stdout.read()
        assert "of job 2" in rest
        assert rest.endswith("second run\n")
        assert following.returncode == 1


@pytest.mark.usefixtures("utc")
def test_attempts_are_counted_for_each_job(host: Host, book: Book) -> None:
    host.clone("other")
    for name in ("course", "other"):
        host.done("sync", name)
    book.try_again(book.begin("course once"))
    book.fail(book.begin("other once"))
    host.done("retry", "1")
    book.succeed(book.begin("course twice"))
    heads = [line for line in host.done("logs", "1").splitlines() if line.startswith("---")]
    assert [head.partition(",")[0] for head in heads] == [
        "--- attempt 1 of job 1",
        "--- attempt 2 of job 1",
    ]
    rows = host.done("show", "1").partition("attempts\n")[2].splitlines()
    assert rows[0].startswith("ATTEMPT  STARTED (UTC+00:00) ")
    assert [row.split()[0] for row in rows[1:3]] == ["1", "2"]
    for command in ("show", "logs"):
        assert [each["number"] for each in host.json(command, "1")["attempts"]] == [1, 2]


class TestRetry:
    def test_a_finished_one_is_queued_again_with_its_deliveries(
        self, host: Host, book: Book
    ) -> None:
        deliver(host, book)
        book.fail(book.begin())
        assert host.done("retry", "1") == "queued import of course again, as job 2\n"
        assert [each["pusher"] for each in host.json("show", "2")["deliveries"]] == ["ada"]

    def test_a_waiting_one_is_due_at_once(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        book.try_again(book.begin())
        assert host.done("retry", "1") == "job 1, import of course, is due now\n"
        job = json.loads(host.done("retry", "1", "--json"))
        assert (job["id"], job["tries"]) == (1, 0)
        assert book.ledger.claim("worker") is not None

    def test_a_superseded_one_stands_for_its_successor(self, host: Host, book: Book) -> None:
        deliver(host, book)
        claimed = book.begin()
        deliver(host, book, after="3d" * 20)
        book.try_again(claimed)
        result = host.run("retry", "1")
        assert result.stdout == "job 2, import of course, is due now\n"
        assert "job 1 was superseded by job 2" in result.stderr


class TestCancel:
    def test_a_queued_one_is_gone(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        assert host.done("cancel", "1") == "cancelled job 1, import of course\n"
        assert book.ledger.claim("worker") is None

    def test_a_running_one_is_asked_to_stop(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        book.begin()
        assert "is told to stop" in host.done("cancel", "1")
        assert list(book.ledger.cancelling()) == [1]
        assert host.json("cancel", "1")["state"] == "running"


class TestRelease:
    def test_while_a_job_runs_that_is_told(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        claimed = book.begin()
        host.done("hold", "course")
        told = host.done("release", "course")
        assert told == "course is released; job 1, its import, is running, and no push waits\n"
        book.succeed(claimed)
        assert "; no push waits, and what is served stays" in host.done("release", "course")
