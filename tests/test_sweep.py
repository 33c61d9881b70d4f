"""What GitHub could not deliver is asked for again, against a GitHub with a log of deliveries."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.github_server import APP_ID, PERSONAL, GitHub, Hook, github
from fakes.keys import pem, rsa_key
from gitreload.config import Settings, load
from gitreload.ledger import CheckoutRecord
from gitreload.model import Action, Checkout, Job, Reason, State
from gitreload.sweep import MOST, Sweep

HOUR = 3600.0
DAY = 24 * HOUR


class Site:
    """A host that is reached as hooks.example, and follows one repository of a GitHub."""

    def __init__(self, folder: Path, hub: GitHub) -> None:
        self.folder = folder
        self.hub = hub
        self.hook = self.add_hook("https://hooks.example/")
        self.checkout = Checkout(
            directory="course",
            path="/repos/course",
            origin=hub.url("org/course.git"),
            identities=frozenset(),
            branch="main",
            follows="main",
        )
        self.record: CheckoutRecord | None = None
        self.stopping = threading.Event()
        self.later = 0.0
        self.sweep = self.start()

    def start(self) -> Sweep:
        return Sweep(self.stopping, lambda: time.time() + self.later, pause=0)

    def add_hook(self, url: str) -> Hook:
        hooks = self.hub.hooks["org/course"]
        hooks[7 + len(hooks)] = hook = Hook({"url": url, "insecure_ssl": "0"})
        return hook

    def settings(self, token: str = PERSONAL) -> Settings:
        keys = {
            "HOME": str(self.folder),
            "GITRELOAD_PUBLIC_URL": "https://hooks.example",
            "GITRELOAD_GITHUB_URL": self.hub.url("").rstrip("/"),
            "GITRELOAD_GITHUB_TOKEN": token,
        }
        return load(keys, self.folder).settings

    def round(self, token: str = PERSONAL) -> None:
        known = {} if self.record is None else {"/repos/course": self.record}
        self.sweep.round(self.settings(token), [self.checkout], known)

    def done(self, action: Action, ago: float, state: State = State.SUCCEEDED) -> None:
        """What the checkout's last job was."""
        job = Job(
            *(1, 1, "course", "/repos/course", None, action, state, Reason.PUSH),
            queued_at=0.0,
            due_at=0.0,
            started_at=time.time() - ago,
        )
        self.record = CheckoutRecord("/repos/course", "course", "1f" * 20, (), job)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[GitHub]:
    with github(tmp_path, rsa_key()) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, hub: GitHub) -> Site:
    return Site(tmp_path, hub)


@pytest.fixture
def app(tmp_path: Path) -> str:
    return f'{{"APP_ID": {APP_ID}, "PRIVATE_KEY": "{pem(tmp_path / "app.pem")}"}}'


def test_what_failed_is_asked_for_in_its_order(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.hook.deliver("a", 502, 3 * HOUR)
    site.hook.deliver("b", 200, 2 * HOUR)
    site.hook.deliver("c", 0, HOUR)
    site.round()
    assert site.hook.asked() == ["a", "c"]
    [told] = caplog.messages
    assert told.startswith(
        "asked GitHub to deliver 2 pushes of org/course again, which failed from"
    )
    assert told.endswith("UTC on: 502 failed to connect to host, 502 Invalid HTTP Response: 502")


def test_once_for_each_push(site: Site) -> None:
    """Also where that failed, by another process, or is not in the list yet."""
    site.hub.again = 502
    site.hook.deliver("a", 502, HOUR)
    site.round()
    site.round()
    site.start().round(site.settings(), [site.checkout], {})
    assert site.hook.asked() == ["a"]
    site.hook.deliveries.pop()
    site.round()
    assert site.hook.asked() == []


@pytest.mark.parametrize(
    ("status", "ago", "event"),
    [
        (502, HOUR, "ping"),
        (401, HOUR, "push"),  # would be so again
        (502, 3 * DAY + HOUR, "push"),  # GitHub has forgotten it
        (502, 5, "push"),  # may still be tried
    ],
)
def test_the_rest_is_left_alone(site: Site, status: int, ago: float, event: str) -> None:
    site.hook.deliver("a", status, ago, event)
    site.round()
    assert site.hook.asked() == []


def test_what_is_too_young_is_asked_for_later(site: Site) -> None:
    site.hook.deliver("a", 502, 5)
    site.round()
    site.later = HOUR
    site.round()
    assert site.hook.asked() == ["a"]


@pytest.mark.parametrize(
    ("url", "action", "ago", "state", "asked"),
    [
        ("https://hooks.example/", Action.IMPORT, HOUR, State.SUCCEEDED, False),
        ("https://hooks.example/update", Action.UPDATE, HOUR, State.SUCCEEDED, False),
        ("https://hooks.example/update", Action.IMPORT, HOUR, State.SUCCEEDED, False),
        ("https://hooks.example/", Action.UPDATE, HOUR, State.SUCCEEDED, True),
        ("https://hooks.example/", Action.IMPORT, HOUR, State.FAILED, True),
        ("https://hooks.example/", Action.IMPORT, 3 * HOUR, State.SUCCEEDED, True),
    ],
)
def test_what_was_done_since_then_is_not_needed(
    site: Site, url: str, action: Action, ago: float, state: State, asked: bool
) -> None:
    site.hook.config["url"] = url
    site.hook.deliver("a", 502, 2 * HOUR)
    site.done(action, ago, state)
    site.round()
    assert site.hook.asked() == (["a"] if asked else [])


@pytest.mark.parametrize(
    "url", ["https://other.example/", "http://hooks.example/", "https://hooks.example/elsewhere"]
)
def test_hooks_that_lead_elsewhere_are_not_ours(site: Site, url: str) -> None:
    site.hook.config["url"] = url
    site.hook.deliver("a", 502, HOUR)
    site.round()
    assert site.hook.asked() == []


def test_many_are_asked_for_in_several_rounds_the_newest_first(site: Site) -> None:
    for number in range(MOST + 5):
        site.hook.deliver(str(number), 502, (100 - number) * 60)
    site.hub.per_page = 10
    site.round()
    assert site.hook.asked() == [str(number) for number in range(5, MOST + 5)]
    site.round()
    assert site.hook.asked()[MOST:] == ["0", "1", "2", "3", "4"]


def test_a_list_without_news_costs_one_request_that_counts_for_nothing(site: Site) -> None:
    site.hook.deliver("a", 200, HOUR)
    site.round()
    site.round()
    assert site.hub.unchanged == 1
    assert site.hub.requests == ["GET /repos/org/course/hooks", f"GET {PLACE}/deliveries"] * 2


PLACE = "/repos/org/course/hooks/7"


def test_a_rate_limit_is_waited_for(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.hub.answer = (429, {"Retry-After": "100"}, "{}")
    site.round()
    site.hub.answer = None
    site.round()
    assert len(site.hub.requests) == 1
    assert "takes no more requests" in caplog.text
    site.later = 101
    site.round()
    assert len(site.hub.requests) == 3


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((401, {}, '{"message": "Bad credentials"}'), "GitHub answers 401 at http"),
        ((404, {}, '{"message": "Not Found"}'), "GitHub answers 404 at http"),
        ((502, {}, "<html>"), "GitHub answers 502 at http"),
        ((200, {}, "<html>"), "is not GitHub's API"),
        ((200, {}, "{}"), "is not GitHub's API"),
        ((200, {}, "[7]"), "is not GitHub's API"),
        ((200, {}, '[{"id": 7, "config": {"url": "https://hooks.example/"}}]'), "no deliveries"),
    ],
)
def test_a_refusal_is_told_once_and_says_what_the_token_needs(
    site: Site,
    caplog: pytest.LogCaptureFixture,
    answer: tuple[int, dict[str, str], str],
    told: str,
) -> None:
    site.hub.answer = answer
    site.round()
    site.round()
    [line] = caplog.messages
    assert told in line
    assert PERSONAL not in line
    site.hub.answer = None
    site.hook.deliver("a", 502, HOUR)
    site.round()
    assert site.hook.asked() == ["a"]


def test_a_repository_that_is_refused_keeps_no_other_from_it(site: Site) -> None:
    site.hook.deliver("a", 502, HOUR)
    other = replace(site.checkout, origin=site.hub.url("org/gone"))
    site.sweep.round(site.settings(), [other, site.checkout], {})
    assert site.hook.asked() == ["a"]


def test_only_repositories_of_that_github_are_asked_for(site: Site) -> None:
    other = replace(site.checkout, origin="https://github.com/org/course")
    site.sweep.round(site.settings(), [other], {})
    assert site.hub.requests == []


def test_without_a_token_nothing_is_asked(site: Site) -> None:
    keys = {"HOME": str(site.folder)}
    site.sweep.round(load(keys, site.folder).settings, [site.checkout], {})
    assert site.hub.requests == []


def test_it_stops_when_it_has_to(site: Site) -> None:
    site.hook.deliver("a", 502, HOUR)
    site.stopping.set()
    site.round()
    assert site.hook.asked() == []


class TestApp:
    def test_looks_at_the_repositorys_hook(self, site: Site, app: str) -> None:
        site.hook.deliver("a", 502, HOUR)
        site.round(app)
        assert site.hook.asked() == ["a"]
        assert list(site.hub.given.values()) == [("org/course", {"repository_hooks": "write"})]

    def test_looks_at_its_own(self, site: Site, app: str) -> None:
        hook = site.hub.app_hook
        hook.config["url"] = "https://hooks.example/"
        hook.deliver("a", 502, HOUR).request = {
            "payload": {"repository": {"full_name": "Org/Course"}}
        }
        hook.deliver("b", 502, HOUR).request = {
            "payload": {"repository": {"full_name": "org/other"}}
        }
        site.round(app)
        assert hook.asked() == ["a"]

    def test_that_may_not_is_told(
        self, site: Site, app: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        del site.hub.may["repository_hooks"]
        site.round(app)
        assert "repository permission Webhooks: Read and write" in caplog.text
