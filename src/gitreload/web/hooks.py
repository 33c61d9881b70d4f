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
from starlette.types import Receive, Scope, Send

from gitreload import forges
from gitreload.authority import Authority, Grant
from gitreload.ledger import Arrival
from gitreload.ledger.bodies import KEPT
from gitreload.model import Action, Delivery, GitreloadError, Outcome
from gitreload.receiver import Receipt, ReceiverBusy
from gitreload.refusals import Refused
from gitreload.remotes import mask
from gitreload.runtime import Runtime
from gitreload.visible import visible
from gitreload.web.answers import Answer, Rejected, send_answer
from gitreload.web.bodies import SMALL, Body, content_length, receive_all, require_room
from gitreload.web.peers import is_local, peer_of

logger = logging.getLogger(__name__)

# What a hook's own address may tell: `?forge=sourcehut&repo=https://git.sr.ht/~owner/name`.
_FORGE = re.compile(rb"(?:^|&)forge=([^&]*)")
_REPO = re.compile(rb"(?:^|&)repo=([^&]*)")


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


class Hooks:
    """One webhook route: `POST` makes jobs of one action.

    `begun` is asked at each request and must not wait; where it has none, `runtime` is asked, in a
    thread.
    """

    def __init__(
        self,
        action: Action,
        runtime: Callable[[], Runtime],
        begun: Callable[[], Runtime | None],
    ) -> None:
        self._action = action
        self._runtime = runtime
        self._begun = begun

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            answer = Answer(405, "webhooks are delivered with POST", Outcome.REFUSED)
        else:
            try:
                answer = await self._take(scope, receive)
            except Rejected as refused:
                answer = refused.answer
            except GitreloadError as error:
                logger.error("a delivery could not be taken: %s", error)
                answer = Answer(503, str(error), Outcome.REFUSED)
            except Exception:
                logger.exception("a delivery met an error that should not be")
                answer = Answer(503, "an internal error, which the log tells", Outcome.REFUSED)
        await send_answer(send, answer, has_users=answer.status == 401 and self._has_users())

    def _has_users(self) -> bool:
        runtime = self._begun()
        return runtime is not None and bool(runtime.authority.users)

    async def _take(self, scope: Scope, receive: Receive) -> Answer:
        headers = forges.Headers(scope["headers"])
        announced = content_length(headers)
        runtime = self._begun()
        if runtime is None:
            # Opening a ledger takes a while, and more where it has to be migrated.
            runtime = await asyncio.to_thread(self._runtime)
        client = runtime.authority.addresses.client(peer_of(scope), headers.get)
        if not runtime.authority.addresses.allow(client):
            raise _not_from_there(runtime, client)
        require_room(announced, client)
        body = Body(client)
        try:
            await receive_all(scope, receive, body)
            return await self._receive(runtime, _Request(scope, headers, body.joined(), client))
        finally:
            body.release()

    async def _receive(self, runtime: Runtime, request: _Request) -> Answer:
        delivery, grant, stored = await _understood(runtime, request)
        if runtime.receiver is None:
            raise _not_ready(runtime)
        arrival = Arrival(
            delivery,
            self._action,
            time.time(),
            request.client,
            forges.kept(delivery.forge, request.headers),
            stored,
        )
        try:
            receipt = await runtime.receiver.receive(arrival, grant)
        except ReceiverBusy as busy:
            raise Rejected(503, str(busy)) from busy
        if receipt.outcome is Outcome.REFUSED:
            _alarm(runtime, arrival, receipt)
        return _answer(receipt, delivery)


async def _understood(runtime: Runtime, request: _Request) -> tuple[Delivery, Grant | None, bytes]:
    """What a request says, what that may act on, and the body to store. Raises Rejected."""
    authority = runtime.authority
    names = await _names(runtime, request) if authority.looks_first else None
    try:
        if len(request.body) <= SMALL:
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
        raise Rejected(refusal.status, str(refusal)) from refusal


def _read(
    authority: Authority, request: _Request, names: Iterable[str] | None
) -> tuple[Delivery, Grant | None, bytes]:
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
        raise Rejected(400, str(error)) from error
    if pushes is not delivery.pushes:
        delivery = msgspec.structs.replace(delivery, pushes=pushes)
    return delivery, grant, forges.redacted(delivery.forge, request.body, KEPT)


async def _names(runtime: Runtime, request: _Request) -> Iterable[str]:
    """The names of the checkouts that a request claims to be for. Raises Rejected."""
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
        raise Rejected(503, str(busy)) from busy


def _not_ready(runtime: Runtime) -> Rejected:
    return Rejected(503, f"gitreload is not ready: {runtime.trouble}")


def _not_from_there(runtime: Runtime, client: str | None) -> Rejected:
    if client is None:
        message = (
            "deliveries that come through a unix socket are not taken, as ALLOW_FROM is set: where "
            'a web server is in front, add "unix" to TRUSTED_PROXIES'
        )
    else:
        message = f"deliveries from {client} are not taken: ALLOW_FROM has other networks"
    runtime.refusals.tell(Refused("not in ALLOW_FROM", message, client))
    return Rejected(401, message)


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
        repository=repository and visible(mask(repository))[: forges.LONGEST_CLAIM],
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
