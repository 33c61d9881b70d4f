"""What a hostile input is, and how they are built."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

SECRET = b"correct-horse-battery-staple"
NEXT_SECRET = b"the-secret-that-comes-next"  # in a file, as while secrets are changed
OTHER_SECRET = b"a secret of one repository"
PASSWORD = b"a password: with a colon"
SIGNING_KEY = b"four and twenty blackbirds"
SIGNING = b"whsec_" + base64.b64encode(SIGNING_KEY)
ALL_SECRETS = (SECRET, NEXT_SECRET, OTHER_SECRET, PASSWORD, SIGNING_KEY, SIGNING)

# The canonical identity, besides its own remote, of the checkout `course`.
COURSE = "https://github.com/Org/course"

Fields = Iterable[tuple[str | bytes, str | bytes]]


@dataclass(frozen=True)
class Place:
    """What a case may know of the server that it attacks."""

    url: str  # of the remote of `course`
    outside: str  # the URL of a repository that is not cloned here, but could be read
    token: str  # lets readers in


@dataclass(frozen=True)
class Case:
    """`send` builds the bytes that go over the wire.

    `statuses` are of all replies that come. `says` is in the last one's `msg`. `jobs` are the
    directories that get one; there must be no others. `plain`: the reply is none of a hook's.
    """

    name: str
    send: Callable[[Place], Iterable[bytes]]
    statuses: tuple[int, ...]
    says: str = ""
    jobs: frozenset[str] = frozenset()
    plain: bool = False

    def __str__(self) -> str:
        return self.name


def hmac_hex(body: bytes, secret: bytes = SECRET, kind: str = "sha256") -> str:
    return hmac.new(secret, body, kind).hexdigest()


def raw(value: str | bytes) -> bytes:
    return value.encode("latin-1") if isinstance(value, str) else value


def request(
    fields: Fields = (),
    body: bytes = b"",
    *,
    method: str = "POST",
    path: str | bytes = "/update",
    last: bool = True,
) -> bytes:
    """One whole request; with `last` it asks for the connection's end."""
    head = [
        raw(method) + b" " + raw(path) + b" HTTP/1.1",
        b"Host: gitreload.example",
        b"Content-Length: %d" % len(body),
        *([b"Connection: close"] if last else []),
        *(raw(name) + b": " + raw(value) for name, value in fields),
    ]
    return b"\r\n".join([*head, b"", body])


def bare(*lines: str | bytes, body: bytes = b"") -> bytes:
    """A request as written, line by line, with nothing added but the line ends."""
    return b"\r\n".join([*map(raw, lines), b"", body])


def push(url: str = COURSE, ref: Any = "refs/heads/main", **changes: Any) -> dict[str, Any]:
    """GitHub's payload, cut down to what is read of it."""
    repository = {"full_name": "Org/course", "clone_url": url, **changes.pop("repository", {})}
    facts = {"before": "1f" * 20, "after": "2e" * 20, "pusher": {"name": "ada"}}
    return {"ref": ref, "repository": repository, **facts, **changes}


def github(
    body: bytes,
    *,
    event: str | bytes = "push",
    content_type: str | bytes | None = JSON,
    signature: str | bytes | None = None,
    more: Fields = (),
    without: str = "",
    path: str | bytes = "/update",
    last: bool = True,
) -> bytes:
    """A request of GitHub's; genuine, unless `signature` is given or a field is left out."""
    fields: dict[str | bytes, str | bytes] = {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": f"sha256={hmac_hex(body)}" if signature is None else signature,
    }
    if content_type is not None:
        fields["Content-Type"] = content_type
    fields.pop(without, None)
    return request([*fields.items(), *more], body, path=path, last=last)


def encoded(payload: Any) -> bytes:
    return json.dumps(payload).encode()


def of(
    fields: Mapping[str, str | bytes],
    payload: Any,
    *,
    path: str = "/update",
    content_type: str = JSON,
) -> bytes:
    """A request of any forge."""
    body = payload if isinstance(payload, bytes) else encoded(payload)
    return request([("Content-Type", content_type), *fields.items()], body, path=path)


_numbers = itertools.count()


def standard(
    body: bytes,
    *,
    number: str | None = None,
    stamp: str | None = None,
    key: bytes = SIGNING_KEY,
    form: str = "v1,{}",
    signed: bytes | None = None,
    leave_out: str = "",
    fields: Mapping[str, str | bytes] | None = None,
) -> bytes:
    """A request after the Standard Webhooks specification, genuine unless told otherwise.

    `form` has `{}` for the Base64 of the HMAC over `signed`.
    """
    number = f"msg_{next(_numbers)}" if number is None else number
    stamp = str(int(time.time())) if stamp is None else stamp
    text = f"{number}.{stamp}.".encode("latin-1") + body if signed is None else signed
    mac = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    sent: dict[str, str | bytes] = {
        "webhook-id": number,
        "webhook-timestamp": stamp,
        "webhook-signature": form.replace("{}", mac),
        **(fields or {}),
    }
    sent.pop(leave_out, None)
    return of(sent, body)


def told(url: str = COURSE, ref: str = "refs/heads/main", **data: Any) -> bytes:
    """The payload of a generic sender."""
    return encoded({"type": "push", "data": {"ref": ref, "repository": {"clone_url": url}, **data}})
