"""The webhook routes, as a plain ASGI application: the path that every push takes.

Checks run in the order 405, 413, 401, 400, 503, 404. Whatever a sender does, the answer is JSON
and never a 5xx, except 503 where nothing could be promised.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterable
from urllib.parse import unquote

import msgspec
from starlette.types import Message, Receive, Scope, Send

from gitreload import forges
from gitreload.authority import Authority, Grant
from gitreload.ledger import Arrival
from gitreload.model import Action, Delivery, GitreloadError, Outcome
from gitreload.receiver import Receipt, ReceiverBusy
from gitreload.refusals import Refused
from gitreload.runtime import Runtime
from gitreload.visible import visible
from gitreload.web.peers import is_local, peer_of

logger = logging.getLogger(__name__)

BODY_LIMIT = 25 * 1024 * 1024
MOST_DIGITS = 20
# All bodies that are being read or checked at once; beyond it senders are told to come back.
IN_FLIGHT_LIMIT = 256 * 1024 * 1024
# A larger body is checked in a thread, so that it holds nobody up on the event loop.
INLINE_LIMIT = 256 * 1024
RETRY_AFTER_SECONDS = 30
# Forges give up after 10 s; whoever sends more slowly must not hold memory for ever.
BODY_SECONDS = 30.0
# What a hook's own address may tell: `?forge=sourcehut&repo=https://git.sr.ht/~owner/name`.
_FORGE = re.compile(rb"(?:^|&)forge=([^&]*)")
_REPO = re.compile(rb"(?:^|&)repo=([^&]*)")


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a sender gets: the status, and the four fields of every answer."""

    status: int
    message: str
    outcome: Outcome
    delivery: int | None = None
    jobs: tuple[int, ...] = ()

    def body(self) -> bytes:
        fields = {
            "msg": self.message,
            "outcome": self.outcome.value,
            "delivery": self.delivery,
            "jobs": self.jobs,
        }
        return msgspec.json.encode(fields)


class _Request(msgspec.Struct, frozen=True, gc=False):
    """A delivery as it came, before anything of it is understood. `client` is who sent it."""

    scope: Scope
    headers: forges.Headers
    body: bytes
    client: str | None

    @property
    def forge(self) -> str | None:
        """The forge that the hook's own address names, whether it exists or not."""
        return _named(_FORGE, self.scope)

    @property
    def repository(self) -> str | None:
        """The repository's URL, where the hook's own address names it."""
        named = _named(_REPO, self.scope)
        return unquote(named) if named else None


class _Refused(Exception):  # noqa: N818 - an answer on its way up
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = Answer(status, message, Outcome.REFUSED)


class Hooks:
    """One webhook route: `POST` makes jobs of one action. `runtime` is asked at each request."""

    in_flight = 0

    def __init__(self, action: Action, runtime: Callable[[], Runtime]) -> None:
        self._action = action
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            answer = Answer(405, "webhooks are delivered with POST", Outcome.REFUSED)
        else:
            try:
                answer = await self._take(scope, receive)
            except _Refused as refused:
                answer = refused.answer
            except GitreloadError as error:
                logger.error("a delivery could not be taken: %s", error)
                answer = Answer(503, str(error), Outcome.REFUSED)
            except Exception:
                logger.exception("a delivery met an error that should not be")
                answer = Answer(503, "an internal error, which the log tells", Outcome.REFUSED)
        await _send(send, answer)

    async def _take(self, scope: Scope, receive: Receive) -> Answer:
        headers = forges.Headers(scope["headers"])
        announced = _content_length(headers)
        runtime = self._runtime()
        client = runtime.authority.addresses.client(peer_of(scope), headers.get)
        if not runtime.authority.addresses.allow(client):
            raise _not_from_there(runtime, client)
        if Hooks.in_flight + announced > IN_FLIGHT_LIMIT:
            raise _too_many()
        body = _Body()
        try:
            # Most bodies are one piece and here already. Until it comes, nothing is held, so it may
            # take its time; setting a limit to it would cost as much as checking the signature.
            if body.add(await receive()):
                await _read_on(receive, body)
            return await self._receive(runtime, _Request(scope, headers, body.joined(), client))
        finally:
            body.release()

    async def _receive(self, runtime: Runtime, request: _Request) -> Answer:
        delivery, grant = await _understood(runtime, request)
        if runtime.receiver is None:
            raise _not_ready(runtime)
        arrival = Arrival(
            delivery,
            self._action,
            time.time(),
            request.client,
            forges.kept(delivery.forge, request.headers),
            forges.redacted(delivery.forge, request.body),
        )
        try:
            receipt = await runtime.receiver.receive(arrival, grant)
        except ReceiverBusy as busy:
            raise _Refused(503, str(busy)) from busy
        if receipt.outcome is Outcome.REFUSED:
            _alarm(runtime, arrival, receipt)
        return _answer(receipt, delivery)


async def _understood(runtime: Runtime, request: _Request) -> tuple[Delivery, Grant | None]:
    """What a request says, and what that may act on. Raises _Refused."""
    authority = runtime.authority
    names = await _names(runtime, request) if authority.looks_first else None
    try:
        if len(request.body) <= INLINE_LIMIT:
            return _read(authority, request, names)
        return await asyncio.to_thread(_read, authority, request, names)
    except forges.Refusal as refusal:
        runtime.refusals.tell(
            Refused(
                refusal.why,
                str(refusal),
                request.client,
                refusal.forge,
                refusal.hook,
                refusal.claimed,
                refusal.repository,
            )
        )
        raise _Refused(refusal.status, str(refusal)) from refusal


def _read(
    authority: Authority, request: _Request, names: Iterable[str] | None
) -> tuple[Delivery, Grant | None]:
    delivery, grant = authority.read(
        request.headers,
        request.body,
        forge=request.forge,
        # Finding it out takes a tenth of the time that all the rest does.
        local=not authority.configured and is_local(request.scope),
        now=time.time(),
        names=names,
    )
    try:
        pushes = forges.addressed(delivery.pushes, request.repository)
    except forges.Malformed as error:
        raise _Refused(400, str(error)) from error
    if pushes is not delivery.pushes:
        delivery = msgspec.structs.replace(delivery, pushes=pushes)
    return delivery, grant


async def _names(runtime: Runtime, request: _Request) -> Iterable[str]:
    """The names of the checkouts that a request claims to be for. Raises _Refused."""
    claimed = forges.look(
        request.headers, request.body, runtime.authority.paths, forge=request.forge
    )
    if claimed is None or not claimed.pushes:
        return ()
    if runtime.receiver is None:
        raise _not_ready(runtime)
    try:
        pushes = forges.addressed(claimed.pushes, request.repository)
        return await runtime.receiver.names(pushes)
    except forges.Malformed:
        return ()
    except ReceiverBusy as busy:
        raise _Refused(503, str(busy)) from busy


def _not_ready(runtime: Runtime) -> _Refused:
    return _Refused(503, f"gitreload is not ready: {runtime.trouble}")


def _not_from_there(runtime: Runtime, client: str | None) -> _Refused:
    if client is None:
        message = (
            "deliveries that come through a unix socket are not taken, as ALLOW_FROM is set: where "
            'a web server is in front, add "unix" to TRUSTED_PROXIES'
        )
    else:
        message = f"deliveries from {client} are not taken: ALLOW_FROM has other networks"
    runtime.refusals.tell(Refused("not in ALLOW_FROM", message, client))
    return _Refused(401, message)


def _alarm(runtime: Runtime, arrival: Arrival, receipt: Receipt) -> None:
    """Somebody who can prove what he sends tried it on a repository that it is not for."""
    delivery = arrival.delivery
    repository = next((push.repository for push in delivery.pushes if push.repository), None)
    refused = Refused(
        "not allowed by REPOS",
        f"delivery {receipt.delivery} is genuine, but {receipt.message}",
        arrival.peer,
        delivery.forge,
        delivery.hook,
        repository=repository and visible(repository)[: forges.LONGEST_CLAIM],
    )
    runtime.refusals.tell(refused, logging.ERROR)


def _named(field: re.Pattern[bytes], scope: Scope) -> str | None:
    query = scope["query_string"]
    named = field.search(query) if query else None
    return named[1].decode("ascii", "replace") if named else None


def _answer(receipt: Receipt, delivery: Delivery) -> Answer:
    status = 200
    if delivery.never_disabled and not receipt.cloned:
        status = 404
    if delivery.never_disabled and receipt.outcome is Outcome.REFUSED:
        status = 401
    return Answer(status, receipt.message, receipt.outcome, receipt.delivery, receipt.jobs)


class _Body:
    """The bytes of one request, which count as in flight from their arrival to its answer."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, message: Message) -> bool:
        """Take the next piece; whether there is more.

        Raises _Refused where the sender is gone, or this body, or all together, become too large.
        """
        if message["type"] == "http.disconnect":
            raise _Refused(400, "the connection ended before the body did")
        chunk = message.get("body", b"")
        self._chunks.append(chunk)
        self._size += len(chunk)
        Hooks.in_flight += len(chunk)
        if self._size > BODY_LIMIT:
            raise _too_large()
        if Hooks.in_flight > IN_FLIGHT_LIMIT:
            raise _too_many()
        more: bool = message.get("more_body", False)
        return more

    def joined(self) -> bytes:
        """The whole body, once: its pieces are let go, so that it is not held twice."""
        chunks, self._chunks = self._chunks, []
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def release(self) -> None:
        Hooks.in_flight -= self._size


def _content_length(headers: forges.Headers) -> int:
    """The announced size, 0 where none is; refuses one that is too large before reading."""
    announced = headers.get("content-length") or ""
    if not (announced.isascii() and announced.isdigit()):
        return 0
    # Python refuses to read a number of thousands of digits.
    size = int(announced) if len(announced) <= MOST_DIGITS else BODY_LIMIT + 1
    if size > BODY_LIMIT:
        raise _too_large()
    return size


async def _read_on(receive: Receive, body: _Body) -> None:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while body.add(await receive()):
                pass
    except TimeoutError:
        raise _Refused(400, f"the body did not arrive within {BODY_SECONDS:g} s") from None


def _too_many() -> _Refused:
    return _Refused(503, "too many deliveries are being received; deliver again later")


def _too_large() -> _Refused:
    return _Refused(
        413, f"the body is over {BODY_LIMIT // 1024 // 1024} MiB, the most a forge sends"
    )


async def _send(send: Send, answer: Answer) -> None:
    body = answer.body()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if answer.status == 503:
        headers.append((b"retry-after", str(RETRY_AFTER_SECONDS).encode()))
    if answer.status == 405:
        headers.append((b"allow", b"POST"))
    if answer.status in (400, 401, 413, 503):
        # What may still be on its way is not read.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
