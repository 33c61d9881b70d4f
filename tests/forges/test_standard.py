"""The generic sender: signatures of Standard Webhooks, and JSON in any shape."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fakes.forges import AFTER, BEFORE, NOW, ZERO, announced, raw
from gitreload.forges import Keys, Paths, Refusal, read
from gitreload.forges.standard import Sender
from gitreload.forges.standard_webhooks import sign
from gitreload.model import Delivery, GitreloadError, Push
from gitreload.webhook_keys import fault, symmetric

KEY = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW = b"whsec_" + base64.b64encode(b"n" * 32)
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"p" * 32)
PUBLIC = b"whpk_" + base64.b64encode(PRIVATE.public_key().public_bytes_raw())
KEYS = Keys((KEY, PUBLIC))


def sent(paths: Paths = Paths(), **facts: Any) -> tuple[dict[str, str], bytes]:  # noqa: B008
    return Sender(paths).compose(announced(**{"secret": KEY, **facts}))


def asymmetric(headers: dict[str, str], body: bytes) -> str:
    prefix = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode()
    return f"v1a,{base64.b64encode(PRIVATE.sign(prefix + body)).decode()}"


def refused(headers: dict[str, str], body: bytes, keys: Keys = KEYS) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(raw(headers), body, keys, now=NOW)
    return caught.value


PUSH = Push(
    ref="refs/heads/main",
    urls=("https://forge.example/Org/course.git",),
    repository="Org/course",
    before=BEFORE,
    after=AFTER,
    pusher="gitreload",
)


def test_a_push() -> None:
    headers, body = sent()
    delivery = read(raw(headers), body, KEYS, now=NOW)
    assert structs.replace(delivery, nonces=(), fresh_until=None) == Delivery(
        forge="standard", event="push", delivery_id="one", pushes=(PUSH,), proven_by=(0,)
    )


def test_either_kind_of_key_will_do_and_one_of_many_signatures() -> None:
    headers, body = sent()
    old, new = headers["webhook-signature"], sign("one", int(NOW), body, symmetric(NEW) or b"")
    public = asymmetric(headers, body)
    for signature, places in (
        (public, (1,)),
        (f"{new} {old}", (0,)),
        (f"v2,x {new} {old} {public}", (0, 1)),
    ):
        headers["webhook-signature"] = signature
        assert read(raw(headers), body, KEYS, now=NOW).proven_by == places
    headers["webhook-signature"] = new
    assert refused(headers, body).why == "wrong secret"


def test_a_signature_of_one_kind_is_none_of_the_other() -> None:
    headers, body = sent()
    headers["webhook-signature"] = asymmetric(headers, body)
    assert refused(headers, body, Keys((KEY,))).why == "wrong secret"
    headers, body = sent()
    assert refused(headers, body, Keys((PUBLIC,))).why == "wrong secret"


@pytest.mark.parametrize(
    "signature",
    [
        " ",
        "v1",
        "v1,",
        "v1,AAAA",
        "RIGHT ",
        " RIGHT,",
        "RIGHT v1,AAAA",
        "v1,!!!!RIGHT",
        "v1,\xe9",
        "V1,RIGHT",
        "v1 RIGHT",
        "v2,RIGHT",
        "v1a,RIGHT",
        " ".join(["v1,RIGHT"] * 9),
        " ".join(["v1,RIGHT"] * 10_000),
        "v1,RIGHT, v1,RIGHT",
    ],
)
def test_malformed_signatures(signature: str) -> None:
    headers, body = sent()
    right = headers["webhook-signature"].removeprefix("v1,")
    headers["webhook-signature"] = signature.replace("RIGHT", right)
    refusal = refused(headers, body)
    assert (refusal.status, refusal.why) == (401, "malformed signature")


@pytest.mark.parametrize(
    "seconds",
    [
        "",
        " ",
        "-1",
        "+1",
        "1_0",
        "1.0",
        "1e9",
        "0x1",
        "\xb2",
        "\uff11\uff12",
        "1" * 13,
        "9" * 5000,
        "nan",
    ],
)
def test_malformed_timestamps(seconds: str) -> None:
    headers, body = sent()
    headers["webhook-timestamp"] = seconds.encode().decode("latin-1")
    assert refused(headers, body).why == "malformed timestamp"
    del headers["webhook-timestamp"]
    assert refused(headers, body).why == "malformed timestamp"


@pytest.mark.parametrize("name", ["", "a.b", "a\n", "x" * 129, "\xe9"])
def test_malformed_ids(name: str) -> None:
    headers, body = sent()
    headers["webhook-id"] = name
    assert refused(headers, body).why == "malformed id"
    del headers["webhook-id"]
    assert refused(headers, body).why == "malformed id"


@pytest.mark.parametrize(("seconds", "word"), [(301, "ahead"), (-301, "old"), (10**11, "ahead")])
def test_a_time_that_is_not_now(seconds: int, word: str) -> None:
    headers, body = sent(now=NOW + seconds)
    refusal = refused(headers, body)
    assert (refusal.status, refusal.why) == (401, "clock skew")
    assert f"{abs(seconds)} s {word}" in str(refusal)


def test_everything_is_signed() -> None:
    headers, body = sent()
    for field in ("webhook-id", "webhook-timestamp"):
        assert refused(headers | {field: "1799999999"}, body).why == "wrong secret"
    assert refused(headers, body + b" ").why == "wrong secret"


def test_a_ping_and_other_events() -> None:
    headers, body = sent(ping=True)
    assert read(raw(headers), body, KEYS, now=NOW).ping
    paths = Paths(pushes=("repo.pushed",))
    headers, body = sent()
    ignored = read(raw(headers), body, Keys((KEY,), paths=paths), now=NOW).ignored
    assert ignored == "the event push is not a push"


FLAT = Paths(
    event="kind",
    pushes=("pushed",),
    each="changes.0.refs",
    ref=None,
    branch="name",
    before="old",
    after="new.id",
    deleted=None,
    urls=("repo", "mirror"),
    repository=None,
    pusher=None,
)


def test_paths_lead_anywhere_and_to_many_refs() -> None:
    refs = [
        {"name": "main", "old": BEFORE, "new": {"id": AFTER}},
        {"name": "gone", "new": {"id": ZERO}},
    ]
    payload = {"kind": "pushed", "repo": "https://a.example/b", "changes": [{"refs": refs}]}
    headers, _ = sent()
    body = json.dumps(payload).encode()
    headers["webhook-signature"] = sign("one", int(NOW), body, symmetric(KEY) or b"")
    delivery = read(raw(headers), body, Keys((KEY,), paths=FLAT), now=NOW)
    assert delivery.pushes == (
        Push("refs/heads/main", ("https://a.example/b",), before=BEFORE, after=AFTER),
        Push("refs/heads/gone", ("https://a.example/b",), deleted=True),
    )


def test_what_is_composed_follows_the_paths() -> None:
    paths = Paths(each="data.refs", branch="name", ref=None, before="a", after="b", deleted="c")
    headers, body = sent(paths)
    (push,) = read(raw(headers), body, Keys((KEY,), paths=paths), now=NOW).pushes
    assert push == PUSH


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"data": None}, "data.repository.clone_url, "),
        ({"data": []}, "data.repository.clone_url, "),
        ({"type": 1}, "type: expected str or null, got int"),
        ({"data": {"repository": {"clone_url": "x"}}}, "data.ref: missing"),
        ({"data": {"repository": {"clone_url": "x"}, "ref": "main"}}, "data.ref: expected a full"),
        ({"data": {"repository": {"clone_url": ["x"]}}}, "data.repository.clone_url: "),
        ({"data": {"repository": {"clone_url": "x\x00"}}}, "data.repository.clone_url: "),
    ],
)
def test_what_cannot_be_read_is_named_by_its_path(change: Any, where: str) -> None:
    headers, body = sent()
    body = json.dumps(json.loads(body) | change).encode()
    headers["webhook-signature"] = sign("one", int(NOW), body, symmetric(KEY) or b"")
    refusal = refused(headers, body)
    assert refusal.status == 400
    assert where in str(refusal)


@pytest.mark.parametrize("each", [{"data": {"refs": {}}}, {"data": {"refs": [1]}}, {"data": {}}])
def test_the_list_of_refs_has_to_be_one(each: Any) -> None:
    headers, _ = sent()
    body = json.dumps(each).encode()
    headers["webhook-signature"] = sign("one", int(NOW), body, symmetric(KEY) or b"")
    assert "data.refs" in str(refused(headers, body, Keys((KEY,), paths=Paths(each="data.refs"))))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "data", "ref", "repository", "clone_url", "0", "after"]),
                inner,
            )
        ),
        max_leaves=10,
    )
)
def test_any_tree_is_answered(payload: Any) -> None:
    headers = {"Content-Type": "application/json", "webhook-id": "1"}
    body = json.dumps(payload).encode()
    for paths in (Paths(), FLAT):
        try:
            read(raw(headers), body, Keys(unsigned=True, paths=paths), now=NOW)
        except Refusal as refusal:
            told = refusal.status
        else:
            told = 200
        assert told in {200, 400}


@pytest.mark.parametrize(
    ("secret", "wrong"),
    [
        (KEY, False),
        (KEY.rstrip(b"="), False),
        (NEW.rstrip(b"="), False),
        (PUBLIC, False),
        (b"any other secret", False),
        (b"whsec_", True),
        (b"whsec_!!!!" + b"A" * 32, True),
        (b"whsec_" + base64.b64encode(b"x" * 23), True),
        (b"whpk_" + base64.b64encode(b"x" * 31), True),
        (b"whpk_\xff", True),
    ],
)
def test_keys_that_are_none_are_found(secret: bytes, wrong: bool) -> None:
    said = fault(secret)
    assert (said is not None) is wrong
    assert len(said or "") < 80  # the key itself is not in it


def test_a_file_that_turns_into_no_key_proves_nothing() -> None:
    headers, body = sent()
    headers["webhook-signature"] = sign("one", int(NOW), body, b"")
    for secret in (b"whsec_", b"whsec_!", b"plain secret", b"", b"whpk_"):
        assert refused(headers, body, Keys((secret,))).why == "wrong secret"


def test_nothing_is_signed_with_what_is_no_key() -> None:
    with pytest.raises(GitreloadError, match="whsec_"):
        sent(secret=b"a secret of good length")
