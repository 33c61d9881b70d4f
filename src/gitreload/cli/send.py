"""`gitreload send`: try a set-up end to end with a delivery as GitHub would send it."""

from __future__ import annotations

import json
import time
import uuid
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitreload.cli import output
from gitreload.cli.arguments import one_of
from gitreload.cli.checkouts import find_checkout
from gitreload.cli.errors import FAILED, UsageError
from gitreload.cli.output import Json, note, say
from gitreload.cli.state import load_settings
from gitreload.model import Checkout, GitreloadError

if TYPE_CHECKING:
    import httpx

    from gitreload.config import Settings

# A forge waits as long; gitreload answers in milliseconds, or says why not after 8 s.
TIMEOUT_SECONDS = 10.0
# Names of listening sockets that are no addresses to connect to.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


class Event(StrEnum):
    """What to send."""

    PUSH = "push"
    PING = "ping"


class Route(StrEnum):
    """Where to send it: the two import routes, and the one that only updates."""

    ROOT = "/"
    GITRELOAD = "/gitreload"
    UPDATE = "/update"


def send(
    directory: Annotated[
        str | None,
        typer.Argument(metavar="[DIR]", help="The checkout; not needed where there is only one."),
    ] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="The server, if not at HOST and PORT.")
    ] = None,
    event: Annotated[
        Event, typer.Option(metavar="push|ping", parser=one_of(Event), help="What to send.")
    ] = Event.PUSH,
    route: Annotated[
        Route,
        typer.Option(
            metavar="|".join(Route), parser=one_of(Route), help="The route to send it to."
        ),
    ] = Route.ROOT,
    secret_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Sign with this secret, not the first configured one."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Send a push or ping as GitHub would, to try the server.

    A push announces the revision that is checked out, so it changes nothing by itself.
    """
    from gitreload.checkouts.revision import revision
    from gitreload.forges import Announcement, github

    settings = load_settings()
    target = (url or _address(settings)).rstrip("/") + route
    checkout = _chosen(settings, directory)
    head = revision(checkout.path)
    if head is None:
        raise GitreloadError(
            f"{checkout.directory} has no revision to announce: nothing was ever checked out there"
        )
    announcement = Announcement(
        checkout.origin or "",
        f"refs/heads/{checkout.follows or ''}",
        before=head,
        after=head,
        delivery_id=str(uuid.uuid4()),
        now=time.time(),
        secret=_secret(settings, checkout, secret_file),
        ping=event is Event.PING,
    )
    headers, body = github.compose(announcement)
    response = _post(target, headers, body)
    answer = _answer(response)
    if as_json:
        output.print_json(
            {
                "url": target,
                "event": event,
                "delivery_id": announcement.delivery_id,
                "status": response.status_code,
                "answer": answer,
            }
        )
    else:
        say(f"{event} for {checkout.directory} to {target}: {response.status_code}")
        _tell(answer)
    if not response.is_success:
        raise typer.Exit(FAILED)


def _tell(answer: Any) -> None:
    if not (isinstance(answer, dict) and "msg" in answer):
        say(answer if isinstance(answer, str) else json.dumps(answer))
        note("that is no answer of a webhook route of gitreload: look what listens there")
        return
    say(answer["msg"])
    for job in answer.get("jobs", ()):
        say(f"follow it: gitreload logs -f {job}")


def _address(settings: Settings) -> str:
    if settings.port == 0:
        raise UsageError("PORT is 0, so the server's port is not known: name it with --url")
    host = _EVERYWHERE.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _chosen(settings: Settings, name: str | None) -> Checkout:
    from gitreload.checkouts import Checkouts

    checkouts = Checkouts.of(settings)
    if name is not None:
        return find_checkout(checkouts, settings, name)
    sound = [checkout for checkout in checkouts.all() if checkout.problem is None]
    if len(sound) != 1:
        raise UsageError(
            f"{len(sound)} checkouts below REPODIR, {settings.repodir}, can be followed: name the "
            "one to send for; `gitreload list` shows them"
        )
    return sound[0]


def _secret(settings: Settings, checkout: Checkout, file: Path | None) -> bytes | None:
    if file is None:
        accepted = settings.repo(checkout.directory).secrets or settings.webhook_secrets
        return accepted[0].read() if accepted else None
    from gitreload.credentials import Secret, UnfitSecretError

    try:
        return Secret(file=file).read()
    except UnfitSecretError as error:
        raise GitreloadError(str(error)) from error


def _post(url: str, headers: dict[str, str], body: bytes) -> httpx.Response:
    import httpx

    try:
        # No proxy of the environment: the server is this machine's, or stands in the URL.
        with httpx.Client(trust_env=False, timeout=TIMEOUT_SECONDS) as client:
            return client.post(url, headers=headers, content=body)
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise UsageError(f"--url: expected http://HOST:PORT, not {url}") from error
    except httpx.ConnectError as error:
        raise GitreloadError(
            f"no connection to {url} ({error}): start `gitreload serve`, or name its address "
            "with --url"
        ) from error
    except httpx.TimeoutException as error:
        raise GitreloadError(
            f"no answer from {url} in {TIMEOUT_SECONDS:g} s: look at the server's log"
        ) from error
    except httpx.RequestError as error:
        raise GitreloadError(
            f"the connection to {url} ended before an answer came ({error}): look at the log of "
            "the server there, and whether it is gitreload at all and speaks "
            f"{httpx.URL(url).scheme}"
        ) from error


def _answer(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        # Some other server: what it says may help to see which.
        return response.text[:200]
