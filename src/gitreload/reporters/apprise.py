"""Messages to people, by the services that Apprise knows.

It runs in a child: it takes tens of MiB and a second to load, and what hangs there can be ended.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from gitreload.credentials import AppriseUrl
from gitreload.model import GitreloadError, PermanentError, TransientError
from gitreload.process import Completed, Runner, environment
from gitreload.reporters import apprise_child
from gitreload.visible import visible

logger = logging.getLogger(__name__)

# For all of it. Each wait of a service ends sooner by itself.
SECONDS = 60.0

# Of a URL, what is shorter is no secret, and would mask parts of words.
_SHORTEST_SECRET = 6
_SHOWN = 500
# Where a certificate authority of one's own is named: OpenSSL's, and Requests', which Apprise uses.
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Message:
    """What people get. `kind` gives it a colour or a sign, where the service has such."""

    title: str
    body: str
    kind: Literal["info", "success", "warning", "failure"]


def send(
    url: AppriseUrl, message: Message, stop: threading.Event, seconds: float = SECONDS
) -> None:
    """Send the message, or raise why that cannot be, without any part of the URL that is secret.

    Raises `PermanentError` where Apprise is missing or cannot use the URL, `TransientError` where
    the service did not take the message, `Interrupted` once `stop` is set.
    """
    secret = url.read().decode("ascii")
    given = os.memfd_create("message")  # neither arguments nor the environment hold secrets
    try:
        os.write(given, json.dumps({"url": secret, **_fields(message)}).encode())
        os.lseek(given, 0, os.SEEK_SET)
        done = Runner(log=logger.debug, inherit=(given,), stop=stop).run(
            [sys.executable, "-I", apprise_child.__file__, str(given)],
            cwd="/",
            env=_environment(),
            timeout=seconds,
            quiet=True,
            secrets=secrets_in(secret),
        )
    finally:
        os.close(given)
    if not done.ok:
        raise _refusal(url.scheme, done, seconds)


def secrets_in(url: str) -> Sequence[str]:
    """All of an Apprise URL that may be secret: what that is differs from service to service."""
    parts = re.split(r"[/:@?&=#,+]+", url.partition("://")[2])
    named = {form for part in parts for form in (part, unquote(part))}
    return [url, *(each for each in named if len(each) >= _SHORTEST_SECRET)]


def _fields(message: Message) -> dict[str, str]:
    return {"title": message.title, "body": message.body, "kind": message.kind}


def _environment() -> dict[str, str]:
    return environment() | {name: os.environ[name] for name in _CERTIFICATES if name in os.environ}


def _refusal(scheme: str, done: Completed, seconds: float) -> GitreloadError:
    lines = done.output.decode("utf-8", "replace").strip().splitlines()
    why = visible(lines[-1] if lines else "it does not say why")[:_SHOWN]
    if done.timed_out:
        return TransientError(f"{scheme} took no message in {seconds:g} s")
    if done.exit_code == apprise_child.NO_APPRISE:
        return PermanentError(
            f"Apprise cannot be loaded ({why}): install gitreload[notify] where gitreload is"
        )
    if done.exit_code == apprise_child.NO_SUCH_SERVICE:
        return PermanentError(
            f"Apprise cannot use the URL of {scheme} ({why}): compare it with "
            "https://appriseit.com/services/"
        )
    return TransientError(f"{scheme} did not take the message: {why}")
