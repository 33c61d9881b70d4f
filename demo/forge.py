"""The demo's forge: git runs this as the post-receive hook of its repository.

It tells the server of each pushed branch as GitHub would, and prints the answer, which git shows
to the author behind `remote:`. Its one argument is the file with the webhook's settings.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from gitreload.forges import Announcement, github


@dataclass(frozen=True)
class Webhook:
    """What a forge's settings page asks for; `answers` is where it lists the last deliveries."""

    repository: str
    url: str
    secret: str
    answers: Path

    def save(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self), default=str))
        file.chmod(0o600)

    @classmethod
    def load(cls, file: Path) -> Webhook:
        kept = json.loads(file.read_text())
        return cls(**kept | {"answers": Path(kept["answers"])})


@dataclass(frozen=True)
class Answer:
    """An answered delivery: the jobs it led to, and when it was sent and answered."""

    jobs: tuple[int, ...]
    sent_at: float
    answered_at: float


def last_answer(webhook: Webhook) -> Answer | None:
    """The last delivery that was answered, None before the first."""
    if not webhook.answers.exists():
        return None
    return Answer(**json.loads(webhook.answers.read_text().splitlines()[-1]))


def deliver(webhook: Webhook, before: str, after: str, ref: str) -> str:
    """Deliver a push and record the answer; what to tell who pushed."""
    announcement = Announcement(
        webhook.repository,
        ref,
        before,
        after,
        delivery_id=str(uuid.uuid4()),
        now=time.time(),
        secret=webhook.secret.encode(),
    )
    headers, body = github.compose(announcement)
    request = urllib.request.Request(webhook.url, body, headers)  # noqa: S310 - the demo's own
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    sent_at = time.time()
    try:
        with direct.open(request, timeout=10) as response:
            status, answer = response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return f"refused with {error.code}: {error.read().decode(errors='replace')}"
    except OSError as error:
        return f"nothing answers at {webhook.url} ({error}): does `make demo` still run?"
    answered_at = time.time()
    with webhook.answers.open("a") as file:
        file.write(json.dumps(asdict(Answer(answer["jobs"], sent_at, answered_at))) + "\n")
    return f"{status} in {(answered_at - sent_at) * 1000:.0f} ms: {answer['msg']}"


def main() -> None:
    webhook = Webhook.load(Path(sys.argv[1]))
    for line in sys.stdin:
        print(deliver(webhook, *line.split()))  # noqa: T201 - git passes it on


if __name__ == "__main__":
    main()
