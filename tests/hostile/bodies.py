"""Attacks on what reads a body: content types, forms, JSON, and values of any type in any place.

All are signed: whoever has a secret must not be able to do more than push.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

from hostile.cases import COURSE, FORM, JSON, SECRET, Case, encoded, github, hmac_hex, of, push

PUSH = encoded(push())
TEXT = PUSH.decode()


def malformed(name: str, build: Callable[[], bytes], says: str = "cannot be read") -> Case:
    return Case(name, lambda _: [build()], (400,), says)


def taken(name: str, build: Callable[[], bytes]) -> Case:
    return Case(name, lambda _: [build()], (200,), "update of course", frozenset({"course"}))


def ignored(
    name: str, build: Callable[[], bytes], says: str = "ignored", status: int = 200
) -> Case:
    return Case(name, lambda _: [build()], (status,), says)


def typed(name: str, content_type: str | bytes | None, says: str = "Content-Type") -> Case:
    return malformed(name, lambda: github(PUSH, content_type=content_type), says)


def body(name: str, text: str | bytes, says: str = "cannot be read") -> Case:
    sent = text.encode() if isinstance(text, str) else text
    return malformed(name, lambda: github(sent), says)


def changed(name: str, says: str = "cannot be read", **changes: Any) -> Case:
    return malformed(name, lambda: github(encoded(push() | changes)), says)


def written(text: str) -> bytes:
    """A push with something that no library writes, after the brace."""
    return b"{" + text.encode() + b"," + PUSH[1:]


def form(text: bytes) -> bytes:
    return github(text, content_type=FORM)


PAYLOAD = b"payload=" + quote_plus(PUSH).encode()

TYPES = (
    typed("no content type", None),
    typed("two content types", f"{JSON}, {FORM}"),
    typed("a content type that is a template", "${jndi:ldap://127.0.0.1/a}"),
    typed("JSON of a kind that is not ours", "application/vnd.api+json"),
    typed("text", "text/plain"),
    typed("parts", "multipart/form-data; boundary=x"),
    typed("an unknown charset", f"{JSON}; charset=nope", "utf-8"),
    typed("UTF-16", f"{JSON}; charset=utf-16", "utf-8"),
    typed("a charset that Python would decode to bytes", f"{JSON}; charset=hex", "utf-8"),
    typed("a charset that takes long", f"{JSON}; charset=punycode", "utf-8"),
    typed("a second charset", f"{JSON}; charset=utf-8; charset=utf-7", "utf-8"),
    typed("a content type that is no text", b"\xff\xfe\x00"[:2]),
    typed("a content type of 50 kilobytes", f"{JSON}x" + "x" * 50_000),
)

FORMS = (
    malformed("a form without a payload", lambda: form(b"pay=load"), "0 fields named payload"),
    malformed(
        "a form with two payloads", lambda: form(PAYLOAD + b"&" + PAYLOAD), "2 fields named payload"
    ),
    malformed(
        "a second payload, spelled otherwise",
        lambda: form(PAYLOAD + b"&%70ayload=x"),
        "2 fields named payload",
    ),
    malformed("a million fields", lambda: form(b"a=&" * 1_000_000 + PAYLOAD), "more than 16"),
    malformed("a payload that is no JSON", lambda: form(b"payload=ref%3Dmain"), "not JSON"),
    malformed("percent signs that lead nowhere", lambda: form(b"payload=%7B%zz%"), "percent sign"),
    malformed(
        "8 MiB of percent signs", lambda: form(b"payload=" + b"%" * 8 * 1024 * 1024), "percent sign"
    ),
    malformed("an empty form", lambda: form(b""), "0 fields"),
    malformed("a form that ends a line", lambda: form(b"\r\n" + PAYLOAD), "0 fields"),
    malformed("JSON that is said to be a form", lambda: form(PUSH), "0 fields"),
    malformed(
        "a form that is said to be JSON", lambda: github(PAYLOAD, content_type=JSON), "not JSON"
    ),
    taken("a form beside which GitHub sends nothing", lambda: form(PAYLOAD)),
)

SYNTAX = (
    malformed("100,000 lists in each other", lambda: github(b"[" * 100_000), "cannot be read"),
    malformed(
        "100,000 objects in each other, where nothing is read",
        lambda: github(written('"a":' + '{"a":' * 100_000 + "1" + "}" * 100_000)),
        "nested too deep",
    ),
    malformed(
        "100,000 lists in a list of pushes",
        lambda: of(
            {"X-Gitlab-Event": "System Hook", "X-Gitlab-Token": SECRET.decode()},
            b'{"event_name":"repository_update","changes":' + b"[" * 100_000,
        ),
    ),
    body("no body", ""),
    body("a space", " "),
    body("NUL", b"\x00"),
    body("no closing brace", TEXT[:-1]),
    body("a second document", TEXT + "{}"),
    body("something behind the end", TEXT + "]"),
    body("single quotes", TEXT.replace('"', "'")),
    body("a comment", "/* */" + TEXT),
    body("a comma at the end", TEXT[:-1] + ",}"),
    body("a byte order mark", b"\xef\xbb\xbf" + PUSH),
    body("UTF-16 without a word", TEXT.encode("utf-16")),
    body("UTF-32 without a word", TEXT.encode("utf-32-be")),
    body("a list", f"[{TEXT}]"),
    body("a text", json.dumps(TEXT)),
    body("null", "null"),
    body("a number", "7"),
    body("a control character in a text", TEXT.replace("main", "ma\tin")),
    malformed(
        "a byte that is no UTF-8, where nothing is read",
        lambda: github(PUSH[:-1] + b',"a":"\xff"}'),
    ),
    malformed("UTF-8 that is too long", lambda: github(PUSH[:-1] + b',"a":"\xc0\xaf"}')),
    malformed("half of a pair, as UTF-8", lambda: github(PUSH[:-1] + b',"a":"\xed\xa0\x80"}')),
    malformed("half of a pair, escaped", lambda: github(written('"after":"\\ud800"'))),
    malformed(
        "half of a pair in the ref", lambda: github(TEXT.replace("main", "ma\\ud800in").encode())
    ),
    malformed("NaN", lambda: github(written('"a":NaN'))),
    malformed("minus infinity", lambda: github(written('"a":-Infinity'))),
    malformed("a number in hex", lambda: github(written('"a":0x10'))),
    malformed("an escape that there is not", lambda: github(written('"a":"\\x41"'))),
    taken("a number of 5,000 digits", lambda: github(written(f'"a":{"9" * 5000}'))),
    taken("a number beyond all numbers", lambda: github(written('"a":1e999999999'))),
    taken("NUL in a text that is not read", lambda: github(written('"a":"\\u0000"'))),
    malformed(
        "an unfinished text of 20 MiB", lambda: github(b'{"ref":"' + b"a" * 20 * 1024 * 1024)
    ),
    taken(
        "a text of 20 MiB of the widest characters",
        lambda: github(written('"a":"' + "\U0001f980" * 5 * 1024 * 1024 + '"')),
    ),
    taken(
        "a wide character in a body of the greatest size",
        lambda: github(written('"a":"\U0001f980' + "a" * (24 * 1024 * 1024) + '"')),
    ),
    taken(
        "a million keys",
        lambda: github(written(",".join(f'"k{number}":{number}' for number in range(1_000_000)))),
    ),
    taken("a key of a megabyte", lambda: github(written('"' + "k" * 1024 * 1024 + '":1'))),
    ignored(
        "keys that come twice: the last one counts, for the signature and for us",
        lambda: github(PUSH[:-1] + b',"ref":"refs/heads/none"}'),
        "follows main",
    ),
)

GITLAB = {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": SECRET.decode()}
SYSTEM = {"X-Gitlab-Event": "System Hook", "X-Gitlab-Token": SECRET.decode()}
GITEE = {"X-Gitee-Event": "Push Hook", "X-Gitee-Token": SECRET.decode()}
AZURE = {"X-Vss-ActivityId": "1", "X-Gitreload-Token": SECRET.decode()}
CLOUD = {"X-Event-Key": "repo:push", "X-Hook-UUID": "{1}"}
CENTER = {"X-Event-Key": "repo:refs_changed"}
REPOSITORY = {"slug": "course", "project": {"key": "ORG"}}


def bitbucket(fields: dict[str, str], payload: Any) -> bytes:
    return of(fields | {"X-Hub-Signature": f"sha256={hmac_hex(encoded(payload))}"}, payload)


def brand(name: str, event: str, payload: Any) -> bytes:
    signature = {f"X-{name}-Signature": hmac_hex(encoded(payload))}
    return of({f"X-{name}-Event": event, **signature}, payload)


def cloud(**changes: Any) -> bytes:
    payload = {
        "repository": {"full_name": "Org/course"},
        "push": {"changes": [{"new": {"type": "branch", "name": "main"}}]},
    }
    return bitbucket(CLOUD, payload | changes)


def center(**changes: Any) -> bytes:
    payload = {"repository": REPOSITORY, "changes": [{"refId": "refs/heads/main"}]}
    return bitbucket(CENTER, payload | changes)


def azure(resource: Any, **changes: Any) -> bytes:
    return of(AZURE, {"eventType": "git.push", "id": "1", "resource": resource} | changes)


VALUES = (
    changed("a repository that is null", repository=None),
    changed("a repository that is a list", repository=[COURSE]),
    changed("a repository that is its URL", repository=COURSE),
    changed("a repository without a URL", "no clone_url", repository={"full_name": "Org/course"}),
    changed("empty URLs", "no clone_url", repository={"clone_url": "", "html_url": ""}),
    changed("a URL that is a list", repository={"clone_url": [COURSE]}),
    changed("a URL that is true", repository={"clone_url": True}),
    changed("a ref that is a number", ref=1),
    changed("a ref that is a list", ref=["refs/heads/main"]),
    changed("a ref that is null", ref=None),
    changed("a revision that is a number", after=1),
    changed("a revision that is an object", before={"id": "1f" * 20}),
    changed("deleted in a word", deleted="false"),
    changed("deleted as a number", deleted=0),
    changed("a pusher that is a text", pusher="ada"),
    changed("a pusher whose name is an object", pusher={"name": {}}),
    taken("a null wherever one may be", lambda: github(encoded(push(after=None, pusher=None)))),
    malformed(
        "GitLab, no project", lambda: of(GITLAB, {"object_kind": "push", "ref": "refs/heads/main"})
    ),
    malformed("GitLab, a kind that is a list", lambda: of(GITLAB, {"object_kind": ["push"]})),
    malformed(
        "GitLab, changes that are an object",
        lambda: of(SYSTEM, {"event_name": "repository_update", "changes": {}}),
    ),
    malformed(
        "GitLab, a change that is null",
        lambda: of(SYSTEM, {"event_name": "repository_update", "changes": [None]}),
    ),
    ignored(
        "GitLab, no changes", lambda: of(SYSTEM, {"event_name": "repository_update", "changes": []})
    ),
    taken(
        "Gogs, commits and what else is not read null",
        lambda: brand("Gogs", "push", push(commits=None, sender=None)),
    ),
    malformed(
        "Gogs, a repository that is null",
        lambda: brand("Gogs", "push", push() | {"repository": None}),
    ),
    malformed(
        "Gitea, deleted is neither branch nor tag",
        lambda: brand("Gitea", "delete", push(ref="main", ref_type="__class__")),
    ),
    malformed("Gitee, the hook's id a text", lambda: of(GITEE, push(hook_id="1"))),
    malformed(
        "Gitee, the hook's id beyond all numbers",
        lambda: of(GITEE, b'{"hook_id":' + b"9" * 5000 + b"," + PUSH[1:]),
    ),
    ignored(
        "Azure DevOps, no updates",
        lambda: azure({"refUpdates": [], "repository": {"remoteUrl": COURSE}}),
    ),
    malformed("Azure DevOps, no resource", lambda: azure(None), "Resource details"),
    malformed(
        "Azure DevOps, updates that are null",
        lambda: azure({"refUpdates": None}),
        "Resource details",
    ),
    malformed(
        "Azure DevOps, an update that is a text", lambda: azure({"refUpdates": ["refs/heads/main"]})
    ),
    malformed("Azure DevOps, an event that is an object", lambda: azure({}, eventType={})),
    malformed("Azure DevOps, an id with a line end", lambda: azure({}, id="1\n2")),
    ignored("Bitbucket, no changes", lambda: cloud(push={"changes": []})),
    malformed(
        "Bitbucket, neither old nor new",
        lambda: cloud(push={"changes": [{"old": None, "new": None}]}),
    ),
    malformed("Bitbucket, changes that are null", lambda: cloud(push={"changes": None})),
    malformed(
        "Bitbucket, a link that is a text",
        lambda: cloud(repository={"full_name": "Org/course", "links": "boom"}),
    ),
    malformed("Bitbucket, a name that is a number", lambda: cloud(repository={"full_name": 7})),
    ignored(
        "Bitbucket, a kind of ref that there is not",
        lambda: cloud(push={"changes": [{"new": {"type": "../heads", "name": "main"}}]}),
    ),
    malformed(
        "Bitbucket Data Center, clone links that are a text",
        lambda: center(repository=REPOSITORY | {"links": {"clone": "boom"}}),
    ),
    malformed(
        "Bitbucket Data Center, a link that is a list",
        lambda: center(repository=REPOSITORY | {"links": {"clone": [{"href": []}]}}),
    ),
    malformed("Bitbucket Data Center, no ref", lambda: center(changes=[{"type": "UPDATE"}])),
    malformed("Bitbucket Data Center, a repository without links", center, "?repo="),
)


def event(name: str, value: str | bytes, says: str = "is not a push") -> Case:
    return ignored(name, lambda: github(PUSH, event=value), says)


EVENTS = (
    event("an event that is a name of Python's", "__class__"),
    event("an event that is a method", "handle_push"),
    event("an event in upper case", "PUSH"),
    event("two events", "push, push"),
    event("an event with a character that acts in a terminal", "\x9b2Jpush"),
    event("an event of 60 kilobytes", "push" * 15_000),
    event("an event of the reader's eye", "pu\xadsh"),
    event("no word for an event", ""),
)


def shown(name: str, says: str, status: int = 404, **changes: Any) -> Case:
    """A genuine push of nothing that is here, whose texts might reach a log or a page."""
    url = f"https://forge.example/{next(_owners)}/course"
    return ignored(name, lambda: github(encoded(push(url, **changes))), says, status)


_owners = itertools.count()

TEXTS = (
    changed(
        "a line end in the pusher's name", "control characters", pusher={"name": "ada\nERROR x"}
    ),
    changed(
        "an escape sequence in the repository's name",
        "control characters",
        repository={"full_name": "\x1b]0;x\x07", "clone_url": COURSE},
    ),
    changed(
        "a name of 5,000 characters",
        "4096",
        repository={"full_name": "a" * 5000, "clone_url": COURSE},
    ),
    changed("a URL of 5,000 characters", "4096", repository={"clone_url": COURSE + "a" * 5000}),
    shown(
        "a mark-up tag for a repository",
        "not cloned",
        repository={"full_name": "<script>alert(1)</script>"},
    ),
    shown(
        "a text that turns round in the log",
        "not cloned",
        repository={"full_name": "\u202egnp.exe\u2066"},
    ),
    shown("a formula for a table", "not cloned", pusher={"name": "=cmd|' /C calc'!A0"}),
    shown("a mention of everybody", "not cloned", pusher={"name": "<!channel> @everyone"}),
    shown(
        "a template for a log",
        "not cloned",
        pusher={"name": "${jndi:ldap://x} {0.__class__} %s %n"},
    ),
    ignored(
        "a text that turns round in a branch, which is shown",
        lambda: github(encoded(push(ref="refs/heads/\u202eniam"))),
        "\\u202eniam",
    ),
    ignored(
        "a token in the URL of a repository that is not here, but one of its name is",
        lambda: github(
            encoded(push("https://ada:correct-horse-battery-staple@forge.example/x/course"))
        ),
        "not cloned",
        404,
    ),
    Case(
        "a delivery's id that is no text",
        lambda _: [
            github(PUSH, without="X-GitHub-Delivery", more=[("X-GitHub-Delivery", b"\x80\xff")])
        ],
        (200,),
        "update of course",
        frozenset({"course"}),
    ),
    Case(
        "fields that are kept, with escape sequences",
        lambda _: [
            github(PUSH, more=[("User-Agent", "\x9b31mGitHub"), ("X-GitHub-Hook-ID", "\x9b2J")])
        ],
        (200,),
        "update of course",
        frozenset({"course"}),
    ),
)

CASES = (*TYPES, *FORMS, *SYNTAX, *VALUES, *EVENTS)
