from __future__ import annotations

import json
import re
import time
from datetime import datetime

from gitreload.ledger import Arrival, Entry, Target
from gitreload.model import Action, Checkout, Delivery, Outcome, Push

from .conftest import NEW, OLD, SECRET, Book, Host

HEADERS = (("content-type", "application/json"), ("x-github-event", "push"))


def record(
    host: Host,
    book: Book,
    body: bytes = b"{}",
    forge: str = "github",
    at: float | None = None,
    repository: str = "org/course",
    ignored: str | None = None,
    headers: tuple[tuple[str, str], ...] = HEADERS,
) -> int:
    """A delivery of a push to `course`, or of one that is ignored; its number."""
    push = Push("refs/heads/main", (host.remote.url,), repository, OLD, NEW, pusher="ada")
    delivery = Delivery(forge, "push", "id-1", pushes=(push,), ignored=ignored)
    checkout = Checkout(
        "course", str(host.repodir / "course"), host.remote.url, frozenset(), "main", "main"
    )
    arrival = Arrival(delivery, Action.IMPORT, at or time.time(), "127.0.0.1", headers, body)
    targets = () if ignored else (Target(checkout, push),)
    [recorded] = book.ledger.record(
        [Entry(arrival, targets, Outcome.IGNORED, ignored or "course at main")]
    )
    return recorded.delivery


class TestList:
    def test_without_a_ledger_there_are_none_and_none_is_made(self, host: Host) -> None:
        assert "no such deliveries" in host.run("deliveries").stderr
        assert host.json("deliveries") == []
        assert not host.state_dir.exists()

    def test_the_newest_come_first_with_their_verdict_and_its_reason(
        self, host: Host, book: Book
    ) -> None:
        record(host, book)
        record(host, book, forge="gitlab", ignored="refs/tags/v1 is not a branch")
        head, *rows = host.done("deliveries").splitlines()
        assert re.fullmatch(
            r"DELIVERY +RECEIVED \(UTC.{6}\) +FORGE +EVENT +REPOSITORY +ACTION +OUTCOME +REASON",
            head,
        )
        assert [(row[0], *row[3:]) for row in (row.split(maxsplit=8) for row in rows)] == [
            (
                "2",
                "gitlab",
                "push",
                "org/course",
                "import",
                "ignored",
                "refs/tags/v1 is not a branch",
            ),
            ("1", "github", "push", "org/course", "import", "queued", "course at main"),
        ]

    def test_filters_add_up(self, host: Host, book: Book) -> None:
        now = time.time()
        record(host, book, at=now - 7200)
        record(host, book, forge="gitlab", at=now - 7200, ignored="no")
        record(host, book, repository="org/other", at=now - 60)

        def found(*options: str) -> list[int]:
            return [each["id"] for each in host.json("deliveries", *options)]

        assert found() == [3, 2, 1]
        assert found("--limit", "2") == [3, 2]
        assert found("--forge", "gitlab", "--forge", "github") == [3, 2, 1]
        assert found("--forge", "github", "--repository", "org/course") == [1]
        assert found("--outcome", "ignored") == [2]
        assert found("--since", "90m") == [3]
        assert found("--since", "1d") == [3, 2, 1]
        an_hour_ago = datetime.fromtimestamp(now - 3600).astimezone()
        assert found("--since", an_hour_ago.isoformat()) == [3]

    def test_credentials_in_names_are_masked_and_what_drives_a_terminal_is_spelled_out(
        self, host: Host, book: Book
    ) -> None:
        record(host, book, repository="https://me:hunter2@forge/\x1b[31m\u202ex")
        shown = host.done("deliveries")
        assert r"https://***@forge/\x1b[31m\u202ex" in shown
        assert host.json("deliveries")[0]["repository"].startswith("https://***@forge/")
        for seen in (host.done("show", "1"), host.done("show", "1", "--json")):
            assert "hunter2" not in seen
            assert "https://***@forge/" in seen


class TestShow:
    def test_verdict_reason_jobs_headers_and_body(self, host: Host, book: Book) -> None:
        record(host, book, b'{"ref":"refs/heads/main","n":[1]}')
        told, jobs, headers, body = host.done("deliveries", "1").split("\n\n")
        facts = dict(line.split(maxsplit=1) for line in told.splitlines())
        assert (facts["outcome"], facts["reason"]) == ("queued", "course at main")
        assert (facts["forge"], facts["id"], facts["from"]) == ("github", "id-1", "127.0.0.1")
        assert jobs.splitlines()[2].split()[:5] == [
            "1", "queued", "import", "course", "refs/heads/main"
        ]  # fmt: skip
        assert headers.splitlines() == [
            "headers",
            "content-type    application/json",
            "x-github-event  push",
        ]
        assert body == ('body\n{\n  "ref": "refs/heads/main",\n  "n": [\n    1\n  ]\n}\n')

    def test_as_json(self, host: Host, book: Book) -> None:
        record(host, book, b'{"ref":"refs/heads/main"}')
        shown = host.json("deliveries", "1")
        assert (shown["delivery"]["id"], shown["delivery"]["outcome"]) == (1, "queued")
        assert datetime.fromisoformat(shown["delivery"]["received_at"]).tzinfo is not None
        assert [(job["job"], job["after"]) for job in shown["jobs"]] == [(1, NEW)]
        assert shown["headers"] == dict(HEADERS)
        assert shown["body"] == {"ref": "refs/heads/main"}

    def test_of_what_is_ignored_headers_and_reason_are_left(self, host: Host, book: Book) -> None:
        record(host, book, ignored="the event star is not a push")
        shown = host.done("deliveries", "1")
        assert "the event star is not a push" in shown
        assert "\nheaders\n" in shown
        assert "\nbody" not in shown
        assert host.json("deliveries", "1")["body"] is None

    def test_nothing_secret_and_nothing_that_acts(self, host: Host, book: Book) -> None:
        hostile = {
            "url": "https://me:hunter2@forge/a",
            "password": "hunter2",
            "echo": [f"it is {SECRET}"],
            "note": "a\x1b[2J\u202eb",
        }
        body = json.dumps(hostile).replace("/", "\\/").encode()
        record(host, book, body, forge="gitee")
        for shown in (host.done("deliveries", "1"), host.done("deliveries", "1", "--json")):
            assert "hunter2" not in shown
            assert SECRET not in shown
            assert "\x1b" not in shown
            assert "\u202e" not in shown
            assert "https://***@forge/a" in shown

    def test_a_form_is_laid_out_too(self, host: Host, book: Book) -> None:
        form = (("content-type", "application/x-www-form-urlencoded"),)
        record(host, book, b"payload=%7B%22ref%22%3A%22x%22%7D", headers=form)
        assert host.json("deliveries", "1")["body"] == {"ref": "x"}

    def test_what_is_cut_or_too_deep_is_shown_as_it_is(self, host: Host, book: Book) -> None:
        record(host, book, b'{"url":"https://me:hunter2@forge/a","x":"' + b"y" * 2**20 + b'"}')
        shown = host.done("deliveries", "1")
        assert '\nbody (the first 1048576 bytes of 1048619)\n{"url":"https://***@forge/a"' in shown
        record(host, book, b"[" * 500 + b"]" * 500)
        assert host.done("deliveries", "2").endswith("\nbody\n" + "[" * 500 + "]" * 500 + "\n")


class TestReplay:
    def body(self, host: Host) -> bytes:
        push = {"ref": "refs/heads/main", "repository": {"clone_url": host.remote.url}}
        return json.dumps(push | {"after": NEW}).encode()

    def test_which_jobs_were_queued_is_told(self, host: Host, book: Book) -> None:
        record(host, book, self.body(host))
        book.succeed(book.begin())
        result = host.run("replay", "1")
        assert result.stdout == "queued import of course, as job 2\n"
        assert "no worker is running" in result.stderr
        with host.working():
            result = host.run("replay", "1")
        assert result.stdout == "import of course joins job 2, which is queued already\n"
        assert result.stderr == ""
        [job] = host.json("replay", "1")
        assert (job["id"], job["reason"], job["directory"]) == (2, "replay", "course")
        assert [each["job"] for each in host.json("deliveries", "1")["jobs"]] == [1, 2]

    def test_one_that_reaches_nothing_fails(self, host: Host, book: Book) -> None:
        record(host, book, ignored="the event star is not a push")
        assert "gitreload: of delivery 1 no body is kept" in host.failed("replay", "1")
