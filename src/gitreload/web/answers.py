"""What the webhook routes answer: always JSON, always with the same four fields."""

from __future__ import annotations

import msgspec
from starlette.types import Send

from gitreload.model import Outcome

RETRY_AFTER_SECONDS = 30
# A 401 has to say how to do better (RFC 9110, section 15.5.2), and some senders keep the password
# of their URL until they are asked for it. Signatures and tokens of webhooks have no registered
# scheme: it is one of ours, which makes nobody try a password in vain.
_CHALLENGES = {True: b'Basic realm="gitreload"', False: b'Webhook-Secret realm="gitreload"'}


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


class Rejected(Exception):  # noqa: N818 - an answer on its way up
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = Answer(status, message, Outcome.REFUSED)


async def send_answer(send: Send, answer: Answer, *, has_users: bool) -> None:
    """`has_users`: a user and password would do."""
    body = answer.body()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if answer.status == 503:
        headers.append((b"retry-after", str(RETRY_AFTER_SECONDS).encode()))
    if answer.status == 401:
        headers.append((b"www-authenticate", _CHALLENGES[has_users]))
    if answer.status == 405:
        headers.append((b"allow", b"POST"))
    if answer.status in (400, 401, 413, 503):
        # What may still be on its way is not read.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
