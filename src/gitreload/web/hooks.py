"""The webhook routes, as a plain ASGI application: the path that every push takes.

Checks run in the order 405, 413, 401, 400, 503, 404. Whatever a sender does, the answer is JSON
and never a 5xx, except 503 where nothing could be promised.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable

import msgspec
from starlette.types import Message, Receive, Scope, Send

from gitreload import forges
from gitreload.ledger import Arrival
from gitreload.model import Action, Delivery, GitreloadError, Outcome
from gitreload.receiver import Receipt, ReceiverBusy
from gitreload.runtime import Runtime
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
_FORGE = re.compile(rb"(?:^|&)forge=([^&]*)")


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
        if Hooks.in_flight + _content_length(headers) > IN_FLIGHT_LIMIT:
            raise _too_many()
        body = _Body()
        try:
            # Most bodies are one piece and here already. Until it comes, nothing is held, so it may
            # take its time; setting a limit to it would cost as much as checking the signature.
            if body.add(await receive()):
                await _read_on(receive, body)
            return await self._receive(scope, headers, body.joined())
        finally:
            body.release()

    async def _receive(self, scope: Scope, headers: forges.Headers, body: bytes) -> Answer:
        runtime = self._runtime()
        if len(body) <= INLINE_LIMIT:
            delivery = _understand(runtime, scope, headers, body)
        else:
            delivery = await asyncio.to_thread(_understand, runtime, scope, headers, body)
        if runtime.receiver is None:
            raise _Refused(503, f"gitreload is not ready: {runtime.trouble}")
        arrival = Arrival(
            delivery,
            self._action,
            time.time(),
            peer_of(scope),
            forges.kept(delivery.forge, headers),
            forges.redacted(delivery.forge, body),
        )
        try:
            receipt = await runtime.receiver.receive(arrival)
        except ReceiverBusy as busy:
            raise _Refused(503, str(busy)) from busy
        return _answer(receipt, delivery)


def _understand(runtime: Runtime, scope: Scope, headers: forges.Headers, body: bytes) -> Delivery:
    settings = runtime.config.settings
    secrets = tuple([secret.read() for secret in settings.webhook_secrets])
    unsigned = not secrets and (settings.allow_unsigned or is_local(scope))
    keys = forges.Keys(secrets, unsigned=unsigned)
    try:
        return forges.read(headers, body, keys, forge=_pinned(scope), now=time.time())
    except forges.Refusal as refusal:
        logger.warning(
            "refused a delivery from %s (forge %s, hook %s): %s",
            peer_of(scope) or "a local peer",
            refusal.forge,
            refusal.hook,
            refusal,
        )
        raise _Refused(refusal.status, str(refusal)) from refusal


def _pinned(scope: Scope) -> str | None:
    """The forge that the hook's own address names (`?forge=gitlab`), whether it exists or not."""
    query = scope["query_string"]
    named = _FORGE.search(query) if query else None
    return named[1].decode("ascii", "replace") if named else None


def _answer(receipt: Receipt, delivery: Delivery) -> Answer:
    status = 404 if not receipt.cloned and delivery.never_disabled else 200
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
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

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
    if answer.status in (400, 413, 503):
        # What may still be on its way is not read.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
