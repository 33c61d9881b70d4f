"""`gitreload send`: try a set-up end to end with a delivery as its forge would send it."""

from __future__ import annotations

import json
import time
import uuid
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import typer

from gitreload.cli import output
from gitreload.cli.arguments import one_of
from gitreload.cli.checkouts import find_checkout
from gitreload.cli.deliveries import known_forge
from gitreload.cli.errors import UsageError
from gitreload.cli.output import Json, say
from gitreload.cli.state import load_settings
from gitreload.model import Checkout, GitreloadError, Outcome

if TYPE_CHECKING:
    import httpx

    from gitreload.cli.proof import Proof
    from gitreload.config import Settings
    from gitreload.forges import Announcement, Forge

# A forge waits as long; gitreload answers in milliseconds, or says why not after 8 s.
TIMEOUT_SECONDS = 10.0
_TAKEN = (Outcome.QUEUED, Outcome.COALESCED, Outcome.DUPLICATE, Outcome.PONG)
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
        str | None,
        typer.Option(
            metavar="URL", help="The hook's URL, or the server's, where it is not at HOST and PORT."
        ),
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
    forge: Annotated[
        str | None,
        typer.Option(
            metavar="FORGE", help="Send as this one does, not as the checkout's FORGE or GitHub."
        ),
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Sign with this secret, not the first one that fits."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Sign with this private Ed25519 key (SourceHut, standard)."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Send a push or ping as a forge would, to try the server.

    A push announces the revision that is checked out, so it changes nothing by itself. It exits
    with 1 where the server makes nothing of it.
    """
    from gitreload.cli.proof import choose

    settings = load_settings()
    if forge is not None:
        known_forge(forge)
    target = _target(settings, url, route)
    checkout = _chosen(settings, directory)
    name = forge or settings.repo(checkout.directory).forge or "github"
    sender = _forge(settings, name, event)
    proof = choose(settings, checkout, name, secret_file, key)
    announcement = _announcement(checkout, proof, ping=event is Event.PING)
    headers, body = sender.compose(announcement)
    response = _post(target, headers | proof.headers, body)
    answer = _answer(response)
    fault = _fault(settings, announcement, proof, response.status_code, answer)
    if as_json:
        output.print_json(
            {
                "url": target,
                "forge": name,
                "event": event,
                "delivery_id": announcement.delivery_id,
                "status": response.status_code,
                "answer": answer,
            }
        )
    else:
        sent = f"{event} for {checkout.directory}"
        say(f"{sent} as {name} sends it to {target}: {response.status_code}")
        _tell(answer)
    if fault is not None:
        raise GitreloadError(fault)


def _announcement(checkout: Checkout, proof: Proof, *, ping: bool) -> Announcement:
    """A push of what is checked out; raises GitreloadError where that is nothing."""
    from gitreload.checkouts.revision import revision, tag
    from gitreload.forges import Announcement

    head = revision(checkout.path)
    if head is None:
        raise GitreloadError(
            f"{checkout.directory} has no revision to announce: nothing was ever checked out there"
        )
    at = tag(checkout)
    if checkout.tags is not None and at is None:
        raise GitreloadError(
            f"{checkout.directory} is at none of the tags {checkout.tags}, so there is none to "
            f"announce; to bring it to the newest: gitreload sync {checkout.directory}"
        )
    return Announcement(
        checkout.origin or "",
        f"refs/heads/{checkout.follows or ''}" if at is None else f"refs/tags/{at}",
        before=head,
        after=head,
        delivery_id=str(uuid.uuid4()),
        now=time.time(),
        secret=proof.secret,
        ping=ping,
    )


def _forge(settings: Settings, name: str, event: Event) -> Forge:
    """The sender; raises UsageError where it has no such event."""
    from gitreload import forges
    from gitreload.authority import Authority

    forge = forges.named(name, Authority(settings).paths)
    if event is Event.PING and not forge.has_ping:
        pinging = ", ".join(each.name for each in forges.FORGES if each.has_ping)
        raise UsageError(
            f"{name} has no ping; where it has a test button, that sends a push: leave --event "
            f"ping away, or send as one of {pinging}"
        )
    return forge


def _fault(
    settings: Settings, announcement: Announcement, proof: Proof, status: int, answer: Any
) -> str | None:
    """What to look at where the server makes nothing of it; None where it does."""
    from gitreload.remotes import mask

    outcome = answer.get("outcome") if isinstance(answer, dict) else None
    if outcome in _TAKEN:
        return None
    if outcome is None:
        return "that is no answer of a webhook route of gitreload: look what listens there"
    if str(answer.get("msg")).startswith("refused: "):
        return (
            "not taken, though genuine: compare SECRETS and FORGE in REPOS of the configuration "
            "that the server runs with"
        )
    if status == 401:
        return (
            f"not taken; it was sent with {proof.source}: compare with the configuration that the "
            "server runs with, `gitreload config` shows this one"
        )
    if outcome == Outcome.IGNORED:
        return (
            f"ignored; what would match there is a checkout of {mask(announcement.url)} on branch "
            f"{announcement.short_ref}: compare the server's REPODIR with {settings.repodir}, its "
            "log names near misses"
        )
    return "not taken; the server's log says more"


def _tell(answer: Any) -> None:
    if not (isinstance(answer, dict) and "msg" in answer):
        say(answer if isinstance(answer, str) else json.dumps(answer))
        return
    say(answer["msg"])
    for job in answer.get("jobs", ()):
        say(f"follow it: gitreload logs -f {job}")


def _target(settings: Settings, url: str | None, route: Route) -> str:
    """The hook's URL, as a forge would be given it; raises UsageError."""
    if url is None:
        return _address(settings) + route
    try:
        told = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"--url {url!r} is no URL ({error}): expected http://HOST:PORT") from error
    if told.path in ("", "/"):
        return urlunsplit(told._replace(path=route))
    if route is not Route.ROOT:
        raise UsageError(f"--url names the route {told.path} already: leave --route away")
    return url


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


def _post(url: str, headers: dict[str, str], body: bytes) -> httpx.Response:
    import httpx

    try:
        # No proxy of the environment: the server is this machine's, or stands in the URL.
        with httpx.Client(trust_env=False, timeout=TIMEOUT_SECONDS) as client:
            # In bytes, as a token may be any text.
            sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
            return client.post(url, headers=sent, content=body)
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
