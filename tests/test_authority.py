"""With which keys a request is read, and which checkouts it may act on."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.forges import NOW, raw
from fakes.forges.sender import Move
from fakes.forges.sourcehut import PUBLIC, SourceHut
from fakes.github import github_push, signed
from gitreload.authority import MOST_TRIED, Authority, Grant, Users
from gitreload.credentials import Secret
from gitreload.forges import BY_NAME, Refusal, request, sourcehut
from gitreload.model import Checkout, Delivery
from gitreload.setting_groups import StandardPaths
from gitreload.setting_types import ForgeName
from gitreload.settings import Settings

SHARED = "a secret that all repositories share"
OWN = "a secret that is of one repository only"
OTHER = "a secret that is of another repository"
PASSWORD = "a password of good length"


def checkout(directory: str, *aliases: str) -> Checkout:
    path = f"/repos/{directory}"
    return Checkout(directory, path, None, frozenset(), "main", "main", aliases)


def authority(
    shared: Sequence[str] = (), repos: Mapping[str, Any] | None = None, **more: Any
) -> Authority:
    values: dict[str, Any] = {"webhook_secrets": shared, "repos": repos or {}, **more}
    return Authority(Settings(**values))


def basic(user: str = "ada", password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def read(
    asked: Authority,
    secret: str | None,
    more: Mapping[str, str] | None = None,
    *,
    local: bool = False,
    names: Sequence[str] | None = None,
) -> tuple[Delivery, Grant | None]:
    """A push as GitHub sends it, signed with `secret`."""
    headers, body = signed(github_push(), secret.encode() if secret else None)
    return asked.read(
        raw(headers | dict(more or {})), body, forge=None, local=local, now=NOW, names=names
    )


def why(asked: Authority, secret: str | None, more: Mapping[str, str] | None = None) -> str:
    with pytest.raises(Refusal) as caught:
        read(asked, secret, more)
    assert caught.value.status == 401
    assert caught.value.repository == "org/course"
    return caught.value.why


def opened(asked: Authority, secret: str | None, **facts: Any) -> set[str]:
    """The directories, of those in the tests, that a push signed with `secret` may act on."""
    _, grant = read(asked, secret, **facts)
    places = [checkout("own"), checkout("other"), checkout("plain"), checkout("real", "alias")]
    return {each.directory for each in places if grant is None or grant.allows(each)}


class TestSecrets:
    def test_global_ones_alone_bind_nothing(self) -> None:
        delivery, grant = read(authority([OTHER, SHARED]), SHARED)
        assert delivery.pushes
        assert grant is None

    def test_own_ones_are_the_only_ones_of_their_repository(self) -> None:
        asked = authority([SHARED], {"own": {"SECRETS": [OWN]}, "other": {"SECRETS": [OTHER]}})
        assert opened(asked, OWN) == {"own"}
        assert opened(asked, OTHER) == {"other"}
        assert opened(asked, SHARED) == {"plain", "real"}
        assert why(asked, "a secret of nobody") == "wrong secret"

    def test_one_that_several_have_opens_all_of_them(self) -> None:
        asked = authority([OWN], {"own": {"SECRETS": [OTHER, OWN]}, "other": {"SECRETS": [OTHER]}})
        assert opened(asked, OWN) == {"own", "plain", "real"}
        assert opened(asked, OTHER) == {"own", "other"}

    @pytest.mark.parametrize("name", ["real", "alias"])
    def test_they_hold_for_every_name_of_a_checkout(self, name: str) -> None:
        asked = authority([SHARED], {name: {"SECRETS": [OWN]}})
        assert opened(asked, OWN) == {"real"}
        assert "real" not in opened(asked, SHARED)

    def test_without_global_ones_the_others_are_closed(self) -> None:
        asked = authority([], {"own": {"SECRETS": [OWN]}})
        assert opened(asked, OWN) == {"own"}
        assert why(asked, None) == "no signature"
        with pytest.raises(Refusal):
            read(asked, None, local=True)

    def test_a_changed_file_counts_at_once(self, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text(OWN)
        asked = authority([SHARED], {"own": {"SECRETS": [{"FILE": str(file)}]}})
        assert opened(asked, OWN) == {"own"}
        file.write_text(OTHER)
        assert opened(asked, OTHER) == {"own"}
        assert why(asked, OWN) == "wrong secret"

    @pytest.mark.parametrize("value", [OWN, "whsec_" + base64.b64encode(bytes(24)).decode()])
    def test_what_is_the_same_is_tried_once(self, value: str) -> None:
        assert len({Secret(value), Secret(value), Secret(SHARED)}) == 2


secrets = st.sampled_from([f"secret number {number} of eleven" for number in range(11)])


@given(
    shared=st.lists(secrets, max_size=5),
    own=st.dictionaries(
        st.sampled_from(["own", "other", "real", "alias"]), st.lists(secrets, max_size=4)
    ),
    used=secrets,
    looked=st.booleans(),
)
def test_a_secret_opens_exactly_what_accepts_it(
    shared: list[str], own: dict[str, list[str]], used: str, looked: bool
) -> None:
    asked = authority(shared, {name: {"SECRETS": each} for name, each in own.items()})
    accepted = {
        name: [secret for each in names for secret in own.get(each, [])] or shared
        for name, names in {
            "own": ["own"], "other": ["other"], "plain": ["plain"], "real": ["real", "alias"],
        }.items()
    }  # fmt: skip
    expected = {name for name, each in accepted.items() if used in each}
    names = ["own", "other", "plain", "real", "alias"] if looked and asked.looks_first else None
    try:
        found = opened(asked, used, names=names)
    except Refusal:
        found = set()
    if asked.configured:
        assert found == expected
    else:
        assert found == set(), "without any secret only this machine is served"


class TestManySecrets:
    @pytest.fixture
    def many(self) -> Authority:
        repos = {f"r{number}": {"SECRETS": [f"own secret number {number}"]} for number in range(8)}
        return authority([SHARED], repos)

    def test_the_claimed_repository_says_which_are_tried(self, many: Authority) -> None:
        assert many.looks_first
        _, grant = read(many, "own secret number 3", names=["r3", "alias"])
        assert grant is not None
        assert grant.allows(checkout("r3"))
        assert not grant.allows(checkout("r4"))
        with pytest.raises(Refusal, match="another secret"):
            read(many, "own secret number 4", names=["r3"])

    def test_global_ones_are_always_tried(self, many: Authority) -> None:
        _, grant = read(many, SHARED, names=["r3"])
        assert grant is not None
        assert not grant.allows(checkout("r3"))
        assert grant.allows(checkout("plain"))

    @pytest.mark.parametrize("secret", [None, "own secret number 3"])
    def test_whether_a_repository_is_here_is_told_to_nobody(self, secret: str | None) -> None:
        repos = {f"r{number}": {"SECRETS": [f"own secret number {number}"]} for number in range(9)}
        asked = authority([], repos, basic_auth={"ada": PASSWORD})
        told = []
        for names in ([], ["r4"]):
            with pytest.raises(Refusal) as caught:
                read(asked, secret, names=names)
            told.append((caught.value.why, str(caught.value)))
        assert told[0] == told[1]

    @pytest.mark.parametrize(("more", "looks"), [(MOST_TRIED - 1, False), (MOST_TRIED, True)])
    def test_few_are_all_tried(self, more: int, looks: bool) -> None:
        own = {"SECRETS": [f"own secret number {number}" for number in range(more)]}
        assert authority([SHARED], {"own": own}).looks_first == looks
        assert not authority(own["SECRETS"] + [SHARED]).looks_first, "nothing would be left out"


class TestBasic:
    def test_a_right_one_stands_in_for_a_signature(self) -> None:
        delivery, grant = read(authority(basic_auth={"ada": PASSWORD}), None, basic())
        assert delivery.pushes
        assert grant is None

    def test_it_does_not_make_up_for_a_wrong_signature(self) -> None:
        asked = authority([SHARED], basic_auth={"ada": PASSWORD})
        assert why(asked, OTHER, basic()) == "wrong secret"
        assert why(authority(basic_auth={"ada": PASSWORD}), OTHER, basic()) == "wrong secret"

    @pytest.mark.parametrize("secret", [None, SHARED])
    @pytest.mark.parametrize(
        "given",
        [
            basic(password="a wrong password of length"),
            basic(user="eve"),
            basic(password=""),
            {"Authorization": f"Basic ada:{PASSWORD}"},
            {"Authorization": "Basic "},
            {"Authorization": f"{basic()['Authorization']}, {basic()['Authorization']}"},
        ],
    )
    def test_a_wrong_one_is_refused(self, given: dict[str, str], secret: str | None) -> None:
        asked = authority([SHARED], basic_auth={"ada": PASSWORD, "eve": "hers is another one"})
        assert why(asked, secret, given) == "wrong password"

    def test_other_schemes_are_somebody_elses(self) -> None:
        asked = authority([SHARED], basic_auth={"ada": PASSWORD})
        assert read(asked, SHARED, {"Authorization": "Bearer x"})[0].pushes
        assert why(asked, None, {"Authorization": "Bearer x"}) == "no signature"

    def test_without_users_it_is_not_looked_at(self) -> None:
        assert read(authority([SHARED]), SHARED, basic())[0].pushes
        assert why(authority([SHARED]), None, basic()) == "no signature"

    def test_a_missing_one_is_told(self) -> None:
        assert why(authority(basic_auth={"ada": PASSWORD}), None) == "no password"

    def test_it_speaks_for_repositories_without_secrets_of_their_own(self) -> None:
        repos = {"own": {"SECRETS": [OWN]}, "other": {"FORGE": "gitlab"}}
        asked = authority([SHARED], repos, basic_auth={"ada": PASSWORD})
        assert opened(asked, None, more=basic()) == {"plain", "real"}
        assert opened(asked, OWN, more=basic()) == {"own"}

    def test_users_are_known_by_their_whole_credential(self) -> None:
        users = Users({"ada": Secret(PASSWORD), "grüße": Secret("a:b:c:d:e:f:g")})
        assert users.know(basic()["Authorization"])
        other = basic("grüße", "a:b:c:d:e:f:g")["Authorization"]
        assert users.know(other.replace("Basic", "bASIC"))
        assert not users.know(basic("grüße", PASSWORD)["Authorization"])
        assert not users.know(basic()["Authorization"].replace("Basic", "Digest"))
        assert not Users({}).know("Basic Og==")


class TestPinned:
    def test_another_forge_may_not_act_on_it(self) -> None:
        asked = authority([SHARED], {"own": {"FORGE": "gitlab"}, "other": {"FORGE": "github"}})
        assert opened(asked, SHARED) == {"other", "plain", "real"}
        _, grant = read(asked, SHARED)
        assert grant is not None
        assert "FORGE gitlab" in (grant.refuses(checkout("own")) or "")

    def test_nobody_has_to_prove_anything_for_it(self) -> None:
        asked = authority([], {"own": {"FORGE": "gitlab"}})
        assert opened(asked, None, local=True) == {"other", "plain", "real"}

    def test_the_names_are_those_of_the_forges(self) -> None:
        assert tuple(ForgeName.__args__[0].__args__) == tuple(BY_NAME)  # type: ignore[attr-defined]


class TestSourceHut:
    KEY = base64.b64encode(PUBLIC).decode()

    def read(self, asked: Authority) -> Grant | None:
        [sent] = SourceHut().push([Move()])
        _, grant = asked.read(raw(sent.headers), sent.body, forge=None, local=False, now=NOW)
        return grant

    def test_an_instance_may_act_where_it_is_pinned(self) -> None:
        repos = {"own": {"FORGE": "sourcehut"}, "other": {"SECRETS": [OWN]}}
        grant = self.read(authority([SHARED], repos, sourcehut_keys=[self.KEY]))
        assert grant is not None
        assert grant.allows(checkout("own"))
        assert not grant.allows(checkout("other"))
        assert not grant.allows(checkout("plain"))

    def test_it_is_trusted_nowhere_else(self) -> None:
        for asked in (
            authority([SHARED], sourcehut_keys=[self.KEY]),
            authority([SHARED], {"own": {"FORGE": "sourcehut"}}),  # that is sr.ht's
        ):
            with pytest.raises(Refusal) as caught:
                self.read(asked)
            assert caught.value.why == "unknown key"

    def test_the_key_of_sr_ht_is_that_of_its_documentation(self) -> None:
        asked = authority([], {"own": {"FORGE": "sourcehut"}})
        assert asked.configured
        assert asked._public == (sourcehut.KEY,)


class TestUnsigned:
    def test_only_this_machine_is_served(self) -> None:
        assert read(authority(), None, local=True)[1] is None
        assert why(authority(), None) == "no secret configured"
        assert read(authority(allow_unsigned=True), None)[1] is None

    def test_a_secret_ends_that(self) -> None:
        for asked in (
            authority([SHARED], allow_unsigned=True),
            authority(basic_auth={"ada": PASSWORD}, allow_unsigned=True),
            authority([], {"own": {"SECRETS": [OWN]}}, allow_unsigned=True),
            authority([], {"own": {"FORGE": "sourcehut"}}, allow_unsigned=True),
        ):
            with pytest.raises(Refusal):
                read(asked, None, local=True)


def test_the_paths_of_the_settings_are_those_of_the_sender() -> None:
    assert authority().paths == request.DEFAULT_PATHS
    paths = StandardPaths(REF=None, BRANCH="branch", EACH="changes")  # type: ignore[call-arg]
    assert authority(standard_paths=paths).paths.branch == "branch"
