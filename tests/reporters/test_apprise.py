"""Messages through Apprise itself, to servers on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from fakes import inbox
from fakes.inbox import Inbox
from gitreload.credentials import AppriseUrl
from gitreload.model import Interrupted, PermanentError, TransientError
from gitreload.reporters import apprise
from gitreload.reporters.apprise import Message, secrets_in
from helpers import wait_until

MESSAGE = Message("course failed", "course.xml:3: <b> & “unclosed”\nsecond line", "failure")


@pytest.fixture
def mail() -> Iterator[Inbox]:
    with inbox.smtp() as server:
        yield server


@pytest.fixture
def web() -> Iterator[Inbox]:
    with inbox.http() as server:
        yield server


def send(url: str, seconds: float = apprise.SECONDS) -> None:
    apprise.send(AppriseUrl(url), MESSAGE, threading.Event(), seconds)


def refused(url: str, seconds: float = apprise.SECONDS) -> str:
    with pytest.raises(TransientError) as caught:
        send(url, seconds)
    return str(caught.value)


def test_mail_arrives(mail: Inbox) -> None:
    send(f"mailto://127.0.0.1:{mail.port}/?from=gitreload@x.example&to=ada@y.example&mode=insecure")
    [got] = mail.mails
    assert got["Subject"] == MESSAGE.title
    assert "ada@y.example" in got["To"]
    body = got.get_body(("plain",))
    assert body is not None
    assert body.get_content().split() == MESSAGE.body.split()


def test_mail_that_is_refused_tells_why(mail: Inbox) -> None:
    url = f"mailto://127.0.0.1:{mail.port}/?from=g@x.example&to=nobody@y.example&mode=insecure"
    assert "no such user here" in refused(url)
    assert mail.mails == []


def test_the_reason_comes_out_and_secrets_do_not(web: Inbox) -> None:
    web.answer = (403, {})
    told = refused(f"json://ada:correct-horse@127.0.0.1:{web.port}/battery-staple")
    assert told.startswith("json did not take the message: ")
    assert "403" in told
    for secret in ("correct-horse", "battery-staple", "ada:"):
        assert secret not in told


def test_a_url_that_is_none() -> None:
    with pytest.raises(PermanentError, match="Apprise cannot use the URL of slack") as caught:
        send("slack://correct-horse")
    assert "horse" not in str(caught.value)


def test_what_hangs_is_ended(web: Inbox) -> None:
    web.hanging = True
    url = f"json://127.0.0.1:{web.port}/?rto=100"
    assert refused(url, 0.5) == "json took no message in 0.5 s"
    stop = threading.Event()
    ended: list[BaseException] = []

    def tell() -> None:
        with pytest.raises(Interrupted) as caught:
            apprise.send(AppriseUrl(url), MESSAGE, stop)
        ended.append(caught.value)

    thread = threading.Thread(target=tell)
    thread.start()
    wait_until(lambda: web.posted)
    stop.set()
    thread.join()
    assert ended


def test_all_of_a_url_may_be_secret() -> None:
    found = secrets_in("mailto://ada%40x:p%40ssword@mail.example.org:25/?to=b@c&key=tokentoken")
    assert {"p%40ssword", "p@ssword", "tokentoken", "mail.example.org"} <= set(found)
