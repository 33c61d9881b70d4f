"""The page of a job, and who may read it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitreload.ledger import Claimed, LedgerUnavailable, LinkedDelivery
from gitreload.model import Action, Attempt, Job, Reason, State
from gitreload.web.job_page import html_of
from ledger.builders import Clock, Desk, a_push, revision

from .conftest import ELSEWHERE, Site


class Page(HTMLParser):
    """What a browser makes of a page: its elements, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.elements[-1:] != ["style"]:
            self._words.append(data)

    @property
    def text(self) -> str:
        return "".join(self._words)

    @property
    def reloads(self) -> bool:
        return ("http-equiv", "refresh") in self.attributes


@pytest.fixture
def desk(site: Site) -> Desk:
    return Desk(site.ledger, Clock())


def log(site: Site, claimed: Claimed, *lines: str) -> None:
    written = site.ledger.logs.open(claimed.attempt.id)
    for line in lines:
        written.write(line)
    site.ledger.logs.close(written)


def ask(site: Site, path: str) -> Page:
    answer = site.ask("GET", path)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return Page(answer.text)


def test_it_tells_what_came_of_a_push(site: Site, desk: Desk) -> None:
    [job] = desk.push("rivers", push=a_push(revision(0xAB))).jobs
    claimed = desk.claim()
    log(site, claimed, "policies/2026.json:3:5: no JSON", "and 2 more")
    desk.fail(claimed, "policies/2026.json:3:5: no JSON")
    page = ask(site, f"/jobs/{job}")
    for told in (
        "import of rivers: failed",
        "https://forge.example/org/course.git",
        "followsmain",
        "ada",
        revision(0xAB),
        "no JSON\nand 2 more\n",
        "attempt",
    ):
        assert told in page.text
    assert page.text.count("policies/2026.json:3:5") == 2, "as the reason, and in the log"
    assert not page.reloads


def test_while_it_is_unfinished_the_browser_asks_again(site: Site, desk: Desk) -> None:
    [job] = desk.push().jobs
    assert ask(site, f"/jobs/{job}").reloads
    claimed = desk.claim()
    log(site, claimed, "fetching …")
    page = ask(site, f"/jobs/{job}")
    assert page.reloads
    assert "fetching …" in page.text
    desk.succeed(claimed, revision(0xA))
    page = ask(site, f"/jobs/{job}")
    assert "import of course: succeeded" in page.text
    assert not page.reloads


def test_the_log_is_of_the_newest_attempt_or_of_the_one_that_is_named(
    site: Site, desk: Desk
) -> None:
    [job] = desk.push().jobs
    for line in ("once", "twice"):
        claimed = desk.claim()
        log(site, claimed, line)
        desk.try_again(claimed, delay=0)
    log(site, desk.claim(), "thrice")
    assert "thrice" in ask(site, f"/jobs/{job}").text
    page = ask(site, f"/jobs/{job}?attempt=1")
    assert "once" in page.text
    assert "thrice" not in page.text
    assert ("href", "?attempt=2") in page.attributes
    for nonsense in ("4", "-1", "x", "9" * 30, ""):
        assert "once" not in ask(site, f"/jobs/{job}?attempt={nonsense}").text


def test_an_interrupted_attempt_says_so_as_its_log_cannot(site: Site, desk: Desk) -> None:
    [job] = desk.push().jobs
    desk.crash(desk.claim())
    assert "--- interrupted: the worker died" in ask(site, f"/jobs/{job}").text


def test_of_many_attempts_the_newest_are_listed(site: Site, desk: Desk) -> None:
    [job] = desk.push().jobs
    for _ in range(22):
        desk.try_again(desk.claim(), delay=0)
    page = ask(site, f"/jobs/{job}")
    assert ("href", "?attempt=22") in page.attributes
    assert ("href", "?attempt=2") not in page.attributes
    assert f"2 earlier ones: gitreload logs {job}" in page.text


def test_a_superseded_job_leads_to_the_one_that_stands_for_it(site: Site, desk: Desk) -> None:
    [job] = desk.push().jobs
    claimed = desk.claim()
    [newer] = desk.push().jobs
    desk.try_again(claimed)
    assert desk.job(job).state is State.SUPERSEDED
    answer = site.ask("GET", f"/jobs/{job}")
    assert (answer.status, answer.headers["location"]) == (307, str(newer))


@pytest.mark.parametrize("number", ["7", "0", "-1", "x", "1e3", "9" * 40, "<b>", "%00"])
def test_what_is_no_job_is_told_in_html(site: Site, number: str) -> None:
    answer = site.ask("GET", f"/jobs/{number}")
    assert answer.status == 404
    assert "There is no job" in Page(answer.text).text
    assert "<b>" not in answer.text


def test_who_may_not_read_the_queue_may_not_read_a_job(
    site: Site, tmp_path: Path, empty_ledger: Path
) -> None:
    answer = site.ask("GET", "/jobs/1", peer=ELSEWHERE)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "STATE_DIR" in Page(answer.text).text
    (tmp_path / "other").mkdir()
    other = Site(tmp_path / "other", empty_ledger, BASIC_AUTH={"ada": "correct-horse-battery"})
    answer = other.ask("GET", "/jobs/1", peer=ELSEWHERE)
    assert answer.headers["www-authenticate"].startswith("Basic "), "a browser asks for a password"
    other.close()


def test_without_a_ledger_it_says_so(
    site: Site, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_number: int) -> None:
        raise LedgerUnavailable("the disk is full")

    monkeypatch.setattr(site.ledger, "follow", away)
    answer = site.ask("GET", "/jobs/1")
    assert (answer.status, answer.headers["retry-after"]) == (503, "30")
    assert "the disk is full" in Page(answer.text).text


def test_nothing_is_loaded_or_run(site: Site, desk: Desk) -> None:
    [job] = desk.push().jobs
    answer = site.ask("GET", f"/jobs/{job}")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    page = Page(answer.text)
    assert not {"script", "img", "link", "iframe", "form"} & set(page.elements)
    assert not [name for name, _ in page.attributes if name == "style" or name.startswith("on")]
    assert not re.search(r"https?://(?!forge\.example)", answer.text)


def a_page(text: str) -> Page:
    """One that has `text` wherever something comes from elsewhere."""
    job = Job(
        *(1, 1, text, "/repos/course", text, Action.IMPORT, State.FAILED, Reason.PUSH, 0.0, 0.0),
        error=text,
        skipped=text,
        exclusion=text,
        follows=text,
    )
    delivery = LinkedDelivery(1, 0.0, text, text, text, text, text, text, text, text)
    attempt = Attempt(1, 1, text, text, 0.0, result=text, error=f"{text}.")
    return Page(html_of(job, [delivery], [attempt], 1, text))


@given(text=st.text(min_size=1))
@example(text="</pre><script>alert(1)</script>")
@example(text="&lt;script&gt; \"'><img src=x onerror=y>")
@example(text="]]>--><!--\x00\x1b[31m\u202e\ud800")
def test_nothing_that_was_pushed_becomes_an_element(text: str) -> None:
    page, plain = a_page(text), a_page("plain")
    assert (page.elements, page.attributes) == (plain.elements, plain.attributes)
    page.text.encode()
