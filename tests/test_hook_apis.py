from __future__ import annotations

from collections.abc import Iterator

import pytest

from fakes.hook_api import TOKEN, HookApi, hook_api
from gitreload.hook_apis import APIS, Hook, make_hook
from gitreload.model import GitreloadError

HOOK = Hook("https://hooks.example.org/", "the-secret-of-the-webhook")


@pytest.fixture(params=APIS)
def api(request: pytest.FixtureRequest) -> Iterator[HookApi]:
    with hook_api(request.param) as running:
        yield running


def make(api: HookApi, hook: Hook = HOOK, repository: str = "org/course", **options: str) -> None:
    options = {"token": TOKEN, "base": api.base, **options}
    make_hook(api.forge, repository, hook, host="forge.example", **options)


def test_a_hook_is_made(api: HookApi) -> None:
    make(api)
    assert api.only == (HOOK.url, HOOK.secret)


def test_one_that_sends_there_already_becomes_ours_and_others_stay(api: HookApi) -> None:
    other = Hook("https://hooks.example.org/update", "another-secret")
    make(api, other)
    make(api, Hook(HOOK.url.rstrip("/"), "a-secret-that-was-lost"))
    _, number = api.hooks
    make(api)
    assert [*api.hooks][1:] == [number]
    api.hooks.pop(min(api.hooks))
    assert api.only == (HOOK.url, HOOK.secret)


def test_all_pages_are_looked_at(api: HookApi) -> None:
    for each in "abc":
        make(api, Hook(f"https://hooks.example.org/{each}", "another-secret"))
    make(api)
    api.page_size = 1
    make(api)
    assert len(api.hooks) == 4


@pytest.mark.parametrize("api", ["gitlab", "gitea", "forgejo"], indirect=True)
def test_of_several_with_one_url_one_stays(api: HookApi) -> None:
    """Each would send every push again, and only one have the secret."""
    make(api)
    (body,) = api.hooks.values()
    api.hooks |= {number: {**body, "id": number} for number in (71, 72)}
    make(api)
    assert api.only == (HOOK.url, HOOK.secret)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((401, '{"message": "token-of-the-forge is bad"}'), r"401 .+ is bad.+needs .*(perm|scope)"),
        ((403, '{"message": "insufficient_scope"}'), r"403 .+may not see its webhooks: it needs"),
        ((404, '{"message": "Not Found"}'), "no repository org/course"),
        ((422, '{"message": "url is blocked"}'), "Is PUBLIC_URL an address that"),
        ((301, ""), "It has moved: name the API's base URL with --api"),
        ((503, "busy"), "Try the same command again later"),
        ((200, "<html>"), "is no API of .+: name its base URL with --api"),
        ((200, '{"message": "ok"}'), "is no API of .+: name its base URL with --api"),
        ((200, '[{"config": null}]'), "is no API of .+: name its base URL with --api"),
    ],
)
def test_refusals_say_what_to_do(api: HookApi, answer: tuple[int, str], message: str) -> None:
    api.answer = answer
    with pytest.raises(GitreloadError, match=message) as refused:
        make(api)
    assert TOKEN not in str(refused.value)
    assert HOOK.secret not in str(refused.value)


def test_a_wrong_token_and_a_wrong_repository_are_told_apart(api: HookApi) -> None:
    with pytest.raises(GitreloadError, match="401"):
        make(api, token="another-token")
    with pytest.raises(GitreloadError, match=r"404 .+no repository org/cours,"):
        make(api, repository="org/cours")


def test_a_base_that_is_no_url_is_told(api: HookApi) -> None:
    with pytest.raises(GitreloadError, match=r"cannot be reached at .+: InvalidURL: "):
        make(api, base="https://forge.example:port")


def test_an_api_that_cannot_be_reached_is_told(api: HookApi) -> None:
    with pytest.raises(GitreloadError, match=r"cannot be reached at .+: ConnectError"):
        make(api, base="http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("forge", "host", "base"),
    [
        ("github", "github.com", "https://api.github.com"),
        ("github", "uni.ghe.com", "https://api.uni.ghe.com"),
        ("github", "ghe.example", "https://ghe.example/api/v3"),
        ("gitlab", "gitlab.com", "https://gitlab.com/api/v4"),
        ("gitea", "gitea.example", "https://gitea.example/api/v1"),
        ("forgejo", "codeberg.org", "https://codeberg.org/api/v1"),
    ],
)
def test_the_usual_base_urls(forge: str, host: str, base: str) -> None:
    assert APIS[forge].base(host) == base
