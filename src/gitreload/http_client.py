"""HTTP with other servers, whose answers are bounded: nobody waits for one without an end.

    with HttpClient("GitHub", headers={…}) as client:
        answer = client.ask("GET", url, headers={"Authorization": …})
        if not answer.ok:
            raise PermanentError(f"GitHub answers {answer.status}: {answer.said([token])}")
        found = answer.json()

One request after the other, over connections that are kept. Redirects are answers like others,
unless they shall be followed: then `Authorization` goes to the same origin alone, but all other
header fields and the body go on to wherever it leads, so no secret may be in those.
"""

from __future__ import annotations

import json as encoding
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from gitreload.model import PermanentError, TransientError
from gitreload.visible import visible

if TYPE_CHECKING:
    import ssl

    import httpx

# For each wait, and for a whole answer. Nothing that is asked for is nearly as large.
SECONDS = 20.0
WHOLE_SECONDS = 60.0
MOST_BYTES = 32 * 1024 * 1024

# Of what a server says, in characters.
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """Any answer of a server, refusals too. `next` is where a list goes on (RFC 8288)."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    content: bytes = field(repr=False)
    next: str | None = None

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """What it holds; None where it is empty. Raises `ValueError` where that is no JSON."""
        try:
            return encoding.loads(self.content) if self.content else None
        except RecursionError:
            raise ValueError("nested too deep") from None

    def said(self, secrets: Iterable[str] = (), text: str | None = None) -> str:
        """The start of its text (or of `text`, a part of that), on one line, without `secrets`."""
        said = self.text if text is None else text
        for secret in filter(None, secrets):
            said = said.replace(secret, "***")
        return visible(said[:_SHOWN])


class HttpClient:
    """Asks one service, which errors call `of` ("GitHub"). `headers` go with each request."""

    def __init__(
        self,
        of: str,
        *,
        headers: Mapping[str, str] | None = None,
        follow_redirects: bool = False,
    ) -> None:
        import httpx  # slow to load

        self._of = of
        self._client = httpx.Client(
            headers=headers, timeout=SECONDS, follow_redirects=follow_redirects, verify=_tls()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | Iterable[bytes] | None = None,
        form: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """What the server answers to `method` at `url`, whatever it is.

        The body is `json`, or `content` (chunks are streamed, so name their Content-Length in
        `headers`), or the `form`. `seconds` is for each wait, the usual `SECONDS` otherwise.

        Raises `TransientError` where no answer comes or it takes too long, `PermanentError` where
        it is too large, and what making `content` raises.
        """
        import httpx

        try:
            with self._client.stream(
                method,
                url,
                headers=headers,
                json=json,
                content=content,
                data=form,
                timeout=seconds or SECONDS,
            ) as response:
                whole = self._whole(response, url)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = visible(f"{type(error).__name__}: {error}")
            raise TransientError(f"{self._of} cannot be reached at {url}: {why}") from None
        return Answer(
            response.status_code,
            response.headers,
            whole,
            response.links.get("next", {}).get("url"),
        )

    def _whole(self, response: httpx.Response, url: str) -> bytes:
        until, content = time.monotonic() + WHOLE_SECONDS, bytearray()
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > MOST_BYTES:
                raise PermanentError(
                    f"what answers at {url} sends more than {MOST_BYTES >> 20} MiB: is that "
                    f"{self._of}?"
                )
            if time.monotonic() > until:
                raise TransientError(
                    f"{self._of} is too slow at {url}: {WHOLE_SECONDS:.0f} s were not enough"
                )
        return bytes(content)


@cache
def _tls() -> ssl.SSLContext:
    """Whom we trust. To read all their certificates takes longer than most requests."""
    import httpx

    return httpx.create_ssl_context()
