"""A GitHub App's tokens, against a GitHub that knows the App."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.github_server import APP_ID, INSTALLATION, GitHub, github
from fakes.keys import pem, rsa_key
from gitreload.credentials import UnfitSecretError
from gitreload.github_app import HOOKS, READ, GitHubApp
from gitreload.model import GitreloadError, PermanentError, TransientError


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return pem(tmp_path / "app.pem")


@pytest.fixture
def app(key: Path) -> GitHubApp:
    return GitHubApp(APP_ID, key)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[GitHub]:
    with github(tmp_path, rsa_key()) as running:
        yield running


def test_a_token_is_for_one_repository_and_one_purpose(app: GitHubApp, hub: GitHub) -> None:
    token = app.token(hub.base, "org/course", READ)
    assert hub.given == {token: ("org/course", {"contents": "read"})}
    other = app.token(hub.base, "org/course", HOOKS)
    assert hub.given[other] == ("org/course", {"repository_hooks": "write"})


def test_it_is_kept_until_shortly_before_its_end(app: GitHubApp, hub: GitHub) -> None:
    hub.lifetime = 299
    first = app.token(hub.base, "org/course", READ)
    hub.lifetime = 3600
    second = app.token(hub.base, "org/course", READ)
    assert first != second
    assert app.token(hub.base, "org/course", READ) == second


def test_one_that_does_not_work_is_forgotten(app: GitHubApp, hub: GitHub) -> None:
    first = app.token(hub.base, "org/course", READ)
    app.forget(first)
    assert app.token(hub.base, "org/course", READ) != first


def test_with_its_number_the_installation_is_not_looked_for(key: Path, hub: GitHub) -> None:
    GitHubApp(APP_ID, key, INSTALLATION).token(hub.base, "org/course", READ)
    assert hub.requests == [f"POST /app/installations/{INSTALLATION}/access_tokens"]


def refusal(app: GitHubApp, hub: GitHub, kind: type[GitreloadError] = PermanentError) -> str:
    with pytest.raises(kind) as refused:
        app.token(hub.base, "org/course", READ)
    assert "ghs_" not in str(refused.value)
    return str(refused.value)


class TestRefusals:
    def test_not_installed(self, app: GitHubApp, hub: GitHub) -> None:
        hub.installed.clear()
        assert "GitHub App 4711 is not installed at org/course: on the" in refusal(app, hub)

    def test_another_installation(self, key: Path, hub: GitHub) -> None:
        assert "no installation 7: correct INSTALLATION_ID" in refusal(
            GitHubApp(APP_ID, key, 7), hub
        )

    def test_suspended(self, app: GitHubApp, hub: GitHub) -> None:
        hub.suspended = True
        assert "is suspended, or may not do this at org/course" in refusal(app, hub)

    def test_not_this_repository(self, key: Path, hub: GitHub) -> None:
        hub.installed = {"org/another"}
        assert "not accessible to the parent installation" in refusal(
            GitHubApp(APP_ID, key, INSTALLATION), hub
        )

    def test_not_this_permission(self, app: GitHubApp, hub: GitHub) -> None:
        del hub.may["contents"]
        assert "with the repository permission Contents: Read-only" in refusal(app, hub)

    def test_the_key_of_another_app(self, tmp_path: Path, hub: GitHub) -> None:
        other = GitHubApp(APP_ID, pem(tmp_path / "other.pem", rsa_key(number=1)))
        assert "could not be decoded. APP_ID and PRIVATE_KEY have to be of" in refusal(other, hub)

    def test_no_such_app(self, key: Path, hub: GitHub) -> None:
        assert "does not believe the GitHub App 1:" in refusal(GitHubApp("1", key), hub)

    def test_a_clock_that_is_wrong(
        self, app: GitHubApp, hub: GitHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        proof = app.proof()
        monkeypatch.setattr(app, "proof", lambda: proof)
        monkeypatch.setattr("fakes.github_server.time.time", lambda: real() + 3600)
        assert "this machine's clock has to be right" in refusal(app, hub)

    def test_a_rate_limit_passes(self, app: GitHubApp, hub: GitHub) -> None:
        reset = str(int(time.time()) + 100)
        fields = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
        hub.answer = (403, fields, '{"message": "API rate limit exceeded"}')
        assert "the rate limit is reached" in refusal(app, hub, TransientError)
        hub.answer = (429, {"Retry-After": "17"}, "{}")
        assert "for 17 s" in refusal(app, hub, TransientError)

    def test_an_outage_passes(self, app: GitHubApp, hub: GitHub) -> None:
        hub.answer = (502, {}, "<html>")
        assert "GitHub answers 502" in refusal(app, hub, TransientError)
        hub.answer = None
        hub.shutdown()
        hub.server_close()
        assert "GitHub cannot be reached" in refusal(app, hub, TransientError)

    @pytest.mark.parametrize("text", ["<html>", '{"id": "x"}', "[]"])
    def test_what_is_no_github(self, app: GitHubApp, hub: GitHub, text: str) -> None:
        hub.answer = (200, {}, text)
        assert refusal(app, hub)


real = time.time


class TestKey:
    def test_has_to_be_there(self, tmp_path: Path) -> None:
        with pytest.raises(UnfitSecretError, match=r"none of the GitHub App 1 cannot be read: No"):
            GitHubApp("1", tmp_path / "none")

    def test_has_to_be_a_key(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n")
        with pytest.raises(UnfitSecretError, match="is no RSA key in PEM form: have one made") as e:
            GitHubApp("1", tmp_path / "key")
        assert "AAAA" not in str(e.value)

    def test_is_read_again(self, app: GitHubApp, hub: GitHub, key: Path) -> None:
        key.unlink()
        assert "cannot be read" in refusal(app, hub)
