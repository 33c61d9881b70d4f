"""Who may send what: secrets of repositories, passwords, pinned forges, and addresses."""

from __future__ import annotations

import base64
import logging
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from fakes.forges import SECRET, announced, sourcehut
from fakes.forges.gitlab import GitLab
from fakes.forges.sender import Move
from fakes.forges.sourcehut import PUBLIC, OldSourceHut, SourceHut
from fakes.github import github_push, signed
from gitreload.forges import BY_NAME
from gitreload.tokens import read_token
from helpers import Remote, git

from .conftest import ELSEWHERE, LOOPBACK, Site

OWN = b"a secret that is of one repository only"
OTHER = b"a secret that is of another repository"
PASSWORD = "a password of good length"
BASIC = {"Authorization": "Basic " + base64.b64encode(f"ada:{PASSWORD}".encode()).decode()}
PROXY = "10.0.0.1"

Build = Callable[..., Site]


@pytest.fixture
def build(tmp_path: Path, empty_ledger: Path) -> Iterator[Build]:
    made: list[Site] = []

    def site(**values: Any) -> Site:
        made.append(Site(tmp_path, empty_ledger, **values))
        return made[-1]

    yield site
    for each in made:
        each.close()


def deliveries(site: Site) -> list[tuple[str, str, str | None]]:
    with closing(sqlite3.connect(site.state_dir / "ledger.sqlite3")) as ledger:
        return ledger.execute("SELECT outcome, detail, peer FROM deliveries").fetchall()


def directories(site: Site) -> set[str]:
    return {job.directory for job in site.jobs()}


class TestBound:
    def test_a_secret_of_another_repository_is_an_alarm(
        self, build: Build, remote: Remote, caplog: pytest.LogCaptureFixture
    ) -> None:
        site = build(REPOS={"course": {"SECRETS": [OWN.decode()]}})
        remote.clone(site.repodir / "course")
        for _ in range(3):
            assert site.push(remote.url).outcome == (401, "refused")
        headers, body = signed(github_push(remote.url, "refs/heads/new"))
        assert site.post(headers, body).outcome == (401, "refused")
        assert site.jobs() == []
        assert {outcome for outcome, _, _ in deliveries(site)} == {"refused"}
        [alarm] = [each for each in caplog.records if each.levelno == logging.ERROR]
        assert "its secret is not one of its repository's" in alarm.getMessage()
        assert "course" in alarm.getMessage()
        assert site.runtime.refusals.counts == {"not allowed by REPOS": 4}
        assert site.push(remote.url, OWN).outcome == (200, "queued")

    def test_a_forge_that_would_disable_the_hook_is_not_told_401(
        self, build: Build, remote: Remote
    ) -> None:
        site = build(REPOS={"course": {"SECRETS": [OWN.decode()]}})
        remote.clone(site.repodir / "course")
        headers, body = signed(github_push(remote.url))
        headers["X-GitHub-Hook-Installation-Target-Type"] = "organization"
        assert site.post(headers, body).outcome == (200, "refused")
        assert site.jobs() == []

    def test_of_several_checkouts_those_are_touched_that_accept_the_secret(
        self, build: Build, remote: Remote
    ) -> None:
        repos = {"staging": {"SECRETS": [OWN.decode(), OTHER.decode()]}, "course": {}}
        site = build(REPOS=repos | {"live": {"SECRETS": [OTHER.decode()]}})
        for name in ("staging", "course", "live"):
            remote.clone(site.repodir / name)
        for secret, expected in [
            (OWN, {"staging"}),
            (SECRET, {"staging", "course"}),
            (OTHER, {"staging", "course", "live"}),
        ]:
            assert site.push(remote.url, secret).status == 200
            assert directories(site) == expected

    def test_a_branch_that_only_another_checkout_follows_is_no_alarm(
        self, build: Build, remote: Remote
    ) -> None:
        """Each environment has a hook of its own, and each hook hears of every branch."""
        remote.commit({}, branch="devel")
        site = build(REPOS={"staging": {"SECRETS": [OWN.decode()]}, "live": {}})
        remote.clone(site.repodir / "staging", "-b", "devel")
        remote.clone(site.repodir / "live", "-b", "main")
        answer = site.push(remote.url, OWN)
        assert answer.outcome == (200, "ignored")
        headers, body = signed(github_push(remote.url, "refs/heads/new"), OWN)
        answer = site.post(headers, body)
        assert answer.outcome == (200, "ignored")
        assert "staging follows devel" in answer.body["msg"]
        assert "live" not in answer.body["msg"], "that is nothing to those of staging"

    def test_a_pinned_forge_is_the_only_one(
        self, build: Build, remote: Remote, caplog: pytest.LogCaptureFixture
    ) -> None:
        site = build(REPOS={"course": {"FORGE": "gitlab"}})
        remote.clone(site.repodir / "course")
        answer = site.push(remote.url)
        assert answer.outcome == (401, "refused")
        assert "FORGE gitlab" in answer.body["msg"]
        assert site.jobs() == []

    def test_gitlab_is_answered_200(self, build: Build) -> None:
        site = build(REPOS={"course": {"FORGE": "github"}})
        origin = Remote(site.repodir.parent / "forge")
        origin.commit({})
        place = origin.clone(site.repodir / "course")
        git_config = place / ".git/config"
        git_config.write_text(
            git_config.read_text().replace(origin.url, f"https://{GitLab().identity}.git")
        )
        sent = GitLab().push([Move()])[0]
        assert site.post(sent.headers, sent.body).outcome == (200, "refused")


class TestManySecrets:
    @pytest.fixture
    def site(self, build: Build, remote: Remote) -> Site:
        repos = {f"r{number}": {"SECRETS": [f"own secret number {number}"]} for number in range(9)}
        made = build(REPOS=repos)
        remote.clone(made.repodir / "r3")
        return made

    def test_the_claimed_repository_decides(self, site: Site, remote: Remote) -> None:
        assert site.push(remote.url, b"own secret number 4").outcome == (401, "refused")
        assert deliveries(site) == []
        assert site.push(remote.url, b"own secret number 3").outcome == (200, "queued")
        assert site.push("https://forge.example/x/y", b"own secret number 3").status == 401
        assert site.push("https://forge.example/x/y").status == 404

    def test_what_claims_nothing_has_the_global_ones(self, site: Site) -> None:
        headers, body = signed({"zen": "x"}, event="ping")
        assert site.post(headers, body).outcome == (200, "pong")
        assert site.post(headers | {"X-GitHub-Event": "push"}, body).status == 400
        assert site.post(headers, b"[" * 1000).status == 401

    def test_while_nobody_can_tell_the_sender_comes_again(self, site: Site, remote: Remote) -> None:
        shutil.rmtree(site.repodir)
        assert site.push(remote.url, b"own secret number 3").outcome == (503, "refused")


class TestAddresses:
    def test_only_some_networks_may_send(self, build: Build, remote: Remote) -> None:
        site = build(ALLOW_FROM=["192.0.2.0/24"])
        remote.clone(site.repodir / "course")
        unread = [{"type": "must not be read"}]
        answer = site.ask("POST", "/", {}, unread, peer=ELSEWHERE)
        assert answer.outcome == (401, "refused")
        assert ELSEWHERE in answer.body["msg"]
        assert site.push(remote.url, peer="192.0.2.9").outcome == (200, "queued")
        answer = site.push(remote.url, peer=None)
        assert answer.status == 401
        assert "TRUSTED_PROXIES" in answer.body["msg"]

    def test_behind_a_proxy_the_client_counts(self, build: Build, remote: Remote) -> None:
        site = build(ALLOW_FROM=["192.0.2.0/24"], TRUSTED_PROXIES=["10.0.0.0/8", "unix"])
        remote.clone(site.repodir / "course")
        headers, body = signed(github_push(remote.url))

        def send(line: str, peer: str | None = PROXY) -> int:
            return site.post(headers | {"X-Forwarded-For": line}, body, peer=peer).status

        assert send("192.0.2.9") == 200
        assert send("192.0.2.9", None) == 200
        assert send("192.0.2.9, 10.9.9.9") == 200
        assert send(f"192.0.2.9, {ELSEWHERE}") == 401
        assert send("192.0.2.9", ELSEWHERE) == 401
        assert {peer for _, _, peer in deliveries(site)} == {"192.0.2.9"}

    def test_the_log_names_the_client(
        self, build: Build, remote: Remote, caplog: pytest.LogCaptureFixture
    ) -> None:
        site = build(TRUSTED_PROXIES=[PROXY])
        headers, body = signed(github_push(remote.url), None)
        site.post(headers | {"Forwarded": f"for={ELSEWHERE}"}, body, peer=PROXY)
        assert f"refused a delivery from {ELSEWHERE} (forge github" in caplog.text
        assert "None" not in caplog.text


class TestPasswords:
    @pytest.fixture
    def site(self, build: Build, remote: Remote) -> Site:
        made = build(BASIC_AUTH={"ada": PASSWORD})
        remote.clone(made.repodir / "course")
        return made

    def test_one_lets_a_forge_send(self, site: Site, remote: Remote) -> None:
        headers, body = signed(github_push(remote.url), None)
        answer = site.post(headers, body)
        assert answer.outcome == (401, "refused")
        # Some keep the password of their URL until they are asked for it.
        assert answer.headers["www-authenticate"] == 'Basic realm="gitreload"'
        assert site.post(headers | BASIC, body).outcome == (200, "queued")
        wrong = {"Authorization": BASIC["Authorization"][:-4]}
        answer = site.post(headers | wrong, body)
        assert answer.outcome == (401, "refused")
        assert PASSWORD not in answer.text

    def test_one_lets_people_read(self, site: Site) -> None:
        assert site.ask("GET", "/queue", BASIC, peer=ELSEWHERE).status == 200
        wrong = {"Authorization": BASIC["Authorization"][:-4]}
        answer = site.ask("GET", "/queue", wrong, peer=ELSEWHERE)
        assert answer.outcome == (401, "refused")
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
        token = {"Authorization": f"Bearer {read_token(site.state_dir).decode()}"}
        assert site.ask("GET", "/queue", token, peer=ELSEWHERE).status == 200

    def test_readers_need_one_even_without_any_secret(self, build: Build) -> None:
        site = build(WEBHOOK_SECRETS=[], REPOS={"course": {"SECRETS": [OWN.decode()]}})
        assert site.ask("GET", "/queue", peer=ELSEWHERE).status == 401
        assert site.ask("GET", "/queue", BASIC, peer=ELSEWHERE).status == 401
        assert site.ask("GET", "/queue", peer=LOOPBACK).status == 200


def test_the_same_refusal_is_told_once(
    build: Build, remote: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    site = build()
    for _ in range(50):
        site.push(remote.url, OTHER)
    told = [each for each in caplog.records if "refused a delivery" in each.getMessage()]
    assert len(told) == 1
    assert site.runtime.refusals.counts == {"wrong secret": 50}


class TestCopies:
    """What somebody recorded on the way and sends once more is genuine, and does nothing."""

    @pytest.mark.parametrize("forge", ["standard", "gitlab"])
    def test_a_copy_makes_nothing(self, build: Build, remote: Remote, forge: str) -> None:
        secret = b"whsec_" + base64.b64encode(b"k" * 32)
        site = build(WEBHOOK_SECRETS=[secret.decode()])
        remote.clone(site.repodir / "course")
        told = announced(remote.url, secret=secret, now=time.time())
        headers, body = BY_NAME[forge].compose(told)
        assert site.post(headers, body).outcome == (200, "queued")
        [job] = site.jobs()
        site.ledger.cancel(job)  # what was cancelled is taken up again where it is no copy
        copy = site.post(headers, body)
        assert copy.outcome == (200, "duplicate")
        assert copy.body["msg"] == "this very request came before, so nothing is done again"
        assert (copy.body["jobs"], site.jobs()) == ([], [])
        again = BY_NAME[forge].compose(replace(told, now=told.now + 1))
        assert site.post(*again).outcome == (200, "queued")

    def test_of_sourcehut_too_also_where_the_repository_is_not_here(
        self, build: Build, remote: Remote
    ) -> None:
        site = build(
            SOURCEHUT_KEYS=[base64.b64encode(sourcehut.PUBLIC).decode()],
            REPOS={"course": {"FORGE": "sourcehut"}},
        )
        [request, *_] = sourcehut.SENDERS[0].push([Move()])
        assert site.post(request.headers, request.body).outcome == (404, "ignored")
        course = remote.clone(site.repodir / "course")
        git("remote", "set-url", "origin", "https://git.sr.ht/~org/course", cwd=course)
        assert site.post(request.headers, request.body).outcome == (200, "duplicate")
        [new, *_] = sourcehut.SENDERS[0].push([Move()])
        assert site.post(new.headers, new.body).outcome == (200, "queued")


class TestAddress:
    """SourceHut's older payload does not tell its repository: the hook's own address has to."""

    def site(self, build: Build, remote: Remote) -> Site:
        site = build(
            REPOS={"course": {"FORGE": "sourcehut"}},
            SOURCEHUT_KEYS=[base64.b64encode(PUBLIC).decode()],
        )
        remote.clone(site.repodir / "course")
        return site

    def test_it_names_the_repository(self, build: Build, remote: Remote) -> None:
        site = self.site(build, remote)
        [request] = OldSourceHut().push([Move()])
        for query in (f"?repo={quote(remote.url, safe='')}", f"?forge=sourcehut&repo={remote.url}"):
            assert site.post(request.headers, request.body, path=f"/{query}").status == 200
        assert directories(site) == {"course"}

    def test_without_it_the_answer_says_what_to_do(self, build: Build, remote: Remote) -> None:
        site = self.site(build, remote)
        [request] = OldSourceHut().push([Move()])
        answer = site.post(request.headers, request.body)
        assert answer.outcome == (400, "refused")
        assert "?repo=" in answer.body["msg"]

    def test_a_payload_that_names_one_is_not_led_elsewhere(
        self, build: Build, remote: Remote
    ) -> None:
        site = self.site(build, remote)
        [request] = SourceHut().push([Move()])
        answer = site.post(request.headers, request.body, path=f"/?repo={remote.url}")
        assert answer.outcome == (404, "ignored")
        assert site.jobs() == []
