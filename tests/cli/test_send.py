"""Every forge as a sender, to a server that really runs."""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gitreload.forges import BY_NAME
from helpers import git

from .conftest import SECRET, Host
from .test_serve import running

WHSEC = "whsec_" + base64.b64encode(b"k" * 32).decode()
HUT = "https://git.sr.ht/~org/course"
PINGING = {"github", "gitee", "bitbucket-dc", "azure", "standard"}
KEY = Ed25519PrivateKey.from_private_bytes(b"the seed of somebody's own key.!")
PUBLIC = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()


def pem(key: Ed25519PrivateKey | Ed448PrivateKey, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.fixture
def hut(host: Host, home: Path) -> Host:
    """With a second checkout whose remote is on SourceHut, and that trusts a key of ours."""
    host.configure(
        WEBHOOK_SECRETS=[SECRET, WHSEC],
        SOURCEHUT_KEYS=[PUBLIC],
        REPOS={"hut": {"FORGE": "sourcehut"}},
    )
    git("remote", "set-url", "origin", HUT, cwd=host.clone("hut"))
    git("config", "--global", f"url.{host.remote.url}.insteadOf", HUT, cwd=home)
    (host.folder / "key.pem").write_bytes(pem(KEY))
    return host


def test_all_forges_send_and_are_shown_and_replayed(hut: Host) -> None:
    with running(hut, "serve") as server:
        to = ("--route", "/update", "--url", server.url)
        for number, forge in enumerate(BY_NAME, 1):
            signed = ("hut", "--key", "key.pem") if forge == "sourcehut" else ("course",)
            sent = hut.run("send", *signed, "--forge", forge, *to)
            assert (sent.exit_code, sent.stderr) == (0, ""), forge
            heading, sentence, follow = sent.stdout.splitlines()
            assert (
                heading == f"push for {signed[0]} as {forge} sends it to {server.url}/update: 200"
            )
            assert f"of {signed[0]} at main" in sentence
            assert follow.startswith("follow it: gitreload logs -f ")
            shown = hut.done("deliveries", str(number))
            facts = dict(line.split(maxsplit=1) for line in shown.split("\n\n")[0].splitlines())
            assert (facts["forge"], facts["outcome"] in ("queued", "coalesced")) == (forge, True)
            assert "refs/heads/main" in shown
            assert SECRET not in shown
            assert f"update of {signed[0]}" in hut.done("replay", str(number))
        for forge in BY_NAME:
            pinged = hut.run("send", "course", "--event", "ping", "--forge", forge, *to)
            if forge in PINGING:
                assert (pinged.exit_code, pinged.stdout.splitlines()[1:]) == (0, ["pong"]), forge
            else:
                assert pinged.exit_code == 2, forge
                assert f"{forge} has no ping" in pinged.stderr
        listed = [each["forge"] for each in hut.json("deliveries", "--outcome", "pong")]
        assert set(listed) == PINGING


def test_what_the_server_does_not_take_is_told(hut: Host) -> None:
    with running(hut, "serve") as server:
        to = ("--url", server.url)
        (hut.folder / "wrong").write_text("another secret of good length")
        told = hut.run("send", "course", "--secret-file", str(hut.folder / "wrong"), *to)
        assert told.exit_code == 1
        assert "was made with another secret" in told.stdout
        assert f"it was sent with the secret in {hut.folder}/wrong" in told.stderr
        (hut.folder / "other.pem").write_bytes(pem(Ed25519PrivateKey.generate()))
        told = hut.run(
            "send", "hut", "--forge", "sourcehut", "--key", str(hut.folder / "other.pem"), *to
        )
        assert (told.exit_code, ": 401\n" in told.stdout) == (1, True)
        # The server goes by its own configuration: it has other checkouts than this command.
        elsewhere = hut.folder / "elsewhere/course"
        hut.remote.clone(elsewhere)
        git("remote", "set-url", "origin", "https://me:hunter2@forge.example/a/b", cwd=elsewhere)
        hut.configure(REPODIR=str(elsewhere.parent))
        for forge, status in (("github", 404), ("gitlab", 200)):
            told = hut.run("send", "--forge", forge, *to)
            assert (told.exit_code, f"/: {status}\n" in told.stdout) == (1, True)
            assert "a checkout of https://***@forge.example/a/b on branch main" in told.stderr


def test_a_pinned_forge_and_own_secrets_need_no_options(host: Host) -> None:
    host.configure(REPOS={"course": {"FORGE": "gitea", "SECRETS": ["of-this-repository-only"]}})
    with running(host, "serve") as server:
        # As it is installed.
        with host.command("send", "--event", "push", "--url", server.url) as command:
            told, complaint = command.communicate(timeout=60)
        assert (command.returncode, complaint) == (0, "")
        assert f"push for course as gitea sends it to {server.url}/: 200" in told


def test_with_passwords_alone_the_first_user_sends(host: Host) -> None:
    host.configure(WEBHOOK_SECRETS=[], BASIC_AUTH={"ada": "a password of good length"})
    with running(host, "serve") as server:
        for forge in ("azure", "github"):
            told = host.json("send", "--forge", forge, "--url", server.url)
            assert (told["forge"], told["event"], told["status"]) == (forge, "push", 200)
            assert told["answer"]["outcome"] in ("queued", "coalesced")
        host.configure(WEBHOOK_SECRETS=[], BASIC_AUTH={"ada": "another password"})
        assert "it was sent with user ada of BASIC_AUTH" in host.failed("send", "--url", server.url)


def test_standard_webhooks_take_a_private_key_too(host: Host) -> None:
    host.configure(WEBHOOK_SECRETS=[f"whpk_{PUBLIC}"])
    for name, text in (
        ("pem", pem(KEY)),
        ("whsk", b"whsk_" + base64.b64encode(KEY.private_bytes_raw()) + b"\n"),
    ):
        (host.folder / name).write_bytes(text)
    with running(host, "serve") as server:
        for name in ("pem", "whsk"):
            host.done(
                "send", "--forge", "standard", "--key", str(host.folder / name), "--url", server.url
            )


class Strange(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'"hello"')

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Strange) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_another_server_is_told_from_gitreload(host: Host, stranger: str) -> None:
    told = host.run("send", "--url", stranger)
    assert (told.exit_code, told.stdout.splitlines()[1:]) == (1, ["hello"])
    assert "that is no answer of a webhook route" in told.stderr


def test_a_key_that_is_none_is_told(host: Host) -> None:
    keys = {
        "empty": b"",
        "text": b"whsk_AAAA",
        "locked": pem(KEY, b"password"),
        "other": pem(Ed448PrivateKey.generate()),
    }
    for name, text in keys.items():
        (host.folder / name).write_bytes(text)
        complaint = host.failed(
            "send",
            "--forge",
            "standard",
            "--key",
            str(host.folder / name),
            "--url",
            "http://localhost:1",
        )
        assert "holds no private Ed25519 key" in complaint


def test_the_url_may_be_the_hooks_own(host: Host) -> None:
    with running(host, "serve") as server:
        for hook in (f"{server.url}/update?forge=github", f"{server.url}?forge=github&x=1"):
            assert "forge=github" in host.done("send", "--url", hook).splitlines()[0]
        refused = host.run("send", "--url", f"{server.url}/?forge=hub")
        assert "'hub', which is none" in refused.stdout
        assert "compare" not in refused.stderr, "the secret was right"
    twice = host.run("send", "--url", "http://localhost:1/update", "--route", "/update")
    assert twice.exit_code == 2
    assert "leave --route away" in twice.stderr
