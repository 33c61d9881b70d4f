"""Commit statuses, as forges get them: a real client, and each forge's API over HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.github_server import APP_ID, github
from fakes.keys import pem, rsa_key
from fakes.status_api import TOKEN, StatusApi, status_api
from gitreload import config, http_client
from gitreload.model import Action, Job, Mark, PermanentError, Reason, State, TransientError
from gitreload.reporters import News, shorten
from gitreload.reporters.statuses import Statuses

FORGES = ("github", "gitlab", "gitea", "forgejo", "bitbucket-cloud", "bitbucket-dc")
SHA = "a" * 40


def a_job(origin: str | None, directory: str = "course") -> Job:
    return Job(
        id=7, checkout_id=1, directory=directory, path=f"/repos/{directory}", origin=origin,
        action=Action.IMPORT, state=State.SUCCEEDED, reason=Reason.PUSH, queued_at=0, due_at=0,
    )  # fmt: skip


def news(origin: str | None, mark: Mark = Mark.SUCCESS, **facts: Any) -> News:
    made = News(a_job(origin, facts.pop("directory", "course")), mark, SHA, "imported")
    return replace(made, **facts)


def statuses(**values: Any) -> Statuses:
    environ = {f"GITRELOAD_{key}": value if isinstance(value, str) else json.dumps(value)
               for key, value in values.items()}  # fmt: skip
    return Statuses(config.load({"HOME": "/nowhere", **environ}, Path("/")).settings)


def own(**status: Any) -> Statuses:
    return statuses(REPOS={"course": {"STATUS": {"TOKEN": TOKEN, **status}}})


@pytest.fixture(params=FORGES)
def forge(request: pytest.FixtureRequest) -> Iterator[StatusApi]:
    with status_api(request.param) as server:
        yield server


@pytest.fixture
def a_github() -> Iterator[StatusApi]:
    with status_api("github") as server:
        yield server


def test_each_forge_is_told_in_its_own_words(forge: StatusApi) -> None:
    reporter = own(FORGE=forge.forge)
    page = "https://x.example/jobs/7"
    for mark in Mark:
        reporter.deliver(news(forge.origin, mark, url=page), again=False)
    assert forge.marks == ["pending", "success", "failure"]
    assert {(each.sha, each.context, each.url) for each in forge.given} == {
        (SHA, "gitreload/course", page)
    }
    assert forge.strangers == []


def test_what_may_have_been_told_is_told_once(forge: StatusApi) -> None:
    reporter = own(FORGE=forge.forge)
    for mark in (Mark.PENDING, Mark.FAILURE, Mark.PENDING, Mark.SUCCESS):
        for again in (True, True):
            reporter.deliver(news(forge.origin, mark), again=again)
    assert forge.marks == ["pending", "failure", "pending", "success"]
    # Another text of the same mark is news.
    reporter.deliver(news(forge.origin, sentence="imported once more"), again=True)
    assert forge.given[-1].description != "imported" or forge.forge == "gitlab"


def test_an_answer_that_is_lost_makes_nothing_twice(forge: StatusApi) -> None:
    reporter = own(FORGE=forge.forge)
    forge.dropping = True
    with pytest.raises(TransientError):
        reporter.deliver(news(forge.origin), again=False)
    forge.dropping = False
    reporter.deliver(news(forge.origin), again=True)
    assert forge.marks == ["success"]


def test_gitlab_takes_the_same_twice_for_done() -> None:
    with status_api("gitlab") as gitlab:
        for _ in range(2):
            own(FORGE="gitlab").deliver(news(gitlab.origin, Mark.PENDING), again=False)
        assert gitlab.marks == ["pending"]


def test_a_long_text_and_a_long_name_fit(forge: StatusApi) -> None:
    sentence = "chapter/week1.xml:12:3: " + "the tag is not closed, " * 40
    directory = "a-university-with-a-name/and-a-course-with-a-longer-one"
    reporter = statuses(
        STATUS=True, REPOS={directory: {"STATUS": {"TOKEN": TOKEN, "FORGE": forge.forge}}}
    )
    told = news(forge.origin, Mark.FAILURE, sentence=sentence, directory=directory)
    reporter.deliver(told, again=False)
    reporter.deliver(told, again=True)
    (given_status,) = forge.given
    assert given_status.description.startswith("chapter/week1.xml:12:3: the tag is")
    assert given_status.description.endswith("…")


@settings(max_examples=50)
@given(st.text("ab /,.", min_size=1, max_size=60), st.integers(1, 50))
def test_what_is_shortened_fits_and_begins_the_same(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((401, {}, '{"message": "Bad credentials"}'), "is wrong or has expired: it needs"),
        ((403, {}, "Resource not accessible"), "may not be marked"),
        ((404, {}, "Not Found"), "no such repository or commit"),
        ((422, {}, "No commit found for SHA"), "the commit still there"),
        ((302, {"Location": "https://other.example/x"}, ""), "no token is sent"),
    ],
)
def test_a_refusal_says_what_to_do(
    forge: StatusApi, answer: tuple[int, dict[str, str], str], says: str
) -> None:
    forge.answer = answer
    with pytest.raises(PermanentError, match=says) as caught:
        own(FORGE=forge.forge).deliver(news(forge.origin), again=False)
    assert "org/course" in str(caught.value)
    assert SHA not in str(caught.value), "it is told once for all commits"


def test_a_refusal_never_holds_the_token(a_github: StatusApi) -> None:
    a_github.answer = (403, {}, f'{{"message": "{TOKEN} may not"}}')
    with pytest.raises(PermanentError) as caught:
        own(FORGE="github").deliver(news(a_github.origin), again=False)
    assert TOKEN not in str(caught.value)


def test_what_may_pass_is_tried_later(a_github: StatusApi, monkeypatch: pytest.MonkeyPatch) -> None:
    reporter = own(FORGE="github")
    reset = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 1000)}
    for answer, least, most in [
        ((429, {"Retry-After": "77"}, ""), 77, 77),
        ((403, {"Retry-After": "30"}, "secondary rate limit"), 30, 30),
        ((403, reset, "API rate limit exceeded"), 900, 1001),
        ((429, {}, ""), 60, 60),
    ]:
        a_github.answer = answer
        with pytest.raises(TransientError, match="rate limit") as caught:
            reporter.deliver(news(a_github.origin), again=False)
        assert least <= (caught.value.seconds or 0) <= most
    a_github.answer = (502, {}, "Bad Gateway")
    with pytest.raises(TransientError, match="502"):
        reporter.deliver(news(a_github.origin), again=False)
    monkeypatch.setattr(http_client, "SECONDS", 0.1)
    a_github.answer, a_github.hanging = None, threading.Event()
    with pytest.raises(TransientError, match="cannot be reached"):
        reporter.deliver(news(a_github.origin), again=False)


def test_what_answers_otherwise_is_no_forge(forge: StatusApi) -> None:
    for text in ("<html>", '{"message": "hello"}', "[1]", "null", "[" * 9000):
        forge.answer = (200, {}, text)
        with pytest.raises(PermanentError, match="is not the API of"):
            own(FORGE=forge.forge).deliver(news(forge.origin), again=True)
    # A page for people answers everything.
    forge.answer = (200, {}, "<html>")
    with pytest.raises(PermanentError, match="is not the API of"):
        own(FORGE=forge.forge).deliver(news(forge.origin), again=False)


def test_a_renamed_repository_is_followed_on_the_same_host_only(a_github: StatusApi) -> None:
    reporter = own(FORGE="github")
    a_github.moved = f"/api/v3/repos/org/course/statuses/{SHA}"
    reporter.deliver(news(a_github.origin), again=False)
    assert a_github.marks == ["success"]
    with status_api("github") as other:
        there = a_github.site.removeprefix("http://")
        for moved in (
            f"{other.site}/api/v3/repos/org/course/statuses/{SHA}",
            # The host is what stands before the query or fragment, not after the @.
            f"{other.site}?@{there}/api/v3/repos/org/course/statuses/{SHA}",
            f"{other.site}#@{there}/api/v3/repos/org/course/statuses/{SHA}",
            f"//{there}@{other.site.removeprefix('http://')}/",
            "http://[",
        ):
            a_github.moved = moved
            with pytest.raises(PermanentError, match="leads to another address"):
                reporter.deliver(news(a_github.origin, Mark.FAILURE), again=False)
        assert other.requests == []


class TestTokens:
    """Each goes to the host that it is meant for."""

    def test_one_for_all_needs_the_forge_that_it_is_of(self) -> None:
        with pytest.raises(config.ConfigError, match="name the forge's URL"):
            statuses(STATUS={"TOKEN": TOKEN})

    def test_one_for_all_goes_to_no_other_forge(self, a_github: StatusApi) -> None:
        reporter = statuses(
            STATUS={"TOKEN": TOKEN, "URL": "https://github.com", "FORGE": "github"},
            GITHUB_TOKEN="ghp_x", PUBLIC_URL="https://x.example",
        )  # fmt: skip
        with pytest.raises(PermanentError, match="there is no token"):
            reporter.deliver(news(a_github.origin, forge="github"), again=False)
        assert a_github.requests == []

    def test_that_of_another_address_is_not_the_one_to_fetch_with(
        self, a_github: StatusApi
    ) -> None:
        reporter = statuses(
            REPOS={
                "course": {
                    "TOKEN": "to-fetch-with",
                    "STATUS": {"URL": a_github.site, "FORGE": "github"},
                }
            }
        )
        with pytest.raises(PermanentError, match="there is no token"):
            reporter.deliver(news("https://git.example.org/org/course.git"), again=False)
        assert a_github.requests == []

    def test_the_one_to_fetch_with_serves_at_the_same_host(self, a_github: StatusApi) -> None:
        reporter = statuses(STATUS=True, REPOS={"course": {"TOKEN": TOKEN}})
        reporter.deliver(news(a_github.origin, forge="github"), again=False)
        assert a_github.marks == ["success"]

    def test_that_of_github_serves_there(self, a_github: StatusApi) -> None:
        reporter = statuses(
            STATUS=True, GITHUB_TOKEN=TOKEN, GITHUB_URL=a_github.site,
            PUBLIC_URL="https://x.example",
        )  # fmt: skip
        reporter.deliver(news(a_github.origin), again=False)
        assert a_github.marks == ["success"]

    def test_none_goes_unencrypted(self) -> None:
        with pytest.raises(PermanentError, match="is not encrypted"):
            own(FORGE="gitea").deliver(news("http://git.example.org/org/course.git"), again=False)

    def test_bitbuckets_api_tokens_go_with_their_user(self) -> None:
        with status_api("bitbucket-cloud") as server:
            server.tokens = {f"ada@x.example:{TOKEN}"}
            reporter = own(FORGE="bitbucket-cloud", TOKEN=f"ada@x.example:{TOKEN}")
            reporter.deliver(news(server.origin), again=False)
            assert server.marks == ["success"]

    def test_an_app_gets_one_that_may_do_this_alone(self, tmp_path: Path) -> None:
        file = pem(tmp_path / "key.pem")
        with github(tmp_path, rsa_key()) as server:
            server.may |= {"statuses": "write"}
            app = {"APP_ID": APP_ID, "PRIVATE_KEY": str(file)}
            reporter = own(FORGE="github", TOKEN=app)
            with pytest.raises(PermanentError):  # this one keeps no statuses
                reporter.deliver(
                    news(f"http://127.0.0.1:{server.server_port}/org/course.git"), again=False
                )
            ((_, permissions),) = server.given.values()
            assert permissions == {"statuses": "write"}


class TestWhichForge:
    @pytest.mark.parametrize(
        ("origin", "site"),
        [
            ("git@github.com:org/course.git", "https://github.com"),
            ("ssh://git@ssh.github.com:443/org/course.git", "https://github.com"),
            ("https://ada:pw@git.example.org:8443/org/course", "https://git.example.org:8443"),
            ("ssh://git@git.example.org:2222/org/course.git", "https://git.example.org"),
            ("/srv/git/course.git", None),
            ("../course", None),
            (None, None),
        ],
    )
    def test_its_address_is_that_of_origin(self, origin: str | None, site: str | None) -> None:
        reporter = own()
        assert reporter.wants(news(origin)) is (site is not None)
        assert reporter.place(news(origin)) == (site or "")

    def test_an_unknown_one_is_asked_for(self) -> None:
        origin = "https://git.example.org/org/course.git"
        with pytest.raises(PermanentError, match="set FORGE in STATUS"):
            own().deliver(news(origin), again=False)
        with pytest.raises(PermanentError, match="commits at azure cannot be marked"):
            own().deliver(news(origin, forge="azure"), again=False)

    def test_it_is_that_of_the_last_push(self) -> None:
        with status_api("gitlab") as gitlab:
            own().deliver(news(gitlab.origin, forge="gitlab"), again=False)
            assert gitlab.marks == ["success"]

    def test_a_configured_address_may_have_a_path(self) -> None:
        with status_api("gitlab") as gitlab:
            reporter = own(URL=gitlab.site + "/", FORGE="gitlab")
            reporter.deliver(news("git@alias:org/course.git"), again=False)
            assert gitlab.marks == ["success"]


def test_one_checkout_may_differ_from_all(a_github: StatusApi) -> None:
    reporter = statuses(
        STATUS={"CONTEXT": "production"},
        REPOS={
            "course": {"TOKEN": TOKEN},
            "quiet": {"STATUS": False},
            "named": {"STATUS": {"TOKEN": TOKEN, "CONTEXT": "staging"}},
        },
    )
    assert not reporter.wants(news(a_github.origin, directory="quiet"))
    for directory in ("course", "named"):
        told = news(a_github.origin, directory=directory, forge="github")
        reporter.deliver(told, again=False)
    assert [each.context for each in a_github.given] == ["production/course", "staging"]


def test_nothing_is_marked_unless_that_is_configured() -> None:
    assert not statuses().wants(news("https://github.com/org/course"))
    assert not own().wants(news("https://github.com/org/course", revision=None))
