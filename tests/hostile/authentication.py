"""Attacks on the proof that a forge sent a request: missing, forged, borrowed, old, weak ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote_plus

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hostile.cases import (
    COURSE,
    FORM,
    NEXT_SECRET,
    SECRET,
    SIGNING,
    Case,
    encoded,
    github,
    hmac_hex,
    of,
    push,
    request,
    standard,
    told,
)

PUSH = encoded(push())
RIGHT = f"sha256={hmac_hex(PUSH)}"
WRONG = f"sha256={hmac_hex(PUSH, b'a secret that is another')}"
GITLAB = {
    "object_kind": "push",
    "ref": "refs/heads/main",
    "project": {"git_http_url": COURSE, "path_with_namespace": "Org/course"},
}
GITEE = push()
AZURE = {
    "eventType": "git.push",
    "id": "1",
    "resource": {
        "refUpdates": [{"name": "refs/heads/main"}],
        "repository": {"remoteUrl": COURSE},
    },
}
BITBUCKET = {
    "repository": {"full_name": "Org/course", "links": {"html": {"href": COURSE}}},
    "push": {"changes": [{"new": {"type": "branch", "name": "main"}}]},
}
SOURCEHUT = {
    "data": {
        "webhook": {
            "repository": {"name": "course", "owner": {"canonicalName": "~org"}},
            "updates": [{"ref": {"name": "refs/heads/main"}}],
        }
    }
}


GUESSED = (
    "the signature (X-Hub-Signature-256) was made with another secret: compare this hook's secret"
)


def _with_wrong(place: int) -> str:
    """The right signature, but for one digit."""
    digits = list(RIGHT)
    digits[place] = "0" if digits[place] != "0" else "1"
    return "".join(digits)


def refused(
    name: str, build: Callable[[], bytes], says: str = "", statuses: tuple[int, ...] = (401,)
) -> Case:
    return Case(name, lambda _: [build()], statuses, says)


def taken(name: str, build: Callable[[], bytes]) -> Case:
    """What looks like an attack and is none: it must not be refused, or hooks break."""
    return Case(name, lambda _: [build()], (200,), "update of course", frozenset({"course"}))


def signature(name: str, value: str | bytes, says: str = "malformed") -> Case:
    """GitHub's push with this signature."""
    return refused(name, lambda: github(PUSH, signature=value), says)


def gitlab(**fields: str) -> bytes:
    sent = {name.replace("_", "-"): value for name, value in fields.items()}
    return of({"X-Gitlab-Event": "Push Hook", **sent}, GITLAB)


def gitee(token: str, stamp: str | None = None, *, payload: Any = GITEE) -> bytes:
    fields: dict[str, str | bytes] = {"X-Gitee-Event": "Push Hook", "X-Gitee-Token": token}
    return of(fields | ({} if stamp is None else {"X-Gitee-Timestamp": stamp}), payload)


def gitee_signed(stamp: str) -> tuple[str, str]:
    """Signature and time."""
    mac = hmac.new(SECRET, stamp.encode() + b"\n" + SECRET, hashlib.sha256)
    return base64.b64encode(mac.digest()).decode(), stamp


def gitea(body: bytes, value: str, content_type: str = "application/json", **fields: str) -> bytes:
    sent = {name.replace("_", "-"): text for name, text in fields.items()}
    headers = {"X-Gitea-Event": "push", "X-Gitea-Signature": value, **sent}
    return of(headers, body, content_type=content_type)


def gogs(secret: Any, **fields: str) -> bytes:
    sent = {name.replace("_", "-"): text for name, text in fields.items()}
    return of({"X-Gogs-Event": "push", **sent}, push() | {"secret": secret})


def sourcehut(
    *,
    key: bytes = b"the seed of an intruder's key..!",
    nonce: str | None = "abc123",
    shift: int = 0,
) -> bytes:
    body = encoded(SOURCEHUT)
    private = Ed25519PrivateKey.from_private_bytes(key)
    signed = private.sign(body + (nonce or "").encode())
    fields = {
        "X-Webhook-Event": "GIT_POST_RECEIVE",
        "X-Payload-Signature": base64.b64encode(signed).decode(),
    }
    if nonce is not None:
        fields["X-Payload-Nonce"] = nonce[shift:]
    return of(fields, body)


def seconds(offset: float) -> str:
    return str(int(time.time() + offset))


def milliseconds(offset: float) -> str:
    return str(int((time.time() + offset) * 1000))


def form_of(text: bytes) -> bytes:
    return b"payload=" + quote_plus(text).encode()


SIGNATURES = (
    refused(
        "no signature at all",
        lambda: github(PUSH, without="X-Hub-Signature-256"),
        "the signature (X-Hub-Signature-256) is missing",
    ),
    refused(
        "the signature in the address instead",
        lambda: github(PUSH, without="X-Hub-Signature-256", path=f"/update?signature={RIGHT}"),
        "missing",
    ),
    refused(
        "the secret itself in the address",
        lambda: github(
            PUSH, without="X-Hub-Signature-256", path=f"/update?secret={SECRET.decode()}"
        ),
        "missing",
    ),
    refused(
        "no event either, as a script would send it",
        lambda: request([("Content-Type", "application/json")], PUSH),
        "missing",
    ),
    signature("an empty signature, as Gitea's without a secret", "", "missing"),
    signature("a signature of blanks", " \t ", "missing"),
    signature("nothing but the name of the digest", "sha256="),
    signature("the beginning of the right digest", RIGHT[:-2]),
    # Whoever guesses digit by digit learns nothing: how much of it is right changes no answer.
    signature("a digest of which the first digit is wrong", _with_wrong(7), GUESSED),
    signature("a digest of which the last digit is wrong", _with_wrong(-1), GUESSED),
    signature("a digest of which all digits are wrong", WRONG, GUESSED),
    signature("more than the right digest", RIGHT + "00"),
    signature("half a byte", RIGHT[:-1]),
    signature("a second equals sign", RIGHT.replace("=", "=a=")),
    signature("no equals sign", RIGHT.replace("=", "")),
    signature("another name of the digest", RIGHT.replace("sha256", "SHA256")),
    signature("a digest that is no hex", "sha256=" + "g" * 64),
    signature("a digest in digits of another script", "sha256=" + "\xb2" * 64),
    signature("bytes that are no text", b"sha256=\xff\xfe" + b"\x80" * 62),
    signature("a space before the digest", RIGHT.replace("=", "= ")),
    signature("a wrong and the right signature in one field", f"{WRONG}, {RIGHT}"),
    signature("the right signature twice in one field", f"{RIGHT}, {RIGHT}"),
    signature("SHA-1 under the name of SHA-256", f"sha1={hmac_hex(PUSH, kind='sha1')}"),
    signature("MD5", f"md5={hmac_hex(PUSH, kind='md5')}"),
    signature("SHA-512", f"sha512={hmac_hex(PUSH, kind='sha512')}"),
    signature("a hash without the secret", f"sha256={hashlib.sha256(PUSH).hexdigest()}", "another"),
    signature(
        "a hash with the secret before the body",
        f"sha256={hashlib.sha256(SECRET + PUSH).hexdigest()}",
        "another secret",
    ),
    signature("an HMAC without a key", f"sha256={hmac_hex(PUSH, b'')}", "another secret"),
    signature("the secret itself for a digest", f"sha256={SECRET.decode()}"),
    signature("a signature of no body", f"sha256={hmac_hex(b'')}", "another secret"),
    signature("a kilobyte of digest", "sha256=" + "0" * 1024),
    signature(
        "a signing key, used as text",
        f"sha256={hmac_hex(PUSH, SIGNING)}",
        "another secret",
    ),
    refused(
        "a wrong signature beside the right one",
        lambda: github(PUSH, signature=WRONG, more=[("X-Hub-Signature-256", RIGHT)]),
        "malformed",
    ),
    refused(
        "the right signature beside a wrong one",
        lambda: github(PUSH, more=[("x-hub-signature-256", WRONG)]),
        "malformed",
    ),
    refused(
        "SHA-1 alone",
        lambda: github(
            PUSH,
            without="X-Hub-Signature-256",
            more=[("X-Hub-Signature", f"sha1={hmac_hex(PUSH, kind='sha1')}")],
        ),
        "SHA-1",
    ),
    refused(
        "a name of the field with underscores",
        lambda: github(PUSH, without="X-Hub-Signature-256", more=[("X_Hub_Signature_256", RIGHT)]),
        "missing",
    ),
    refused("a body with one byte more", lambda: github(PUSH + b" ", signature=RIGHT), "another"),
    refused(
        "a body that was encoded anew",
        lambda: github(PUSH.replace(b": ", b":"), signature=RIGHT),
        "another secret",
    ),
    refused(
        "what is malformed, from someone who proves nothing",
        lambda: github(b"{" * 1000, signature=WRONG),
        "another secret",
    ),
    refused(
        "a form of which the JSON is signed",
        lambda: github(form_of(PUSH), content_type=FORM, signature=RIGHT),
        "is of the JSON in the form",
    ),
    taken(
        "the next secret, while the hooks are given it",
        lambda: github(PUSH, signature=f"sha256={hmac_hex(PUSH, NEXT_SECRET)}"),
    ),
    taken("hex in upper case", lambda: github(PUSH, signature=f"sha256={hmac_hex(PUSH).upper()}")),
)

OTHER_FORGES = (
    refused("GitLab without a token", gitlab, "missing"),
    refused("GitLab, an empty token", lambda: gitlab(X_Gitlab_Token=""), "missing"),
    refused(
        "GitLab, the beginning of the token", lambda: gitlab(X_Gitlab_Token=SECRET.decode()[:-1])
    ),
    refused(
        "GitLab, the token in another case", lambda: gitlab(X_Gitlab_Token=SECRET.decode().upper())
    ),
    refused("GitLab, a signing key for a token", lambda: gitlab(X_Gitlab_Token=SIGNING.decode())),
    refused("GitLab, a token that is no ASCII", lambda: gitlab(X_Gitlab_Token="\xe9" * 28)),
    refused(
        "GitLab, the right token beside a wrong signature",
        lambda: standard(
            encoded(GITLAB),
            key=b"another",
            fields={"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": SECRET.decode()},
        ),
        "signature",
    ),
    refused(
        "GitLab, the right signature beside a wrong token",
        lambda: standard(
            encoded(GITLAB), fields={"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": "another"}
        ),
        "token",
    ),
    refused(
        "GitLab, the token of a GitHub delivery whose signature is wrong",
        lambda: of(
            {
                "X-GitHub-Event": "push",
                "X-Hub-Signature-256": WRONG,
                "X-Gitlab-Token": SECRET.decode(),
            },
            PUSH,
        ),
        "another forge",
    ),
    refused(
        "the weak token of Gitee on GitHub's headers",
        lambda: of({"X-GitHub-Event": "push", "X-Gitee-Token": SECRET.decode()}, PUSH),
        "another forge",
    ),
    refused(
        "GitHub's signature on GitLab's headers",
        lambda: of({"X-Gitlab-Event": "Push Hook", "X-Hub-Signature-256": RIGHT}, PUSH),
        "another forge",
    ),
    refused(
        "the token of Azure DevOps on GitHub's headers",
        lambda: of({"X-GitHub-Event": "push", "X-Gitreload-Token": SECRET.decode()}, PUSH),
        "another forge",
    ),
    refused(
        "an address that names a forge with a weaker check",
        lambda: github(PUSH, path="/update?forge=gitee"),
        "another forge",
    ),
    refused(
        "an address that names a forge that there is not, without a proof",
        lambda: github(PUSH, signature=WRONG, path="/update?forge=__class__"),
    ),
    refused(
        "Gitee, a wrong password",
        lambda: gitee("another password"),
        "neither one of WEBHOOK_SECRETS",
    ),
    refused(
        "Gitee, a signature of an hour ago",
        lambda: gitee(*gitee_signed(milliseconds(-3600))),
        "s old",
    ),
    refused(
        "Gitee, a signature of another time",
        lambda: gitee(gitee_signed(milliseconds(-3600))[0], milliseconds(0)),
    ),
    refused(
        "Gitee, a time in seconds",
        lambda: gitee(*gitee_signed(seconds(0))),
        "s old",
    ),
    refused("Gitee, a signature without its time", lambda: gitee(gitee_signed(milliseconds(0))[0])),
    refused(
        "Gitea, empty signatures of every kind",
        lambda: gitea(PUSH, "", X_Hub_Signature_256="sha256=", X_Gogs_Signature=""),
        "missing",
    ),
    refused(
        "Gitea, one of two signatures wrong",
        lambda: gitea(PUSH, hmac_hex(PUSH), X_Hub_Signature_256=WRONG),
    ),
    refused("Gitea, GitHub's prefix", lambda: gitea(PUSH, RIGHT), "malformed"),
    refused(
        "Gitea, a signature of the form",
        lambda: gitea(form_of(PUSH), hmac_hex(form_of(PUSH)), FORM),
        "is of the form",
    ),
    refused("Gogs, a wrong secret in the body", lambda: gogs("another secret"), "in the body"),
    refused("Gogs, an empty secret in the body", lambda: gogs(""), "missing"),
    refused("Gogs, a secret that is a list", lambda: gogs([SECRET.decode()]), "missing"),
    refused(
        "Gogs, the right secret in the body beside a wrong signature",
        lambda: gogs(SECRET.decode(), X_Gogs_Signature="0" * 64),
    ),
    refused(
        "Gitea, Gogs' secret in the body",
        lambda: of(
            {"X-Gitea-Event": "push", "X-Gogs-Event": "push"}, push() | {"secret": SECRET.decode()}
        ),
        "missing",
    ),
    refused(
        "Bitbucket, the hook's UUID alone",
        lambda: of({"X-Event-Key": "repo:push", "X-Hook-UUID": "{1}"}, BITBUCKET),
        "missing",
    ),
    refused(
        "Bitbucket, SHA-1",
        lambda: of(
            {
                "X-Event-Key": "repo:push",
                "X-Hook-UUID": "{1}",
                "X-Hub-Signature": f"sha1={hmac_hex(encoded(BITBUCKET), kind='sha1')}",
            },
            BITBUCKET,
        ),
        "malformed",
    ),
    refused(
        "Azure DevOps, Basic credentials while none are configured",
        lambda: of(
            {
                "X-Vss-ActivityId": "1",
                "Authorization": "Basic " + base64.b64encode(b"gitreload:" + SECRET).decode(),
            },
            AZURE,
        ),
        "BASIC_AUTH",
    ),
    refused(
        "Azure DevOps, the token twice",
        lambda: request(
            [
                ("Content-Type", "application/json"),
                ("X-Vss-ActivityId", "1"),
                ("X-Gitreload-Token", SECRET),
                ("X-Gitreload-Token", SECRET),
            ],
            encoded(AZURE),
        ),
    ),
    refused("SourceHut, signed by somebody", sourcehut, "no SourceHut instance"),
    refused("SourceHut, no nonce", lambda: sourcehut(nonce=None), "nonce"),
    refused("SourceHut, a nonce with a brace", lambda: sourcehut(nonce='"}'), "nonce"),
    refused("SourceHut, the border of the nonce moved", lambda: sourcehut(shift=1)),
)


def signed_standard(name: str, says: str = "", **how: Any) -> Case:
    return refused(name, lambda: standard(told(), **how), says)


STANDARD = (
    refused(
        "Standard Webhooks, six minutes old",
        lambda: standard(told(), stamp=seconds(-360)),
        "s old",
    ),
    refused(
        "Standard Webhooks, six minutes ahead",
        lambda: standard(told(), stamp=seconds(360)),
        "ahead",
    ),
    signed_standard("Standard Webhooks, no time", "timestamp", leave_out="webhook-timestamp"),
    signed_standard("Standard Webhooks, a negative time", "timestamp", stamp="-1"),
    signed_standard("Standard Webhooks, a time of 5,000 digits", "timestamp", stamp="9" * 5000),
    refused(
        "Standard Webhooks, a time with underscores",
        lambda: standard(told(), stamp=f"{int(time.time()):_}"),
        "timestamp",
    ),
    refused(
        "Standard Webhooks, a time with a fraction",
        lambda: standard(told(), stamp=str(time.time())),
        "timestamp",
    ),
    refused(
        "Standard Webhooks, a time with a sign",
        lambda: standard(told(), stamp="+" + seconds(0)),
        "timestamp",
    ),
    signed_standard(
        "Standard Webhooks, digits of another script", "timestamp", stamp="\xb9\xb2\xb3"
    ),
    signed_standard("Standard Webhooks, no id", "id", leave_out="webhook-id"),
    signed_standard("Standard Webhooks, a dot in the id", "id", number="msg.1"),
    signed_standard("Standard Webhooks, an id of a kilobyte", "id", number="m" * 1024),
    signed_standard("Standard Webhooks, a signature of the body alone", "another", signed=told()),
    signed_standard("Standard Webhooks, no version", "malformed", form="{}"),
    signed_standard("Standard Webhooks, a version to come", "malformed", form="v2,{}"),
    signed_standard("Standard Webhooks, an empty signature", "malformed", form="v1,"),
    signed_standard("Standard Webhooks, sloppy Base64", "malformed", form="v1,!!!!{}"),
    signed_standard("Standard Webhooks, HMAC as Ed25519", "malformed", form="v1a,{}"),
    signed_standard(
        "Standard Webhooks, 10,000 signatures", "malformed", form="v1,AAAA " * 6000 + "v1,{}"
    ),
    signed_standard(
        "Standard Webhooks, the secret's text for its key", "another secret", key=SIGNING
    ),
    signed_standard("Standard Webhooks, a plain secret for a key", "another secret", key=SECRET),
    refused(
        "Standard Webhooks, the same proof for another body",
        lambda: standard(told(after="2e" * 20), signed=b"msg_x.1." + told()),
        "another secret",
    ),
    signed_standard(
        "Standard Webhooks, a signature of two headers",
        form="v1,{}",
        fields={"X-Hub-Signature-256": RIGHT},
    ),
    refused(
        "Standard Webhooks, an empty key",
        lambda: standard(told(), key=b""),
        "another secret",
    ),
)


def reader(name: str, *fields: tuple[str, str], path: str = "/queue") -> Case:
    """Somebody who is not on this machine, or wants to seem so, and looks at the queue."""
    sent = [("X-Forwarded-For", "203.0.113.7"), *fields]
    return Case(name, lambda _: [request(sent, method="GET", path=path)], (401,), "token")


READERS = (
    reader("the queue, through a proxy"),
    reader("the queue, a forged way through this machine", ("X-Forwarded-For", "127.0.0.1")),
    reader("the queue, a wrong token", ("Authorization", "Bearer another")),
    reader("the queue, an empty token", ("Authorization", "Bearer ")),
    reader("the queue, no scheme", ("Authorization", "Bearer")),
    reader(
        "the queue, a secret of a hook as the token", ("Authorization", f"Bearer {SECRET.decode()}")
    ),
    reader("the queue, a token that is no ASCII", ("Authorization", "Bearer \xe9\xff")),
    Case(
        "the queue, the token as a password",
        lambda place: [
            request(
                [
                    ("Forwarded", "for=203.0.113.7"),
                    ("Authorization", "Basic " + base64.b64encode(place.token.encode()).decode()),
                ],
                method="GET",
                path="/queue",
            )
        ],
        (401,),
        "token",
    ),
    Case(
        "the queue, the token in the address",
        lambda place: [
            request([("Forwarded", "")], method="GET", path=f"/queue?token={place.token}")
        ],
        (401,),
        "token",
    ),
    Case(
        "the queue, two tokens of which one is right",
        lambda place: [
            request(
                [
                    ("Forwarded", "for=_hidden"),
                    ("Authorization", f"Bearer {place.token}"),
                    ("Authorization", "Bearer another"),
                ],
                method="GET",
                path="/queue",
            )
        ],
        (401,),
        "token",
    ),
)


def flood() -> Iterable[bytes]:
    for _ in range(49):
        yield github(PUSH, signature=WRONG, last=False)
    yield github(PUSH, signature=WRONG)


def replayed() -> list[bytes]:
    heard = github(PUSH, last=False)
    return [heard, heard.replace(b"Content-Length", b"Connection: close\r\nContent-Length", 1)]


FLOODS = (
    Case("more tries on a connection after the first", lambda _: flood(), (401,)),
    Case(
        "a delivery that was listened to, sent again",
        lambda _: replayed(),
        (200, 200),
        "update of course",
        frozenset({"course"}),
    ),
)

CASES = (*SIGNATURES, *OTHER_FORGES, *STANDARD, *READERS, *FLOODS)
