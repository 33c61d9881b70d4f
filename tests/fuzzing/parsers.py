"""Promises of the parsers besides those of forges."""

from __future__ import annotations

import base64
import json
import logging
import re
import tempfile
import unicodedata
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import parse_qsl, quote_plus

from gitreload import config, remotes
from gitreload.addresses import UNKNOWN, Addresses, parsed
from gitreload.authority import Users
from gitreload.checkouts import gitdir
from gitreload.checkouts.gitconfig import Config, NotUnderstoodError, parse
from gitreload.config import ConfigError
from gitreload.credentials import Secret
from gitreload.forges import Headers
from gitreload.forges.body import FORM, Text, converted, json_of, tree, without
from gitreload.forges.request import Malformed
from gitreload.logs import JsonLines, Lines
from gitreload.remotes import MAX_URL

FORM_FIELDS = Headers([(b"content-type", FORM.encode())])
_SCRATCH = Path(tempfile.mkdtemp(prefix="fuzz-"))


def form(data: bytes) -> None:
    """A form is refused, or has the payload that everybody finds in it."""
    try:
        payload = json_of(FORM_FIELDS, data)
    except Malformed:
        return
    text = data.decode("latin-1")
    fields = parse_qsl(text, keep_blank_values=True, encoding="latin-1", separator="&")
    assert [value.encode("latin-1") for name, value in fields if name == "payload"] == [payload]
    without(data, ("secret",))


def url(data: bytes) -> None:
    """Any text is a URL or none, in one spelling only; what is masked has no password."""
    text = data.decode("utf-8", "surrogateescape")
    for function in (remotes.protocol, remotes.ssh_host):
        function(text)
    host = remotes.ssh_host(text)
    assert host is None or not host.startswith("-")
    masked = remotes.mask(text)
    assert remotes.mask(masked) == masked
    identity = remotes.canonical(text)
    if identity is None:
        return
    assert len(identity) <= 12 * MAX_URL  # percent signs and punycode
    assert identity.isprintable()
    local = identity.startswith("file:")
    place, _, path = identity.removeprefix("file:").partition("/")
    assert bool(place) != local
    assert not {"..", ".", ""} & set(path.split("/"))
    again = f"file://{identity[5:]}" if local else f"https://{identity}"
    if len(again) <= MAX_URL and "%" not in again:
        assert remotes.canonical(again) == identity


def json_path(data: bytes) -> None:
    """A path leads to a value of its kind, to nothing, or is refused; it reaches nothing else."""
    path, _, text = data.partition(b"\n")
    with suppress(Malformed):
        told = tree(text)
        found = converted(told, path.decode("utf-8", "replace"), Text | None)
        assert found is None or json.dumps(found) in json.dumps(told)


def git_config(data: bytes) -> None:
    """A file is read, or left to git; what is read is in it."""
    with suppress(NotUnderstoodError):
        settings = parse(data)
        found = Config(settings)
        assert all(
            found.last(key) in [value for name, value in settings if name == key]
            for key, _ in settings
        )
        found.rules()
        assert isinstance(found.rests_on_more, bool)


def head(data: bytes) -> None:
    """A HEAD names a branch, is detached, or is left to git."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(NotUnderstoodError):
        branch = gitdir._branch(text)
        assert branch is None or (f"refs/heads/{branch}" in text and "\n" not in branch)


def configuration(data: bytes) -> None:
    """A file is taken, or refused in sentences."""
    file = _SCRATCH / "gr.env.json"
    file.write_bytes(data)
    try:
        config.load({"GITRELOAD_CONFIG": str(file), "HOME": str(_SCRATCH)})
    except ConfigError as error:
        assert str(error)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", str(error))


_BEHIND_PROXIES = Addresses([ip_network("127.0.0.0/8")], ())
_BEHIND_NONE = Addresses((), ())


def proxies(data: bytes) -> None:
    """Who comes through a trusted proxy has an address or none, and is never a trusted one."""
    text = data.decode("latin-1")
    listed, _, standard = text.partition("\n")
    fields = {"x-forwarded-for": listed, "forwarded": standard or None}
    client = _BEHIND_PROXIES.client("127.0.0.1", fields.get)
    assert client == UNKNOWN or (client is not None and parsed(client) is not None)
    assert _BEHIND_NONE.client("127.0.0.1", fields.get) == "127.0.0.1"


_USERS = Users({"ada": Secret("a password: of good length")})


def credentials(data: bytes) -> None:
    """Only the right user and password are known, in the one way to write them."""
    text = data.decode("latin-1")
    if _USERS.know(text):
        scheme, _, value = text.partition(" ")
        assert scheme.lower() == "basic"
        assert base64.b64decode(value) == b"ada:a password: of good length"


def log(data: bytes) -> None:
    """Whatever is logged is one line that acts on nothing and can be written."""
    text = data.decode("utf-8", "surrogateescape")
    record = logging.LogRecord("fuzz", logging.INFO, "", 0, "%s", (text,), None)
    for formatter in (Lines(), JsonLines()):
        line = formatter.format(record)
        line.encode()
        assert len(line.splitlines()) == 1
        assert not {unicodedata.category(char) for char in line} & {"Cc", "Cs", "Zl", "Zp"}
    json.loads(JsonLines().format(record))


def form_seeds() -> list[bytes]:
    payload = quote_plus('{"ref": "refs/heads/a+b", "secret": "x=%2B&"}').encode()
    return [b"payload=" + payload, b"x=1&p%61yload=%7b%7D&payload=", b"payload=%\n=3D+%zz"]


URLS = [
    b"https://ada:secret@GitHub.com:443//Org/course.git/",
    b"git@ssh.github.com:Org/course.git",
    b"ssh://git@[::1]:2222/~/a/../b",
    b"[host:22]:path",
    b"file:///srv/%2e%2e/forge/./course.git",
    b"ext::sh -c touch% x",
    "https://gìt.example/kürs".encode(),
    b"/srv/a b",
]
PATHS = [
    b'data.repository.0.name\n{"data": {"repository": [{"name": "x"}]}}',
    b"a.999999.b\n[]",
    b"\nnull",
]
GIT_CONFIGS = [
    b'[core]\n\tbare = false\n[remote "origin"]\n\turl = https://x/y.git ; note\n\tfetch = +a:b\n',
    b'[a "b\\"c"]\n\tk = "x\\n\\t" y \\\n z\n[url "x"] insteadOf = y\n[include]\npath=z',
    b"\xef\xbb\xbf[extensions]\r\n\trefStorage = reftable\r\n[a.b]\r\nk",
]
HEADS = [b"ref: refs/heads/main\n", b"ref:refs/heads/.invalid", b"1f" * 20 + b"\n", b"ref: x\n\n"]
CONFIGS = [
    json.dumps(
        {
            "REPODIR": "~/repos",
            "WEBHOOK_SECRETS": ["a secret of good length", {"FILE": "/x"}],
            "REPOS": {"org/course": {"SECRETS": [], "REMOTES": ["https://x/y"], "FORGE": "gitlab"}},
            "BASIC_AUTH": {"ada": "a secret of good length"},
            "TRUSTED_PROXIES": ["10.0.0.0/8", "unix"],
            "ALLOW_FROM": ["::1"],
            "STANDARD_PATHS": {"REF": None, "BRANCH": "a.b"},
            "LOG_LEVEL": "debug",
            "NUM_THREADS": 2,
        }
    ).encode(),
    b'{"REPODIRR": 1, "PORT": "x", "IMPORTER_ENV": {"A": "\\u0000"}}',
    b'{"PORT": 1, "PORT": 2}',
]
PROXIES = [
    b"203.0.113.7, 127.0.0.1",
    b'\nfor=203.0.113.7;proto=https, for="[2001:db8::1]:443"',
    b"[::ffff:127.0.0.1]:80\nfor=unknown, for=_x",
]
CREDENTIALS = [
    b"Basic " + base64.b64encode(b"ada:a wrong password: x"),
    b"basic  YTpi",
    b"Bearer x",
]
LOGS = [
    "a\nb\x1b[31m\u202e https://ada:secret@x/y \udcff".encode("utf-8", "surrogatepass"),
    b"\xff",
]
