"""Nothing is parsed, let alone obeyed, before it is proven to come from the forge."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.forges import NOW, SECRET, raw
from fakes.github import github_push, signed
from gitreload.forges import Headers, Keys, Refusal, read

SIGNATURE = "X-Hub-Signature-256"
OTHER = b"another secret of good length"


def refused(
    headers: dict[str, str] | Headers,
    body: bytes,
    secrets: tuple[bytes, ...],
    *,
    unsigned: bool = False,
) -> Refusal:
    fields = headers if isinstance(headers, Headers) else raw(headers)
    with pytest.raises(Refusal) as caught:
        read(fields, body, Keys(secrets, unsigned=unsigned), now=NOW)
    return caught.value


@pytest.mark.parametrize("form", [False, True])
@pytest.mark.parametrize("secrets", [(SECRET,), (OTHER, SECRET), (SECRET, OTHER)])
def test_any_of_the_secrets_proves_a_delivery(secrets: tuple[bytes, ...], form: bool) -> None:
    headers, body = signed(github_push(), form=form)
    assert read(raw(headers), body, Keys(secrets), now=NOW).pushes


def test_the_hex_digits_may_be_upper_case() -> None:
    headers, body = signed(github_push())
    headers[SIGNATURE] = "sha256=" + headers[SIGNATURE].removeprefix("sha256=").upper()
    assert read(raw(headers), body, Keys((SECRET,)), now=NOW).pushes


RIGHT = "0" * 64  # replaced by the right digest


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "no signature"),
        ("", "no signature"),
        ("sha256=", "malformed signature"),
        ("sha256= ", "malformed signature"),
        (" ", "malformed signature"),
        ("=", "malformed signature"),
        (RIGHT, "malformed signature"),
        (f"sha256={RIGHT[:-1]}", "malformed signature"),
        (f"sha256={RIGHT}0", "malformed signature"),
        (f"sha256={RIGHT}\n", "malformed signature"),
        (f" sha256={RIGHT}", "malformed signature"),
        (f"sha256=a={RIGHT}", "malformed signature"),
        (f"SHA256={RIGHT}", "malformed signature"),
        (f"sha1={RIGHT[:40]}", "malformed signature"),
        (f"md5={RIGHT[:32]}", "malformed signature"),
        (f"sha256={RIGHT},sha256={RIGHT}", "malformed signature"),
        ("sha256=" + "\xb2" * 64, "malformed signature"),
        ("sha256=" + "g" * 64, "malformed signature"),
        ("sha256=" + "f" * 64, "wrong secret"),
    ],
)
def test_signatures_that_prove_nothing(value: str | None, why: str) -> None:
    headers, body = signed(github_push())
    digest = headers.pop(SIGNATURE).removeprefix("sha256=")
    if value is not None:
        headers[SIGNATURE] = value.replace(RIGHT, digest).replace(RIGHT[:-1], digest[:-1])
    refusal = refused(headers, body, (SECRET,))
    assert (refusal.status, refusal.why) == (401, why)


def test_a_signature_sent_twice_is_malformed_even_if_both_are_right() -> None:
    headers, body = signed(github_push())
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    twice = (SIGNATURE.lower().encode(), headers[SIGNATURE].encode())
    refusal = refused(Headers([*fields, twice]), body, (SECRET,))
    assert (refusal.status, refusal.why) == (401, "malformed signature")


def test_sha1_alone_is_not_enough() -> None:
    headers, body = signed(github_push(), secret=None)
    headers["X-Hub-Signature"] = "sha1=" + hmac.new(SECRET, body, hashlib.sha1).hexdigest()
    refusal = refused(headers, body, (SECRET,))
    assert (refusal.status, refusal.why) == (401, "SHA-1 only")
    headers[SIGNATURE] = ""
    assert refused(headers, body, (SECRET,)).why == "no signature"


def test_a_wrong_secret_is_refused_before_the_body_is_read() -> None:
    headers, _ = signed(github_push(), secret=OTHER)
    refusal = refused(headers, b"\xff not json", (SECRET,))
    assert (refusal.status, refusal.why) == (401, "wrong secret")


def test_the_signature_covers_the_form_as_sent_not_the_json_in_it() -> None:
    form_headers, form = signed(github_push(), form=True)
    json_headers, _ = signed(github_push())
    form_headers[SIGNATURE] = json_headers[SIGNATURE]
    assert refused(form_headers, form, (SECRET,)).why == "signed over another body"


def test_an_empty_secret_proves_nothing() -> None:
    headers, body = signed(github_push(), secret=b"")
    assert refused(headers, body, (b"", SECRET)).why == "wrong secret"


def test_without_secrets_only_unsigned_mode_reads_and_looks_at_no_signature() -> None:
    headers, body = signed(github_push())
    headers[SIGNATURE] = "sha256=nonsense"
    assert read(raw(headers), body, Keys(unsigned=True), now=NOW).pushes
    refusal = refused(headers, body, (), unsigned=False)
    assert (refusal.status, refusal.why) == (401, "no secret configured")
    assert "WEBHOOK_SECRETS" in str(refusal)


def test_unsigned_mode_does_not_weaken_a_configured_secret() -> None:
    headers, body = signed(github_push(), secret=None)
    assert refused(headers, body, (SECRET,), unsigned=True).status == 401


@given(body=st.binary(max_size=200), value=st.text(st.characters(max_codepoint=255)))
def test_no_forged_signature_gets_through(body: bytes, value: str) -> None:
    headers, _ = signed({})
    headers[SIGNATURE] = value
    assert refused(headers, body, (SECRET,)).status == 401


def test_a_refusal_names_the_hook_and_never_the_secret() -> None:
    headers, body = signed(github_push(), secret=OTHER)
    headers["X-GitHub-Hook-ID"] = "292430182"
    headers["X-GitHub-Hook-Installation-Target-ID"] = "79929171"
    refusal = refused(headers, body, (SECRET,))
    assert (refusal.forge, refusal.hook, refusal.claimed) == (
        "github",
        "292430182",
        "repository 79929171",
    )
    shown = f"{refusal!r} {vars(refusal)} {refusal}"
    for hidden in (SECRET.decode(), OTHER.decode(), headers[SIGNATURE].removeprefix("sha256=")):
        assert hidden not in shown
    assert refusal.__cause__ is None


@pytest.mark.parametrize("value", ["", "x" * 129, "a\nb", "\x1b[31m", "é", "\x00"])
def test_what_is_unfit_to_be_shown_is_not(value: str) -> None:
    headers, body = signed(github_push(), secret=OTHER)
    headers["X-GitHub-Hook-ID"] = headers["X-GitHub-Delivery"] = value
    assert refused(headers, body, (SECRET,)).hook is None
    headers, body = signed(github_push())
    headers["X-GitHub-Hook-ID"] = headers["X-GitHub-Delivery"] = value
    delivery = read(raw(headers), body, Keys((SECRET,)), now=NOW)
    assert (delivery.hook, delivery.delivery_id) == (None, None)


def test_headers_are_found_by_name_and_repeated_ones_joined() -> None:
    fields: list[Any] = [(b"x-one", b"1"), (b"x-two", b"a"), (b"x-two", b"\xe9")]
    headers = Headers(fields)
    assert headers.get("x-one") == "1"
    assert headers.get("x-two") == "a, \xe9"
    assert headers.get("x-three") is None
    assert headers.fit((b"x-three", b"x-two", b"x-one")) == (("x-one", "1"),)
