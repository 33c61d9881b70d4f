"""What GitHub says, and what it never says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.forges import AFTER, BEFORE, NOW, SECRET, ZERO, announced, raw
from fakes.github import github_push, headers, signed
from gitreload.forges import Headers, Keys, Refusal, read
from gitreload.forges import body as body_module
from gitreload.forges.github import compose
from gitreload.forges.request import Malformed
from gitreload.model import Delivery, GitreloadError, Push
from gitreload.remotes import canonical

URL = "https://github.com/org/course"


def understood(payload: dict[str, Any], **options: Any) -> Delivery:
    fields, body = signed(payload, **options)
    return read(raw(fields), body, Keys((SECRET,)), now=NOW)


def the_push(payload: dict[str, Any], **options: Any) -> Push:
    (push,) = understood(payload, **options).pushes
    return push


def complaint(body: bytes, fields: dict[str, str] | None = None, **changes: str | None) -> str:
    """Why an authentic request is refused with 400."""
    sent = {**(fields or headers(body, SECRET)), **changes}
    present = raw({name: value for name, value in sent.items() if value is not None})
    with pytest.raises(Refusal) as caught:
        read(present, body, Keys((SECRET,)), now=NOW)
    assert (caught.value.status, caught.value.why) == (400, "malformed")
    return str(caught.value)


def payload_complaint(payload: Any) -> str:
    return complaint(json.dumps(payload).encode()).removeprefix("the payload cannot be read: ")


@pytest.mark.parametrize("form", [False, True])
@pytest.mark.parametrize("large", [False, True])
def test_a_push(large: bool, form: bool) -> None:
    payload = github_push(large=large)
    payload["repository"]["ssh_url"] = "git@github.com:org/course.git"
    delivery = understood(payload, delivery="72d3162e-cc78-11e3-81ab-4c9367dc0958", form=form)
    assert delivery == Delivery(
        forge="github",
        event="push",
        delivery_id="72d3162e-cc78-11e3-81ab-4c9367dc0958",
        hook="1",
        pushes=(
            Push(
                ref="refs/heads/main",
                urls=(
                    f"{URL}.git",
                    "git@github.com:org/course.git",
                    "git://github.com/org/course.git",
                    URL,
                ),
                repository="org/course",
                before=BEFORE,
                after=AFTER,
                pusher="gitreload",
            ),
        ),
        never_disabled=True,
        proven_by=(0,),
    )


def test_a_ping() -> None:
    delivery = understood({"zen": "Be brief.", "hook_id": 1}, event="ping")
    assert delivery.ping
    assert not delivery.pushes
    assert delivery.ignored is None


@pytest.mark.parametrize("event", ["create", "delete", "__class__", "read", "PUSH", "x" * 128])
def test_other_events_are_ignored(event: str) -> None:
    delivery = understood({"ref": "main", "ref_type": "branch"}, event=event)
    assert delivery.ignored == f"the event {event} is not a push"
    assert not delivery.pushes
    assert not delivery.ping


@pytest.mark.parametrize("event", ["", "x" * 129, "pu\x7fsh"])
def test_an_event_unfit_to_be_shown_is_unknown(event: str) -> None:
    assert understood(github_push(), event=event).event == "unknown"


@pytest.mark.parametrize(
    ("target", "never"),
    [("repository", True), (None, True), ("organization", False), ("integration", False)],
)
def test_which_hooks_may_be_told_that_a_repository_is_not_here(
    target: str | None, never: bool
) -> None:
    fields, body = signed(github_push())
    del fields["X-GitHub-Hook-Installation-Target-Type"]
    if target:
        fields["X-GitHub-Hook-Installation-Target-Type"] = target
    assert read(raw(fields), body, Keys((SECRET,)), now=NOW).never_disabled is never


@pytest.mark.parametrize("secrets", [(), (SECRET,)])
def test_a_push_from_a_script_needs_no_header_but_the_signature(secrets: tuple[bytes, ...]) -> None:
    fields, body = signed(github_push())
    bare = {name: fields[name] for name in ("Content-Type", "X-Hub-Signature-256")}
    delivery = read(raw(bare), body, Keys(secrets, unsigned=not secrets), now=NOW)
    assert (delivery.forge, delivery.event, delivery.delivery_id) == ("github", "push", None)
    assert delivery.never_disabled
    assert delivery.pushes[0].branch == "main"


def test_without_a_forges_header_only_the_shape_of_a_push_is_one() -> None:
    _, body = signed({"hello": "world"})
    with pytest.raises(Refusal) as caught:
        read(raw({"Content-Type": "application/json"}), body, Keys(unsigned=True), now=NOW)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (AFTER, AFTER),
        (AFTER.upper(), AFTER),
        ("2e" * 32, "2e" * 32),
        (ZERO, None),
        ("0" * 64, None),
        (None, None),
        ("", None),
        ("2e2e", None),
        ("--upload-pack=touch /tmp/x", None),
        ("\u0131" * 40, None),
        (AFTER[:-1] + "\n", None),
    ],
)
def test_revisions_are_whole_ids_or_nothing(sent: str | None, kept: str | None) -> None:
    push = the_push(github_push() | {"before": sent, "after": sent})
    assert (push.before, push.after) == (kept, kept)


def test_revisions_may_be_missing() -> None:
    payload = github_push()
    del payload["before"], payload["after"], payload["deleted"], payload["pusher"]
    push = the_push(payload)
    assert (push.before, push.after, push.deleted, push.pusher) == (None, None, False, None)


@pytest.mark.parametrize(
    ("after", "flag", "deleted"),
    [
        (AFTER, False, False),
        (AFTER, None, False),
        (AFTER, True, True),
        (ZERO, False, True),
        ("0" * 64, None, True),
        (None, True, True),
        (None, None, False),
    ],
)
def test_deletions(after: str | None, flag: bool | None, deleted: bool) -> None:
    assert the_push(github_push() | {"after": after, "deleted": flag}).deleted is deleted


@pytest.mark.parametrize(
    ("ref", "branch"),
    [
        ("refs/heads/main", "main"),
        ("refs/heads/a/b", "a/b"),
        ("refs/heads/refs/heads/x", "refs/heads/x"),
        ("refs/heads/ünï", "ünï"),
        # Legal, by git check-ref-format; whoever uses them must not parse them.
        ("refs/heads/--upload-pack=x", "--upload-pack=x"),
        ("refs/heads/$(id);`id`|x", "$(id);`id`|x"),
        ("refs/tags/main", None),
        ("refs/pull/1/head", None),
        ("refs/notes/commits", None),
    ],
)
def test_refs(ref: str, branch: str | None) -> None:
    push = the_push(github_push(ref=ref))
    assert push.ref == ref
    assert push.branch == branch


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "main",
        "HEAD",
        "@{-1}",
        "refs/",
        "refs/heads/",
        "refs/heads/a b",
        "refs/heads/a\nb",
        "refs/heads/a\x00",
        "xrefs/heads/a",
    ],
)
def test_what_is_no_full_ref(ref: str) -> None:
    assert payload_complaint(github_push(ref=ref)) == (
        "ref: expected a full ref such as refs/heads/main"
    )


def test_a_long_ref_is_no_ref() -> None:
    assert the_push(github_push(ref="refs/heads/" + "x" * 4085)).branch == "x" * 4085
    assert payload_complaint(github_push(ref="refs/heads/" + "x" * 4086)).startswith("ref: ")


@pytest.mark.parametrize(
    ("repository", "urls"),
    [
        ({"clone_url": "a"}, ("a",)),
        ({"url": "a", "html_url": "a", "ssh_url": "b"}, ("b", "a")),
        ({"clone_url": None, "html_url": "", "git_url": "c"}, ("c",)),
    ],
)
def test_every_url_is_told_once(repository: dict[str, Any], urls: tuple[str, ...]) -> None:
    assert the_push(github_push(repository=repository)).urls == urls


WRONG: list[Any] = [1, 1.5, True, ["a"], {"a": "b"}]
FITTING: dict[str, set[type]] = {
    "ref": set(),
    "repository": {dict},
    "before": {str, type(None)},
    "after": {str, type(None)},
    "deleted": {bool, type(None)},
    "pusher": {dict, type(None)},
}


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        (key, wrong)
        for key, fitting in FITTING.items()
        for wrong in [None, "x", *WRONG]
        if type(wrong) not in fitting
    ],
)
def test_wrong_types_are_named(key: str, wrong: Any) -> None:
    assert payload_complaint(github_push() | {key: wrong}).startswith(f"{key}: ")


URLS = ["clone_url", "ssh_url", "git_url", "html_url", "url"]


@pytest.mark.parametrize("wrong", [*WRONG, "a\x00b", "\x1b[31m", "x" * 4097])
@pytest.mark.parametrize("key", ["full_name", *URLS, "pusher"])
def test_wrong_values_inside_are_named(key: str, wrong: Any) -> None:
    payload = github_push()
    if key in URLS and wrong in ("a\x00b", "\x1b[31m"):
        return  # it names no repository that is here, and is shown nowhere
    if key == "pusher":
        payload["pusher"] = {"name": wrong}
        assert payload_complaint(payload).startswith("pusher.name: ")
    else:
        payload["repository"][key] = wrong
        assert payload_complaint(payload).startswith(f"repository.{key}: ")


def test_a_repository_without_any_url_is_named() -> None:
    for repository in ({}, {"full_name": "org/course"}, {"clone_url": "", "url": None}):
        assert payload_complaint(github_push(repository=repository)).startswith("repository: ")


def test_what_is_wrong_is_said_in_words() -> None:
    assert payload_complaint({}) == "ref: missing"
    assert payload_complaint([]) == "expected object, got array"
    payload = github_push()
    payload["repository"]["url"] = 1
    assert payload_complaint(payload) == "repository.url: expected str or null, got int"
    payload["repository"] = {"full_name": "\x00"}
    assert payload_complaint(payload) == (
        "repository.full_name: expected text without control characters"
    )


def test_values_are_not_repeated_to_the_sender() -> None:
    assert "hunter2" not in payload_complaint(github_push(ref="hunter2") | {"after": ["hunter2"]})


GOOD = json.dumps(github_push())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b"{",
        GOOD.encode()[:-1],
        GOOD.encode() + b"x",
        GOOD.encode() + GOOD.encode(),
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.encode("utf-16"),
        GOOD.encode("utf-16-le"),
        GOOD.encode("utf-32"),
        b'{"x": "\xff", ' + GOOD.encode()[1:],
        b'{"x": "\xed\xa0\x80", ' + GOOD.encode()[1:],
        *(
            f'{{"x": {value}, {GOOD[1:]}'.encode()
            for value in (
                "NaN",
                "Infinity",
                "-Infinity",
                '"\\ud800"',
                '"\\udc00\\ud800"',
                '"\x00"',
                '"\n"',
                "01",
                "'a'",
                "1,}",
                "// a\n1",
                "[" * 100_000,
                "[" * 100_000 + "]" * 100_000,
                '{"a":' * 100_000 + "1" + "}" * 100_000,
            )
        ),
    ],
    ids=lambda body: repr(body[:30]),
)
@pytest.mark.parametrize("event", ["push", "ping", "create"])
def test_what_is_not_json_is_refused(body: bytes, event: str) -> None:
    said = complaint(body, headers(body, SECRET, event=event))
    assert said.startswith("the payload cannot be read: ")
    assert len(said) < 300


def test_odd_but_legal_json_is_read() -> None:
    odd = f'{{"y": {"9" * 5000}, "x": [1e999, -0, '
    odd += '"NaN Infinity \\u0000 \\ud83d\\ude00"], "ref": "refs/heads/a", '
    body = (odd + GOOD[1:].replace("/main", "/\\u00fc") + "\n ").encode()
    delivery = read(raw(headers(body, SECRET)), body, Keys((SECRET,)), now=NOW)
    # The later of two keys counts; there is one parser, so nobody reads it otherwise.
    assert delivery.pushes[0].ref == "refs/heads/ü"


def test_a_million_keys_are_read() -> None:
    many = ",".join(f'"k{number}":0' for number in range(1_000_000))
    body = f"{{{many},{GOOD[1:]}".encode()
    assert read(raw(headers(body, SECRET)), body, Keys((SECRET,)), now=NOW).pushes


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-8",
        'Application/JSON ;Charset="UTF-8"',
        "application/json;charset=us-ascii; x=y",
        "application/json;",
    ],
)
def test_content_types_that_will_do(content_type: str) -> None:
    fields, body = signed(github_push())
    fields["Content-Type"] = content_type
    assert read(raw(fields), body, Keys((SECRET,)), now=NOW).pushes


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/jsonp",
        "multipart/form-data; boundary=x",
        "application/json, application/json",
        "application/json; charset=utf-16",
        "application/json; charset=nope",
        "application/json; charset=hex",
        "application/json; charset=",
        "application/json; charset=utf-8; charset=utf-7",
        "application/x-www-form-urlencoded; charset=punycode",
        "\xff",
    ],
)
def test_content_types_that_will_not(content_type: str | None) -> None:
    fields, body = signed(github_push())
    said = complaint(body, fields, **{"Content-Type": content_type})
    assert said.startswith("Content-Type ")
    assert "expected" in said


def form_complaint(body: bytes) -> str:
    return complaint(body, headers(body, SECRET, form=True))


@pytest.mark.parametrize(
    "body", [b"", b"payload", b"x=1", b"payloads=%7B%7D", b"payload=%7B%7D&payload=%7B%7D"]
)
def test_a_form_has_exactly_one_payload(body: bytes) -> None:
    said = form_complaint(body)
    assert said in {
        "the form has 0 fields named payload: expected one",
        "the form has 2 fields named payload: expected one",
        "the payload cannot be read: not JSON: Input data was truncated",
    }


def test_a_second_payload_cannot_hide_behind_another_spelling() -> None:
    assert form_complaint(b"payload=%7B%7D&p%61yload=%7B%7D").startswith("the form has 2")


def test_a_form_of_a_million_fields_is_refused() -> None:
    assert form_complaint(b"a=1&" * 1_000_000) == (
        "the form has more than 16 fields: expected one, payload"
    )


@pytest.mark.parametrize("value", [b"", b"x", b"%FF", b"{", b"%00", b"[]", b"\xff", b"+"])
def test_a_payload_in_a_form_is_json_too(value: bytes) -> None:
    assert form_complaint(b"payload=" + value).startswith("the payload cannot be read: ")


@pytest.mark.parametrize("value", [b"%", b"%7B%", b"%zz", b"%7", b"%\xb7B", b"%\n7B"])
def test_percent_signs_in_a_form_stand_for_bytes(value: bytes) -> None:
    assert form_complaint(b"payload=" + value).startswith("the form has a percent sign without")


@given(value=st.lists(st.sampled_from(["%", "%7b", "%3D", "%0A", *"aF09_+=\r\n \t."])).map("".join))
def test_a_form_is_decoded_as_by_everybody(value: str) -> None:
    try:
        decoded = body_module._unquoted(value.encode())
    except Malformed:
        assert re.search("%(?![0-9a-fA-F]{2})", value)
    else:
        assert decoded == unquote_to_bytes(value.replace("+", " "))


def test_a_form_is_decoded_once() -> None:
    payload = github_push(ref="refs/heads/a+b%2Bc&d=ü", pusher={"name": "Ada Author"})
    push = the_push(payload, form=True)
    assert (push.branch, push.pusher) == ("a+b%2Bc&d=ü", "Ada Author")
    fields, body = signed(payload, form=True)
    body = b"x=1&" + body
    fields = headers(body, SECRET, form=True)
    assert read(raw(fields), body, Keys((SECRET,)), now=NOW).pushes


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def answered(fields: Headers, body: bytes) -> None:
    """There is a delivery or a refusal, and nothing else."""
    try:
        pushes = read(fields, body, Keys(unsigned=True), now=NOW).pushes
    except Refusal:
        pushes = ()
    for push in pushes:
        assert push.ref.startswith("refs/")
        assert push.urls
        for revision in (push.before, push.after):
            assert revision is None or len(revision) in {40, 64}


@given(
    changes=st.dictionaries(st.sampled_from(list(FITTING)), anything),
    inside=st.dictionaries(st.sampled_from(["clone_url", "url", "full_name"]), anything),
)
def test_any_payload_is_answered(changes: dict[str, Any], inside: dict[str, Any]) -> None:
    payload = github_push()
    payload["repository"] |= inside
    fields, body = signed(payload | changes)
    answered(raw(fields), body)


@given(
    fields=st.lists(
        st.tuples(
            st.sampled_from(
                [b"content-type", b"x-github-event", b"x-github-delivery", b"x-github-hook-id"]
            )
            | st.binary(max_size=10),
            st.sampled_from(
                [b"application/json", b"application/x-www-form-urlencoded", b"push", b"ping"]
            )
            | st.binary(max_size=20),
        ),
        max_size=6,
    ),
    body=st.binary(max_size=60)
    | st.sampled_from([GOOD.encode(), signed(github_push(), form=True)[1]])
    | st.tuples(st.integers(0, 900), st.binary(max_size=3)).map(
        lambda cut: GOOD.encode()[: cut[0]] + cut[1] + GOOD.encode()[cut[0] :]
    ),
)
def test_any_request_is_answered(fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    answered(Headers(fields), body)


@pytest.mark.parametrize(
    "origin",
    [
        "https://user:hunter2@github.com/org/course.git",
        "git@github.com:org/course",
        "ssh://git@forge.example:2222/org/sub/course.git",
        "/srv/git/my course.git",
        "file:///srv/git/course",
    ],
)
def test_what_we_compose_leads_back_to_the_origin(origin: str) -> None:
    fields, body = compose(announced(origin))
    assert b"hunter2" not in body
    delivery = read(raw(fields), body, Keys((SECRET,)), now=NOW)
    (push,) = delivery.pushes
    assert {canonical(url) for url in push.urls} == {canonical(origin)}
    assert (push.branch, push.before, push.after) == ("main", BEFORE, AFTER)
    assert delivery.delivery_id == "one"


def test_a_composed_ping_is_one() -> None:
    fields, body = compose(replace(announced(URL), ping=True))
    assert read(raw(fields), body, Keys((SECRET,)), now=NOW).ping


def test_nothing_is_composed_for_what_is_no_remote() -> None:
    with pytest.raises(GitreloadError, match=r"^\.\./course names no repository"):
        compose(announced("../course"))
