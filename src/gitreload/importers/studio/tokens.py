"""The tokens that an OAuth application of the LMS is given for Studio.

https://docs.openedx.org/projects/edx-platform/en/latest/how-tos/use_the_api.html
"""

from __future__ import annotations

import re
import threading
import time

from gitreload.http_client import Answer, HttpClient
from gitreload.importers.studio.refusals import LMS, refusal, told
from gitreload.model import GitreloadError, PermanentError, TransientError
from gitreload.setting_importers import StudioSettings

# What a header field can hold: anything else would come back in the client's own error.
_TOKEN = re.compile(r"[!-~]{1,16384}")
# A token is not begun with any more so long before its end.
_REST_SECONDS = 60.0


class Tokens:
    """Those that were given out, in memory alone, each for the settings it was asked with."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: dict[StudioSettings, tuple[str, float]] = {}

    def get(self, settings: StudioSettings, client: HttpClient) -> str:
        """One that is good now. Raises `PermanentError` with the cure, or `TransientError`."""
        with self._lock:
            token, ends = self._given.get(settings, ("", 0.0))
        if time.monotonic() < ends - _REST_SECONDS:
            return token
        token, seconds = _ask(settings, client)
        with self._lock:
            self._given[settings] = token, time.monotonic() + seconds
        return token

    def forget(self, settings: StudioSettings) -> None:
        """Ask for another one next time."""
        with self._lock:
            self._given.pop(settings, None)


def _ask(settings: StudioSettings, client: HttpClient) -> tuple[str, float]:
    """A token, and for how many seconds it is good."""
    url = f"{settings.lms_url.rstrip('/')}/oauth2/access_token"
    secret = settings.client_secret.read().decode()
    form = {
        "grant_type": "client_credentials",
        "client_id": settings.client_id,
        "client_secret": secret,
        "token_type": "jwt",
    }
    answer = client.ask("POST", url, form=form)
    if not answer.ok:
        raise _refused(answer, url, secret)
    try:
        found = answer.json()
        token, seconds = found["access_token"], float(found["expires_in"])
        if isinstance(token, str) and _TOKEN.fullmatch(token):
            return token, seconds
    except (ValueError, TypeError, KeyError, OverflowError):
        pass  # as is told below
    raise PermanentError(
        f"what answers at {url} gives no token: STUDIO.LMS_URL has to be the address of the LMS"
    )


def _refused(answer: Answer, url: str, secret: str) -> GitreloadError:
    sentence = told(LMS, answer, url, [secret])
    match answer.status:
        case 400 | 401:
            return PermanentError(
                f"{sentence}; STUDIO.CLIENT_ID and STUDIO.CLIENT_SECRET have to be those of an "
                "application at that LMS whose authorization grant type is Client credentials"
            )
        case 403:  # how the LMS says that this address asks too often
            return TransientError(sentence)
    return refusal(LMS, answer, url, [secret])
