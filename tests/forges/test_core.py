"""What holds for every forge: none is a way in for those whose check is another's."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from msgspec import structs

from fakes.forges import NOW, SECRET, announced, raw
from gitreload.forges import (
    BY_NAME,
    FORGES,
    Forge,
    Headers,
    Keys,
    Paths,
    Refusal,
    look,
    read,
    redacted,
)

SIGNING_KEY = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = b"another secret of good length"
KEYS = Keys((SECRET, SIGNING_KEY))
# Those that prove themselves by one of WEBHOOK_SECRETS.
PROVEN = [forge for forge in FORGES if forge.name != "sourcehut"]


def named(forge: Forge) -> str:
    return forge.name


def secret_of(forge: Forge) -> bytes:
    return SIGNING_KEY if forge.name == "standard" else SECRET


def sent(forge: Forge, **facts: Any) -> tuple[dict[str, str], bytes]:
    return forge.compose(announced(**{"secret": secret_of(forge), **facts}))


def refused(headers: dict[str, str], body: bytes, keys: Keys = KEYS, **options: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(raw(headers), body, keys, now=NOW, **options)
    return caught.value


@pytest.mark.parametrize("forge", PROVEN, ids=named)
def test_what_a_forge_sends_is_read_as_its_own(forge: Forge) -> None:
    headers, body = sent(forge)
    delivery = read(raw(headers), body, KEYS, now=NOW)
    assert delivery.forge == forge.name
    assert delivery.proven_by == (KEYS.secrets.index(secret_of(forge)),)
    assert [push.branch for push in delivery.pushes] == ["main"]


@pytest.mark.parametrize("forge", PROVEN, ids=named)
def test_without_a_secret_at_the_forge_nothing_is_proven(forge: Forge) -> None:
    headers, body = sent(forge, secret=None)
    refusal = refused(headers, body)
    assert refusal.status == 401
    assert refusal.why in {"no signature", "no token"}
    assert refusal.forge == forge.name
    assert read(raw(headers), body, Keys(basic=True), now=NOW).proven_by == ()
    assert read(raw(headers), body, structs.replace(KEYS, basic=True), now=NOW).pushes
    assert read(raw(headers), body, Keys(unsigned=True), now=NOW).pushes


@pytest.mark.parametrize("forge", PROVEN, ids=named)
def test_a_wrong_secret_is_one_also_beside_a_right_password(forge: Forge) -> None:
    other = b"whsec_" + b"b" * 32 if forge.name == "standard" else OTHER
    headers, body = sent(forge, secret=other)
    for keys in (KEYS, structs.replace(KEYS, basic=True), Keys(basic=True)):
        refusal = refused(headers, body, keys)
        assert (refusal.status, refusal.why) == (401, "wrong secret")
    shown = f"{refusal!r} {vars(refusal)} {refusal}"
    assert other.decode() not in shown
    assert SECRET.decode() not in shown + repr(KEYS)


@pytest.mark.parametrize(
    ("forge", "other"), [*itertools.permutations(PROVEN, 2)], ids=lambda forge: forge.name
)
def test_no_forge_is_let_in_by_the_proof_of_another(forge: Forge, other: Forge) -> None:
    """A wrong proof of its own beside a right one of another forge, and under either's headers."""
    headers, body = sent(forge, secret=b"whsec_" + b"b" * 32 if forge.name == "standard" else OTHER)
    right, _ = sent(other)
    proofs = {name: value for name, value in right.items() if name.lower().encode() in other.proofs}
    mixed = {**proofs, **headers}
    assert refused(mixed, body).status == 401
    for name in BY_NAME:
        assert refused(mixed, body, forge=name).status == 401


def test_a_github_signature_does_not_pass_by_gitlabs_token() -> None:
    headers, body = sent(BY_NAME["gitlab"])
    headers["X-Hub-Signature-256"] = "sha256=" + "0" * 64
    refusal = refused(headers, body)
    assert (refusal.status, refusal.why) == (401, "another forge's signature")
    assert "?forge=" in str(refusal)


@pytest.mark.parametrize("forge", PROVEN, ids=named)
def test_a_pin_is_obeyed(forge: Forge) -> None:
    headers, body = sent(forge)
    assert read(raw(headers), body, KEYS, forge=forge.name, now=NOW).forge == forge.name


def test_an_unknown_pin_is_told_to_those_who_may_know() -> None:
    headers, body = sent(BY_NAME["github"])
    refusal = refused(headers, body, forge="__class__")
    assert (refusal.status, refusal.why) == (400, "malformed")
    assert "expected one of forgejo, gitea, gogs, github" in str(refusal)
    assert refused(headers, body + b" ", forge="__class__").status == 401


def test_the_places_of_all_secrets_that_fit_are_told() -> None:
    headers, body = sent(BY_NAME["github"])
    keys = Keys((OTHER, SECRET, b"", SECRET))
    assert read(raw(headers), body, keys, now=NOW).proven_by == (1, 3)


def test_a_key_of_standard_webhooks_serves_as_nothing_else() -> None:
    for name in ("github", "gitea", "gogs", "gitee"):
        headers, body = sent(BY_NAME[name], secret=SIGNING_KEY)
        assert refused(headers, body).why == "wrong secret"
    headers, body = sent(BY_NAME["gitlab"], secret=None)
    headers["X-Gitlab-Token"] = SIGNING_KEY.decode()
    assert refused(headers, body).why == "wrong secret"


@pytest.mark.parametrize("forge", PROVEN, ids=named)
def test_a_refusal_names_the_repository_as_claimed(forge: Forge) -> None:
    headers, body = sent(forge, url="https://forge.example/Org/course", secret=None)
    assert refused(headers, body).repository == "Org/course"


def test_the_claim_is_harmless_and_short() -> None:
    payload = {"ref": "refs/heads/main", "repository": {}}
    headers, _ = sent(BY_NAME["github"], secret=OTHER)
    for repository, shown in (
        ({"full_name": "a\u202eb", "clone_url": "x"}, "a\\u202eb"),
        ({"full_name": "x" * 4096, "clone_url": "x"}, "x" * 256),
        ({"clone_url": "https://user:hunter2@forge.example/a"}, "https://***@forge.example/a"),
        ({"full_name": 1}, None),
    ):
        payload["repository"] = repository
        assert refused(headers, json.dumps(payload).encode()).repository == shown
    large = json.dumps(payload | {"repository": {"clone_url": "x"}, "x": "y" * 2**20})
    assert refused(headers, large.encode()).repository is None


def test_a_look_understands_without_proof() -> None:
    headers, body = sent(BY_NAME["gitea"], secret=OTHER)
    seen = look(raw(headers), body, Paths())
    assert seen is not None
    assert seen.pushes[0].repository == "Org/course"
    assert look(raw(headers), b"{", Paths()) is None


def test_what_a_forge_echoes_is_not_stored() -> None:
    secret = r"hunter2\"{\\"
    body = f'{{"a": [{{"secret" : "{secret}", "x": "secret"}}], "secret": null}}'.encode()
    kept = redacted("gogs", body, 1000)
    assert kept == b'{"a": [{"secret" : "********", "x": "secret"}], "secret": null}'
    form = b"payload=%7B%22password%22%3A+%22hunter2%22%2C%22sign%22%3A%22hunter2%22%7D&x=1"
    assert b"hunter2" not in redacted("gitee", form, 1000)
    assert json.loads(redacted("gitee", b'{"sign":"x","ref":"y"}', 1000)) == {
        "sign": "********",
        "ref": "y",
    }
    assert redacted("github", body, 1000) == body
    assert b"hunter2" not in redacted("gogs", b'{"secret":"hunter2', 1000)


@pytest.mark.parametrize(
    "body",
    [
        b'{"ref": "x", "secret": "' + rb"hunter2\u0021" * 3 + b'", "more": "' + b"y" * 99 + b'"}',
        b"payload=%7B%22secret%22%3A%22" + b"%68%75%6E%74%65%72%32" * 3 + b"%22%7D&x=" + b"y" * 99,
    ],
)
def test_no_part_of_a_secret_is_stored_wherever_a_body_is_cut(body: bytes) -> None:
    for most in range(len(body) - 99):
        kept = redacted("gogs", body, most)
        assert len(kept) == len(body), "its size is stored too"
        assert not kept[most:].strip()
        assert b"hunter" not in kept
        assert b"%68%75" not in kept
        assert b"%22hu" not in kept


def test_header_fields_are_asked_for_by_many_names() -> None:
    headers = Headers([(b"x-one", b" "), (b"x-two", b"2")])
    assert headers.any_of(frozenset({b"x-two", b"x-three"}))
    assert not headers.any_of(frozenset({b"x-one", b"x-three"}))
