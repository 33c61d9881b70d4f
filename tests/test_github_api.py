"""Where a GitHub's API is, and that its token stays there."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.github_server import PERSONAL, Hook, github
from fakes.keys import rsa_key
from gitreload.github_api import GitHubApi, RefusedError, api_base, repository_at
from gitreload.github_hooks import GitHubHook
from gitreload.model import GitreloadError


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://github.com/Org/course.git", "https://api.github.com"),
        ("https://ada@GitHub.com/Org/course", "https://api.github.com"),
        ("https://uni.ghe.com/org/course", "https://api.uni.ghe.com"),
        ("https://git.example:8443/org/course", "https://git.example:8443/api/v3"),
        ("http://127.0.0.1:80/org/course", "http://127.0.0.1:80/api/v3"),
        ("http://git.example/org/course", None),  # everybody could read the token
        ("git@github.com:org/course.git", None),
        ("/srv/org/course", None),
    ],
)
def test_the_api_of_a_url(url: str, base: str | None) -> None:
    assert api_base(url) == base


@pytest.mark.parametrize(
    ("url", "repository"),
    [
        ("https://github.com/Org/Course.git/", "Org/Course"),
        ("git@github.com:Org/Course.git", "Org/Course"),
        ("ssh://git@ssh.github.com:443/Org/Course", "Org/Course"),
        ("https://github.com/org", None),
        ("https://github.com/group/org/course", None),
        ("../course", None),
    ],
)
def test_the_repository_of_a_url(url: str, repository: str | None) -> None:
    assert repository_at(url) == repository


def test_pages_of_another_host_are_not_asked_for(tmp_path: Path) -> None:
    with github(tmp_path, rsa_key()) as hub, github(tmp_path, rsa_key()) as other:
        fields = {"Link": f'<{other.base}/repos/org/course/hooks>; rel="next"'}
        hub.answer = (200, fields, "[]")
        with GitHubApi(hub.base, lambda: PERSONAL) as api:
            assert len(list(api.pages("/repos/org/course/hooks"))) == 1
        assert other.requests == []


def test_a_redirect_is_followed_but_takes_no_token_to_another_host(tmp_path: Path) -> None:
    """So a renamed repository is found."""
    with github(tmp_path, rsa_key()) as hub, github(tmp_path, rsa_key()) as other:
        for each in (hub, other):
            each.hooks["org/course"][7] = Hook({"url": "https://hooks.example/"})
        with GitHubApi(hub.base, lambda: PERSONAL) as api:
            hub.moved = {"/repos/org/old/hooks": f"{hub.base}/repos/org/course/hooks"}
            assert len(api.ask("GET", "/repos/org/old/hooks").json) == 1
            hub.moved = {"/repos/org/old/hooks": f"{other.base}/repos/org/course/hooks"}
            with pytest.raises(RefusedError, match="Requires authentication"):
                api.ask("GET", "/repos/org/old/hooks")


@pytest.mark.parametrize(
    ("status", "fields", "text", "error"),
    [
        (200, {}, "[" * 200_000, "is not GitHub's API"),
        (404, {}, "[" * 200_000, r"answers 404 .+: \[\["),
        (302, {"Location": "javascript:alert(1)"}, "", "cannot be reached .+ InvalidURL"),
        (500, {"Content-Type": "text/html; charset=hex"}, "<html>", "answers 500 .+: <html>"),
        (429, {"Retry-After": "9" * 400}, "", "no more requests at .+ for 3600 s"),
    ],
)
def test_an_answer_of_something_else_is_told(
    tmp_path: Path,
    status: int,
    fields: dict[str, str],
    text: str,
    error: str,
) -> None:
    with github(tmp_path, rsa_key()) as hub:
        hub.answer = (status, fields, text)
        with (
            GitHubApi(hub.base, lambda: PERSONAL) as api,
            pytest.raises(GitreloadError, match=error),
        ):
            api.ask("GET", "/user")


@pytest.mark.parametrize(
    "told", [{"events": None}, {"events": 5}, {"last_response": {"code": "401"}}]
)
def test_a_hook_of_another_shape_is_read(told: dict[str, object]) -> None:
    url = "https://hooks.example/"
    found = GitHubHook.of("/hook", {"config": {"url": url}, **told}, url)
    assert found is not None
    assert list(found.troubles()) == [] or not found.pushes


def test_an_answer_that_repeats_the_token_does_not_show_it(tmp_path: Path) -> None:
    with github(tmp_path, rsa_key()) as hub:
        hub.answer = (
            403,
            {},
            f'{{"message": "no", "errors": [{{"message": "{PERSONAL} is old"}}]}}',
        )
        with GitHubApi(hub.base, lambda: PERSONAL) as api, pytest.raises(RefusedError) as refused:
            api.ask("GET", "/user")
    assert refused.value.said == "no; *** is old"
