from __future__ import annotations

import json
import signal
import sys

import pytest

from helpers import git

from .conftest import Book, Host


class TestQueueing:
    def test_a_checkout_and_that_nobody_works(self, host: Host) -> None:
        result = host.run("sync", "course")
        assert result.stdout == "queued import of course, as job 1\n"
        assert "no worker is running" in result.stderr
        [job] = host.json("jobs")
        assert (job["reason"], job["action"], job["force"]) == ("sync", "import", False)

    def test_what_is_queued_is_joined(self, host: Host) -> None:
        host.done("sync", "course", "--update")
        joined = host.done("sync", "course", "--force")
        assert joined == "import of course joins job 1, which is queued already\n"
        [job] = host.json("jobs")
        assert (job["action"], job["force"]) == ("import", True)

    def test_every_name_of_a_checkout_is_the_same_one(self, host: Host) -> None:
        (host.repodir / "alias").symlink_to("course")
        names = ("course/", "alias", str(host.repodir / "course"), "./course")
        assert [job["directory"] for job in host.json("sync", *names)] == ["course"]

    def test_a_path_that_leads_to_a_checkout_from_here(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inner = host.clone("org/course")
        outside = host.clone("../elsewhere")
        (host.repodir / "linked").symlink_to(outside)

        def found(*names: str) -> list[str]:
            return [job["directory"] for job in host.json("sync", *names)]

        monkeypatch.chdir(inner)
        assert found(".") == found("../course") == ["org/course"]
        assert found("../../course", "course") == ["course"]
        monkeypatch.chdir(host.repodir / "org")
        assert found("./course", "course/") == ["org/course", "course"]
        monkeypatch.chdir(outside)
        assert found(".") == ["linked"]

    def test_all_that_can_be_followed(self, host: Host) -> None:
        host.clone("org/other")
        git("checkout", "-q", "--detach", cwd=host.clone("detached"))
        result = host.run("sync", "--all", "--update", "--json")
        assert result.exit_code == 0
        assert "left out: detached" in result.stderr
        queued = json.loads(result.stdout)
        assert [job["directory"] for job in queued] == ["course", "org/other"]

    def test_nothing_is_queued_where_one_name_is_wrong(self, host: Host) -> None:
        assert "did you mean course?" in host.failed("sync", "course", "curse")
        assert host.json("jobs") == []


class TestWaiting:
    """It works by itself where no server does."""

    def test_success(self, host: Host) -> None:
        tip = host.remote.commit({"new.txt": "new\n"})
        with host.command("sync", "course", "--update", "--wait") as waiting:
            told, complaints = waiting.communicate(timeout=60)
        assert waiting.returncode == 0, complaints
        assert "no worker is running" in complaints
        lines = told.splitlines()
        assert lines[0] == "queued update of course, as job 1"
        assert lines[1].startswith("--- attempt 1 of job 1")
        assert lines[-1].startswith("course: succeeded, ")
        assert (host.repodir / "course/new.txt").read_text() == "new\n"
        assert git("rev-parse", "HEAD", cwd=host.repodir / "course") == tip

    def test_several_with_a_failure(self, host: Host) -> None:
        # A platform that would be found, and a checkout without a course.
        platform = host.folder / "platform"
        (platform / "bin").mkdir(parents=True)
        (platform / "manage.py").touch()
        (platform / "bin/python").symlink_to(sys.executable)
        host.configure(EDX_PLATFORM=str(platform), VIRTUAL_ENV=str(platform))
        host.clone("other.git")
        told = host.run("sync", "--all", "--wait")
        assert told.exit_code == 1, told.stderr
        assert "course: failed: " in told.stdout or "course: failed, " in told.stdout
        assert "course.xml" in told.stdout

    def test_json_is_one_document_with_the_ends(self, host: Host) -> None:
        [job] = host.json("sync", "course", "--update", "--wait")
        assert (job["state"], job["directory"]) == ("succeeded", "course")

    def test_failures_from_before_are_no_news(self, host: Host, book: Book) -> None:
        host.done("sync", "course", "--update")
        book.try_again(book.begin("an old line"))
        assert "queued, try 6" in host.done("list")
        told = host.done("sync", "course", "--update", "--wait")
        assert "joins job 1" in told
        assert "--- attempt 2 of job 1" in told
        assert "an old line" not in told
        assert "the remote is away" not in told

    def test_the_first_failure_ends_it_though_the_job_is_tried_again(
        self, host: Host, book: Book
    ) -> None:
        host.done("sync", "course", "--update")
        claimed = book.begin()
        with host.working(), host.command("sync", "course", "--update", "--wait") as waiting:
            assert waiting.stdout is not None
            assert "queued update of course, as job 2" in waiting.stdout.readline()
            book.try_again(claimed)
            book.try_again(book.begin())
            told = waiting.stdout.read()
            assert "course: failed: the remote is away; job 2 is tried again at 20" in told
        assert waiting.returncode == 1

    def test_ctrl_c_tells_that_the_job_goes_on(self, host: Host) -> None:
        with host.working(), host.command("sync", "course", "--wait") as waiting:
            assert waiting.stdout is not None
            waiting.stdout.readline()
            waiting.send_signal(signal.SIGINT)
            _, complaints = waiting.communicate(timeout=60)
        assert waiting.returncode == 130
        assert complaints == "job 1 is queued and goes on: gitreload logs -f 1\n"
